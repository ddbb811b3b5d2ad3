import pytest

from localcloud.patches.arithmetic import UnknownMathError, Values, computed

SHARE = "IF(errors >= 5, errors / invocations, 0)"


@pytest.mark.parametrize(
    ("expression", "values", "expected"),
    [
        (SHARE, {"errors": 4.0, "invocations": 4.0}, 0.0),
        (SHARE, {"errors": 5.0, "invocations": 20.0}, 0.25),
        (SHARE, {"errors": None, "invocations": 20.0}, None),
        (SHARE, {"errors": 5.0, "invocations": None}, None),
        ("a / b", {"a": 1.0, "b": 0.0}, None),
        ("2 * (a - b) + 1", {"a": 3.0, "b": 1.0}, 5.0),
        ("a != b", {"a": 3.0, "b": 1.0}, 1.0),
    ],
)
def test_an_expression_comes_to_a_number_or_to_nothing(expression: str, values: Values, expected: float | None) -> None:
    assert computed(expression, values) == expected


@pytest.mark.parametrize("expression", ["FILL(a, 0)", "a ** 2", "a <", "__import__('os')", "b", "a if a else 0", "'a'"])
def test_what_is_not_known_is_refused_and_never_guessed(expression: str) -> None:
    with pytest.raises(UnknownMathError):
        computed(expression, {"a": 1.0})
