"""Windows whose labels are due."""

from datetime import UTC, datetime, timedelta

from lifecycle.maturity import newest_due, newest_ended
from lifecycle.monitoring import MonitorPolicy, OutcomePolicy

NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)  # a Friday
WEEK = timedelta(days=7)


def test_weeks_begin_on_mondays_and_end_before_their_labels_are_due() -> None:
    policy = MonitorPolicy(window=WEEK, outcomes=OutcomePolicy(due=WEEK))
    monday = datetime(2026, 3, 2, tzinfo=UTC)
    assert newest_due(policy, NOW) == (monday, monday + WEEK)
    assert newest_due(policy, monday + 2 * WEEK) == (monday, monday + WEEK)
    assert newest_due(policy, monday + 2 * WEEK - timedelta(seconds=1)) == (monday - WEEK, monday)
    assert newest_ended(policy, NOW) == (monday + WEEK, monday + 2 * WEEK)


def test_without_a_promise_nothing_is_due() -> None:
    assert newest_due(MonitorPolicy(), NOW) is None
