"""The log summed up: every record once, whenever it was delivered, and nothing read again that did not change."""

from datetime import timedelta

import numpy as np

from lifecycle.log_part import hour_of, part_key, rows_key
from lifecycle.metrics import value
from lifecycle.sketching import NO_BUNDLE
from tasks import prediction_rows
from tasks.summaries import Parts, summarise
from tests.monitor.conftest import HOUR, NOW, Shop, draw


def test_every_row_is_counted_once_in_the_hour_it_was_answered(shop: Shop) -> None:
    early, late = shop.answered(draw(3, 60), NOW - HOUR, per=2), shop.answered(draw(4, 40), NOW, per=4)
    shop.deliver(early, name="a")
    shop.deliver([*early[-5:], *late], NOW, name="b")  # the end of one delivery came again with the next
    made = summarise(shop.bucket, "loans", shop.models, NOW - 3 * HOUR, NOW)
    assert [(part.hour, part.records, part.repeats) for part in made] == [
        (hour_of(NOW - HOUR), 30, 0),
        (hour_of(NOW), 10, 5),
    ]
    (sketch,) = [one.sketch for one in made[0].sketches]
    assert (sketch.requests, sketch.rows, sketch.described, sketch.scored.present) == (30, 60, 60, 60)
    assert sketch.numbers["amount"].rows == sketch.categories["kind"].rows == 60


def test_what_is_delivered_late_belongs_to_its_own_hour(shop: Shop) -> None:
    shop.deliver(shop.answered(draw(3, 20), NOW - 3 * HOUR), NOW)
    (part,) = summarise(shop.bucket, "loans", shop.models, NOW - HOUR, NOW)
    assert [one.hour for one in part.sketches] == [hour_of(NOW - 3 * HOUR)]


def test_a_part_is_made_again_only_when_its_objects_changed(shop: Shop) -> None:
    shop.deliver(shop.answered(draw(3, 20), NOW), name="a")
    since = NOW - HOUR
    assert len(summarise(shop.bucket, "loans", shop.models, since, NOW)) == 1
    assert summarise(shop.bucket, "loans", shop.models, since, NOW) == ()
    shop.deliver(shop.answered(draw(4, 10), NOW + timedelta(minutes=5)), name="b")
    (part,) = summarise(shop.bucket, "loans", shop.models, since, NOW)
    assert part.records == 30
    found = list(Parts(shop.bucket, "loans").newest_first(since, NOW))
    assert (found[0], len(found), found[1].sketches) == (part, 2, ())


def test_requests_of_all_kinds_are_told_apart(shop: Shop) -> None:
    good = shop.answered(draw(3, 20), NOW)
    refused = shop.answered(draw(4, 3), NOW + timedelta(minutes=1), status=400, reason="ragged", scores=None)
    lost = shop.answered(draw(5, 2), NOW + timedelta(minutes=2), status=503, bundle=None, scores=None)
    played = shop.answered(draw(6, 4), NOW + timedelta(minutes=3), synthetic=True)
    shop.deliver([*good, *refused, *lost, *played])
    (part,) = summarise(shop.bucket, "loans", shop.models, NOW - HOUR, NOW)
    mine = {one.sketch.bundle: one.sketch for one in part.sketches}
    one, none = mine[shop.bundle.digest], mine[NO_BUNDLE]
    assert (one.requests, one.refused, one.synthetic, one.rows, one.described) == (23, 3, 4, 20, 20)
    assert (none.requests, none.failed) == (2, 2)


def test_a_bundle_that_cannot_be_had_is_counted_and_said_to_be_undescribed(shop: Shop) -> None:
    shop.deliver(shop.answered(draw(3, 20), NOW, bundle="f" * 64))
    (part,) = summarise(shop.bucket, "loans", shop.models, NOW - HOUR, NOW)
    assert (part.undescribed, part.sketches[0].sketch.requests, part.sketches[0].sketch.described) == (20, 20, 0)
    assert summarise(shop.bucket, "loans", shop.models, NOW - HOUR, NOW) == (part,)  # it may be there by now


def test_rows_keep_scores_as_they_were_answered(shop: Shop) -> None:
    rows = draw(3, 500)
    records = shop.answered(rows, NOW - HOUR)
    shop.deliver(records)
    summarise(shop.bucket, "loans", shop.models, NOW - 2 * HOUR, NOW)
    key = rows_key("loans", NOW - HOUR)
    found = prediction_rows.rows_in(shop.bucket, key, shop.bundle.digest, NOW - HOUR, NOW)
    assert found is not None
    order = np.argsort(found.at, kind="stable")
    assert found.scores[order].tolist() == [record.scores[0] for record in records if record.scores]
    assert value("auc", rows.labels, found.scores[order]) == value("auc", rows.labels, np.array(shop.scores(rows)))
    assert prediction_rows.rows_in(shop.bucket, key, "f" * 64, NOW - HOUR, NOW) is None
    assert prediction_rows.rows_in(shop.bucket, rows_key("loans", NOW), shop.bundle.digest, NOW, NOW) is None


def test_the_same_objects_make_the_same_part_to_the_byte(shop: Shop) -> None:
    shop.deliver(shop.answered(draw(3, 200), NOW))
    summarise(shop.bucket, "loans", shop.models, NOW - HOUR, NOW)
    first = [shop.aws.s3.get_object(Bucket=shop.bucket, Key=key("loans", NOW)) for key in (part_key, rows_key)]
    bodies = [one["Body"].read() for one in first]
    shop.aws.s3.delete_object(Bucket=shop.bucket, Key=part_key("loans", NOW))
    summarise(shop.bucket, "loans", shop.models, NOW - HOUR, NOW)
    again = [shop.aws.s3.get_object(Bucket=shop.bucket, Key=key("loans", NOW)) for key in (part_key, rows_key)]
    assert [one["Body"].read() for one in again] == bodies
