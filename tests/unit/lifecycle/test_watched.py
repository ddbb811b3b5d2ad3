"""What is watched as a number, what as a category, and what not."""

import numpy as np

from lifecycle.columns import Column
from lifecycle.features import FeatureSpec, fit
from lifecycle.watched import watched, watched_labels, watched_scores

DERIVE = "def derive(columns):\n    return {'half': columns['a'] / 2, 'kind': columns['a'] % 2}\n"
INPUTS = (
    Column("a", "double"),
    Column("code", "long", required=False),
    Column("text", "string"),
    Column("at", "datetime"),
)
SPEC = FeatureSpec(INPUTS, numbers=("half", "a"), categories={"code": 9, "kind": 9}, hook=DERIVE)
ROWS = {
    "a": np.array([1.0, 2.0, np.nan]),
    "code": np.array([3.0, np.nan, 4.0]),
    "text": np.array(["x", None, "y"], dtype=object),
    "at": np.array(["2013-01-01", "NaT", "2013-01-02"], "M8[us]"),
}


def test_raw_columns_and_features_are_watched_each_as_what_the_model_takes_them_for() -> None:
    found = watched(fit(SPEC, ROWS), ROWS)
    assert {name: values.tolist()[:2] for name, values in found.numbers.items()} == {
        "a": [1.0, 2.0],
        "half": [0.5, 1.0],
    }
    assert {name: values.tolist() for name, values in found.categories.items()} == {
        "code": ["3", None, "4"],
        "text": ["x", None, "y"],
        "kind": ["1", "0", None],
    }
    assert found.rows == 3


def test_a_column_that_is_not_sent_is_missing_and_a_derived_level_nobody_knew_too() -> None:
    later = {"a": np.array([2.5]), "text": np.array(["z"], dtype=object), "at": np.array(["2014-01-01"], "M8[us]")}
    found = watched(fit(SPEC, ROWS), later)
    assert (found.categories["code"].tolist(), found.categories["kind"].tolist()) == ([None], [None])
    assert found.categories["text"].tolist() == ["z"]


def test_of_many_classes_the_confidence_is_watched_and_whether_it_was_right() -> None:
    scores = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4], [0.5, 0.4, 0.1]])
    assert watched_scores(scores).tolist() == [0.7, 0.4, 0.5]
    assert watched_labels(scores, np.array([0.0, 1.0, np.nan])).tolist()[:2] == [1.0, 0.0]
    assert np.isnan(watched_labels(scores, np.array([0.0, 1.0, np.nan]))[2])
    assert watched_scores(scores[:, 0]).tolist() == [0.7, 0.3, 0.5]
