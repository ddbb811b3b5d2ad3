"""Charts as values: what is drawn can be read as a table, and numbers read as people write them."""

from datetime import UTC, datetime, timedelta

import pytest

from lifecycle.charts import Chart, Limit, Series, lasting, number, percent

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_chart_is_a_table_with_its_intervals_and_limits() -> None:
    series = Series("auc", (0.81234, None), lower=(0.8, None), upper=(0.82, None))
    places = (NOON, NOON + timedelta(days=1))
    chart = Chart("points", "Realised", "day (UTC)", "AUC", places, (series,), "A sentence.", (Limit("holdout", 0.8),))
    table = chart.table()
    assert table.headings == ("day (UTC)", "auc")
    assert table.rows == (("2026-03-01 12:00", "0.812 [0.8, 0.82]"), ("2026-03-02 12:00", "—"))
    assert table.caption == "Realised: AUC. holdout: 0.8"
    assert chart.over_time


def test_a_series_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="Costs: 1 values of one for 2 places"):
        Chart("bars", "Costs", "x", "y", ("a", "b"), (Series("one", (1.0,)),), ".")


@pytest.mark.parametrize(
    ("value", "told"),
    [(None, "—"), (float("nan"), "—"), (0.0, "0"), (12_345, "12,345"), (0.0123456, "0.0123"), (1234.5, "1,234")],
)
def test_numbers(value: float | None, told: str) -> None:
    assert number(value) == told


@pytest.mark.parametrize(("value", "told"), [(None, "—"), (0.0, "0 %"), (0.25, "25 %"), (0.12345, "12.3 %")])
def test_shares(value: float | None, told: str) -> None:
    assert percent(value) == told


@pytest.mark.parametrize(
    ("span", "told"),
    [
        (timedelta(0), "0 s"),
        (timedelta(days=1), "1 d"),
        (timedelta(hours=1, minutes=30), "1 h 30 min"),
        (timedelta(seconds=61), "1 min 1 s"),
    ],
)
def test_lengths_of_time(span: timedelta, told: str) -> None:
    assert lasting(span) == told
