"""Evidence out of a bucket and CloudWatch: each log object counts once, however late it shows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from lifecycle.completeness import LAG
from lifecycle.control import Rollout, Window
from lifecycle.errors import ServiceError
from lifecycle.evidence import Arm
from lifecycle.predictions import Prediction
from lifecycle.release_plan import ReleasePlan
from lifecycle.rollout import Progress
from tasks import evidence
from tasks.evidence import Counted
from tests.evidence.conftest import Place
from tests.evidence.records import minutes, record

NOW = datetime.now(UTC).replace(second=30, microsecond=0)
# An object counts by when it was written, and these tests write them all at once.
BEGAN = NOW - minutes(40)


def rollout(**changes: Any) -> Rollout:
    """Return a release whose first step began forty minutes ago."""
    usual: dict[str, Any] = {
        "plan": ReleasePlan(),
        "progress": Progress(since=BEGAN),
        "windows": (Window(step=0, weight=0.5, since=BEGAN),),
        "counted_until": BEGAN,
        "settled": True,
        "next_tick": NOW,
    }
    return Rollout(**{**usual, **changes})


def after(before: Rollout, counted: Counted) -> Rollout:
    """Return the release as it is written down, and read again."""
    onward = before.model_copy(update={"evidence": counted.evidence, "counted_until": counted.counted_until})
    return Rollout.model_validate_json(onward.model_dump_json())


def count(place: Place, before: Rollout, now: datetime | None = None) -> Counted:
    moment = now or datetime.now(UTC)
    return evidence.count(
        place.settings, place.product, place.function, before, place.champion, place.challenger, moment
    )


def sums(place: Place, counted: Counted) -> list[int | None]:
    step = counted.evidence.at(0)
    assert step is not None
    told = counted.evidence.tally.at(0)
    assert step.champion.requests in (None, told.champion.requests + told.champion.crashes)
    return [told.challenger.requests, told.champion.requests]


@pytest.fixture
def ours(place: Place) -> list[Prediction]:
    """Ten requests to the challenger in its window, which the metrics know of."""
    version = str(place.challenger.function_version)
    place.measure("Invocations", version, [(BEGAN + minutes(at), 1.0) for at in range(1, 11)])
    return [record(BEGAN + minutes(at), version) for at in range(1, 11)]


def test_both_arms_are_counted_from_the_log_and_known_when_the_metrics_agree(
    place: Place, ours: list[Prediction]
) -> None:
    theirs = str(place.champion.function_version)
    place.measure("Invocations", theirs, [(BEGAN + minutes(5), 3.0)])
    place.measure("Errors", theirs, [(BEGAN + minutes(5), 1.0)])
    place.deliver(*ours, *(record(BEGAN + minutes(5), theirs, scores=(0.9,)) for _ in range(2)))
    found = count(place, rollout()).evidence.at(0)
    assert found is not None
    assert found.challenger == Arm(requests=10, errors=0, slow=0, invalid=0, scores=(0, 10, 0, 0))
    assert found.champion == Arm(requests=3, errors=1, slow=0, invalid=0, scores=(0, 0, 0, 2))


def test_a_second_look_counts_nothing_again(place: Place, ours: list[Prediction]) -> None:
    place.deliver(*ours)
    first = count(place, rollout())
    again = count(place, after(rollout(), first))
    assert (sums(place, first), sums(place, again)) == ([10, 0], [10, 0])
    assert again.counted_until > first.counted_until


def test_a_look_that_was_never_written_down_is_counted_by_the_next(place: Place, ours: list[Prediction]) -> None:
    place.deliver(*ours)
    assert sums(place, count(place, rollout())) == sums(place, count(place, rollout())) == [10, 0]


def test_an_object_that_shows_only_after_a_look_counts_though_its_date_lies_before(
    place: Place, ours: list[Prediction]
) -> None:
    """As an upload does that takes longer than the look; here the look says it was a minute later than it was."""
    place.deliver(*ours[:4])
    first = count(place, rollout(), datetime.now(UTC) + minutes(1))
    place.deliver(*ours[4:])
    assert sums(place, count(place, after(rollout(), first))) == [10, 0]


def test_records_delivered_again_in_another_object_count_once(place: Place, ours: list[Prediction]) -> None:
    place.deliver(*ours)
    first = after(rollout(), count(place, rollout()))
    place.deliver(*ours[5:], name="again")
    second = count(place, first)
    assert (sums(place, second), len(second.evidence.tally.objects)) == ([10, 0], 2)


def test_an_object_in_an_old_partition_counts_when_it_comes(place: Place, ours: list[Prediction]) -> None:
    """A delivery stream tries for a day, and files a record under the hour it first saw it."""
    first = after(rollout(), count(place, rollout()))
    place.deliver(*ours, at=datetime.now(UTC) - timedelta(hours=20))
    assert sums(place, count(place, first)) == [10, 0]


def test_what_was_counted_long_ago_is_not_noted_any_more(place: Place, ours: list[Prediction]) -> None:
    place.deliver(*ours)
    later = datetime.now(UTC) + evidence.OVERLAP + minutes(1)
    first = count(place, rollout(), later)
    assert first.evidence.tally.objects == ()
    assert sums(place, count(place, after(rollout(), first), later)) == [10, 0]


def test_a_log_that_is_short_of_the_metrics_makes_the_arm_unknown_until_it_has_caught_up(
    place: Place, ours: list[Prediction]
) -> None:
    place.deliver(*ours[:7])
    short = count(place, rollout())
    step = short.evidence.at(0)
    assert step is not None
    assert (step.challenger, sums(place, short)) == (Arm(), [7, 0])
    place.deliver(*ours[7:])
    whole = count(place, after(rollout(), short)).evidence.at(0)
    assert whole is not None
    assert whole.challenger.requests == 10


def test_an_object_that_cannot_be_read_is_an_error_with_its_name(place: Place, ours: list[Prediction]) -> None:
    key = place.deliver(*ours)
    place.aws.s3.put_object(Bucket=place.bucket, Key=key, Body=b"\x1f\x8b broken")
    with pytest.raises(ServiceError, match=key):
        count(place, rollout())


def test_alarms_of_the_challenger_that_fire_are_named_and_those_of_the_champion_are_not(place: Place) -> None:
    client: Any = boto3.session.Session().client("cloudwatch")
    names = [f"{place.function}-v{one.function_version}-errors" for one in (place.champion, place.challenger)]
    for name in names:
        client.put_metric_data(Namespace="Test", MetricData=[{"MetricName": name, "Value": 5.0}])
        client.put_metric_alarm(
            AlarmName=name,
            MetricName=name,
            Namespace="Test",
            Statistic="Maximum",
            Period=300,
            EvaluationPeriods=1,
            Threshold=1.0,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="ignore",
        )
        client.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
    client.close()
    assert count(place, rollout()).evidence.alarms == (names[1],)


def test_traffic_of_the_last_hour_is_the_live_requests_in_the_log(place: Place, ours: list[Prediction]) -> None:
    version = str(place.challenger.function_version)
    checks = [record(BEGAN, version, synthetic=True), record(BEGAN, version, method="GET")]
    place.deliver(*ours, *checks, record(NOW - minutes(61), version))
    place.measure("Invocations", None, [(BEGAN, 12.0)])
    assert recent(place) == 10
    assert recent(place, enough=4) == 4


def test_traffic_that_the_log_does_not_tell_is_not_known_rather_than_none(place: Place) -> None:
    assert recent(place) == 0
    place.measure("Invocations", None, [(datetime.now(UTC) - LAG - minutes(2), 50.0)])
    assert recent(place) is None


def recent(place: Place, enough: int = 100) -> int | None:
    hour = timedelta(hours=1)
    asked = (place.settings, place.product, place.function, datetime.now(UTC))
    return evidence.recent_requests(*asked, within=hour, enough=enough)
