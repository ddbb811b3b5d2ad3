"""What the label of a row is, for every task; and classes that a model does not know."""

from typing import Any

import numpy as np
import pytest

from lifecycle.declaration import Target
from lifecycle.errors import TrainingError
from lifecycle.labels import Labels, aligned, natural, read_labels

NAN = np.nan


def texts(*values: Any) -> Any:
    return np.array(values, dtype=object)


def test_a_binary_label_is_a_threshold_on_the_target() -> None:
    found = read_labels("binary", Target(column="delay", at_least=15), np.array([14.0, 15.0, NAN, -3.0]))
    np.testing.assert_array_equal(found.values, [0, 1, NAN, 0])
    assert found.model_classes == ("0", "1")


def test_a_number_is_its_own_label() -> None:
    values = np.array([14.0, NAN, -3.0])
    np.testing.assert_array_equal(read_labels("regression", Target(column="x"), values).values, values)


def test_the_second_of_two_classes_is_what_is_predicted() -> None:
    found = read_labels("binary", Target(column="churned", classes=("no", "yes")), texts("yes", None, "no"))
    np.testing.assert_array_equal(found.values, [1, NAN, 0])
    assert found.model_classes == ("no", "yes")


def test_numbers_can_be_the_two_classes_as_well() -> None:
    found = read_labels("binary", Target(column="c", classes=("1", "2")), np.array([1.0, 2.0, 2.0]))
    np.testing.assert_array_equal(found.values, [0, 1, 1])


def test_many_classes_are_codes_in_their_natural_order() -> None:
    found = read_labels("multiclass", Target(column="c"), texts("b", "10", "9", None, "b"))
    assert found.classes == ("9", "10", "b")
    np.testing.assert_array_equal(found.values, [2, 1, 0, NAN, 2])


@pytest.mark.parametrize(
    ("task", "target", "values", "sentence"),
    [
        ("binary", Target(column="late"), np.array([0.0, 1.0, 2.0]), "'late' is not binary. It holds 3 different"),
        ("binary", Target(column="late"), texts("yes", None), "'late' holds no numbers"),
        (
            "binary",
            Target(column="late", classes=("n", "y")),
            texts("y", "Y"),
            "'late' holds other values than its two",
        ),
        ("counts", Target(column="late"), np.array([3.0, -1.0]), "'late' holds no counts. The least is -1"),
        ("regression", Target(column="late"), texts("3"), "'late' holds no numbers"),
        ("multiclass", Target(column="late"), np.array(["NaT"], dtype="M8[us]"), "'late' holds no numbers"),
    ],
)
def test_a_target_that_is_no_label_is_refused_by_name(task: Any, target: Target, values: Any, sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        read_labels(task, target, values)


def test_classes_that_only_later_rows_have_come_last_and_are_not_the_models() -> None:
    labels = read_labels("multiclass", Target(column="c"), texts("a", "b", "d", "c", None))
    found = labels.known_by(np.array([0, 2, 4]))
    assert found == Labels(found.values, ("a", "d", "b", "c"), 2)
    assert found.model_classes == ("a", "d")
    np.testing.assert_array_equal(found.values, [0, 2, 1, 3, NAN])


def test_two_classes_are_known_whatever_rows_train() -> None:
    labels = read_labels("binary", Target(column="c"), np.array([0.0, 1.0]))
    assert labels.known_by(np.array([0])) is labels


def test_a_model_gives_no_chance_to_classes_it_does_not_know() -> None:
    scores = np.array([[0.7, 0.3], [0.1, 0.9]])
    np.testing.assert_array_equal(aligned(scores, ("b", "a"), ("a", "b", "c")), [[0.3, 0.7, 0], [0.9, 0.1, 0]])


def test_a_class_nobody_has_any_more_is_left_out() -> None:
    np.testing.assert_array_equal(aligned(np.array([[0.7, 0.3]]), ("old", "a"), ("a", "b")), [[0.3, 0.0]])


def test_numbers_sort_by_value_before_words() -> None:
    assert natural(["b", "10", "2", "a", "-1"]) == ["-1", "2", "10", "a", "b"]
