"""The flights product as content: its script, its features, its sample, its sheet."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lifecycle.hook import check_source, load_derive
from lifecycle.spec import Product
from tasks import judging
from tasks.landing import Content

HOME = Path(__file__).parents[2] / "products/flights"
LEAKS = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"}


def script(*arguments: str) -> None:
    command = [sys.executable, str(HOME / "drops.py"), *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


def test_what_is_known_only_afterwards_is_neither_asked_for_nor_a_feature(flights: Product) -> None:
    assert not LEAKS & {column.name for column in flights.inputs}
    assert not LEAKS & {*flights.features.numbers, *flights.features.categories}


def test_a_request_carries_what_the_features_need_and_nothing_else(flights: Product, july: pd.DataFrame) -> None:
    derive = load_derive((HOME / "features.py").read_text())
    wanted: set[str] = set()

    class Watched(dict[str, Any]):
        def __getitem__(self, name: str) -> Any:
            wanted.add(name)
            return super().__getitem__(name)

    namespace: dict[str, Any] = {}
    exec((HOME / "features.py").read_text(), namespace)  # noqa: S102  the product's reviewed code
    inputs = {column.name: july[column.name].to_numpy(dtype=float, na_value=np.nan) for column in flights.inputs
              if column.type != "string"}  # fmt: skip
    derived = namespace["derive"](Watched(inputs))
    named = {*flights.features.numbers, *flights.features.categories} - set(derived)
    assert {column.name for column in flights.inputs} == named | wanted
    assert set(derive(inputs)) == set(derived)


def test_the_hook_needs_nothing_that_serving_has_not() -> None:
    check_source((HOME / "features.py").read_text())


def test_derived_features_are_what_their_names_say(july: pd.DataFrame) -> None:
    derive = load_derive((HOME / "features.py").read_text())
    columns = {
        name: july[name].to_numpy(dtype=float, na_value=np.nan)
        for name in ("year", "month", "day", "sched_dep_time", "sched_arr_time", "plane_year")
    }
    derived = derive(columns)
    sunday_first = (pd.to_datetime(july[["year", "month", "day"]]).dt.day_of_week + 1) % 7
    assert derived["day_of_week"].tolist() == sunday_first.tolist()
    assert derived["departure_minutes"].tolist() == (july["hour"] * 60 + july["minute"]).tolist()
    known = july["plane_year"].notna().to_numpy()
    assert derived["plane_age"][known].tolist() == (2013 - july["plane_year"][known]).tolist()
    assert np.isnan(derived["plane_age"][~known]).all()


@pytest.mark.parametrize(
    ("year", "month", "day"), [(2012, 2, 29), (2013, 1, 1), (2013, 12, 31), (2000, 3, 1), (1900, 1, 31)]
)
def test_the_day_of_the_week_is_right_on_odd_dates(year: int, month: int, day: int) -> None:
    derive = load_derive((HOME / "features.py").read_text())
    names = ("year", "month", "day", "sched_dep_time", "sched_arr_time", "plane_year")
    columns = {name: np.array([float(value)]) for name, value in zip(names, (year, month, day, 0, 0, 0), strict=True)}
    assert derive(columns)["day_of_week"][0] == (pd.Timestamp(year, month, day).day_of_week + 1) % 7


def test_an_impossible_date_has_no_day_of_the_week() -> None:
    derive = load_derive((HOME / "features.py").read_text())
    columns = dict.fromkeys(("year", "sched_dep_time", "sched_arr_time", "plane_year"), np.full(3, 2013.0))
    columns |= {"month": np.array([13.0, 2.0, np.nan]), "day": np.array([1.0, 32.0, 1.0])}
    assert np.isnan(derive(columns)["day_of_week"]).all()


def test_the_script_cuts_a_file_in_mid_row(tmp_path: Path) -> None:
    script(str(tmp_path), "--months", "7", "--truncated", "7", "--share", "0.1")
    assert {path.name for path in tmp_path.iterdir()} == {"flights-2013-07.csv", "flights-2013-07-truncated.csv"}
    whole = (tmp_path / "flights-2013-07.csv").read_bytes()
    cut = (tmp_path / "flights-2013-07-truncated.csv").read_bytes()
    assert whole.startswith(cut)
    assert whole.count(b"\n") == 1 + round(29_425 * 0.1)
    assert 0 < cut.rpartition(b"\n")[2].count(b",") < 34


def test_the_script_writes_the_sample_again_byte_by_byte(tmp_path: Path) -> None:
    script(str(tmp_path), "--sample")
    for name in ("rows.parquet", "request.json"):
        assert (HOME / "sample" / name).read_bytes() == (tmp_path / name).read_bytes(), f"run drops.py --sample: {name}"


def test_the_sample_is_a_delivery_that_passes(flights: Product) -> None:
    body = (HOME / "sample/rows.parquet").read_bytes()
    verdict = judging.judge("rows.parquet", Content("s", len(body), body), flights, HOME.parents[1] / "expectations")
    assert (verdict.reasons, verdict.counts.validated) == ((), 1200)


def test_the_sample_request_carries_the_input_columns(flights: Product) -> None:
    request = json.loads((HOME / "sample/request.json").read_text())
    assert list(request) == ["dataframe_records"]
    assert [list(row) for row in request["dataframe_records"]] == [[column.name for column in flights.inputs]]
