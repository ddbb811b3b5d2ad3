"""The part of CloudWatch's metric math that an alarm on a rate needs: numbers, + - * /, comparisons and IF.

Text in, a number or nothing out; a series without data makes the result missing, as does a division by zero. What is
not known here is an error, never a guess.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping

_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
Values = Mapping[str, float | None]


class UnknownMathError(ValueError):
    """The expression uses something this emulator does not compute."""


def computed(expression: str, values: Values) -> float | None:
    """Return what the expression comes to. Raises UnknownMathError for what is not known here."""
    try:
        tree = ast.parse(expression, mode="eval").body
    except SyntaxError as error:
        raise UnknownMathError(f"{expression!r} is no expression.") from error
    return _value(tree, values)


def _value(node: ast.expr, values: Values) -> float | None:
    match node:
        case ast.Constant(value=bool() | int() | float() as number):
            return float(number)
        case ast.Name(id=name) if name in values:
            return values[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            return _both(_ARITHMETIC[type(op)], _value(left, values), _value(right, values))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
            return _both(_COMPARISONS[type(op)], _value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(id="IF"), args=[condition, then, otherwise], keywords=[]):
            return _chosen(_value(condition, values), _value(then, values), _value(otherwise, values))
    raise UnknownMathError(f"{ast.unparse(node)!r} is not computed here.")


def _both(act: Callable[[float, float], float], left: float | None, right: float | None) -> float | None:
    if left is None or right is None:
        return None
    try:
        return float(act(left, right))
    except ZeroDivisionError:
        return None


def _chosen(condition: float | None, then: float | None, otherwise: float | None) -> float | None:
    if condition is None:
        return None
    return then if condition else otherwise
