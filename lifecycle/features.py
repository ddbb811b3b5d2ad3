"""Raw columns to the model's matrix: one transform with fitted state, used by training and by serving.

A product may bring a hook, `features.py: derive(columns) -> columns`. Its source is part of the fitted state
and travels in the bundle, so training and serving run the same bytes. The hook sees the declared raw columns
and nothing else, as the three kinds of array of `lifecycle.columns`, and cannot write into them.

It deliberately scales and imputes nothing: trees need neither, and what is not fitted cannot diverge.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lifecycle.columns import Array, Column, Columns, level, missing, normalise
from lifecycle.encoding import FeatureError, most_frequent_levels, refuse_infinite, to_codes, to_numbers
from lifecycle.hook import Derive, HookError, check_source, load_derive

FORMAT = 1
# One byte holds a code, and beyond some hundred levels a code is mostly noise; rarer levels count as unseen.
DEFAULT_MAX_LEVELS = 255
# Rows derived alone at fit time, to prove that the hook looks at one row at a time.
PROBED_ROWS = 3

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class FeatureSpec:
    """What a product declares: raw `inputs`, and which of them or of the derived columns are features.

    `numbers` and `categories` (name to the most levels kept) name raw or derived columns.
    `hook` is the source text of the product's features.py, or None.
    """

    inputs: tuple[Column, ...]
    numbers: tuple[str, ...] = ()
    categories: Mapping[str, int] = field(default_factory=dict)
    hook: str | None = None

    def __post_init__(self) -> None:
        """Refuse names that are listed twice or that nothing provides."""
        names = [column.name for column in self.inputs]
        for kind, listed in (("input", names), ("feature", list(self.names))):
            if twice := [name for name, times in Counter(listed).items() if times > 1]:
                raise FeatureError(f"The {kind} {twice[0]!r} is listed twice.")
        if not self.names:
            raise FeatureError("There are no features; list at least one under numbers or categories.")
        if forbidden := [name for name in self.names if set(name) & set("[]<")]:
            raise FeatureError(f"The feature {forbidden[0]!r} has [, ] or < in its name, which XGBoost refuses.")
        if self.hook is None and (unknown := [name for name in self.names if name not in names]):
            raise FeatureError(
                f"The feature {unknown[0]!r} is no input and there is no features.py to derive it; "
                f"inputs are {', '.join(names)}."
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names in the order of the matrix: numbers first, then categories."""
        return (*self.numbers, *self.categories)


@dataclass(frozen=True)
class Transformed:
    """The matrix (n, k) float32, and per category how many values were not among the fitted levels."""

    matrix: Matrix
    unseen: Mapping[str, int]


@dataclass(frozen=True)
class FittedFeatures:
    """A spec with its fitted state: the levels of every category, in the order of their codes."""

    spec: FeatureSpec
    levels: Mapping[str, tuple[str, ...]]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Feature names in the order of the matrix."""
        return self.spec.names

    @property
    def feature_types(self) -> tuple[str, ...]:
        """XGBoost's feature types: "q" for a number, "c" for a category code."""
        return ("q",) * len(self.spec.numbers) + ("c",) * len(self.spec.categories)

    def transform(self, columns: Columns) -> Matrix:
        """Return the matrix (n, k) float32 of raw `columns` of n rows; missing and unseen are NaN.

        Raises FeatureError (InfiniteFeatureError for an infinite feature), HookError, ColumnError.
        """
        return self.transform_counted(columns).matrix

    def transform_counted(self, columns: Columns) -> Transformed:
        """Return the matrix and the count of unseen values per category."""
        table = _table(self.spec, self._derive, columns)
        rows = len(next(iter(table.values())))
        matrix = np.full((rows, len(self.spec.names)), np.nan, dtype=np.float32)
        unseen: dict[str, int] = {}
        with np.errstate(over="ignore"):  # what overflows becomes infinite, and is refused below
            for index, name in enumerate(self.spec.numbers):
                matrix[:, index] = to_numbers(name, table[name])
        refuse_infinite(matrix, self.spec.names)
        for index, name in enumerate(self.spec.categories, start=len(self.spec.numbers)):
            matrix[:, index], count = to_codes(name, table[name], self._codebooks[name])
            if count:
                unseen[name] = count
        return Transformed(matrix, unseen)

    def to_json(self) -> str:
        """Return the fitted state as text, the same bytes for the same state; the hook only by its sha256."""
        state = {
            "format": FORMAT,
            "inputs": [asdict(column) for column in self.spec.inputs],
            "numbers": list(self.spec.numbers),
            "categories": [
                {"name": name, "max_levels": most, "levels": list(self.levels[name])}
                for name, most in self.spec.categories.items()
            ],
            "hook_sha256": _sha256(self.spec.hook),
        }
        return json.dumps(state, indent=1, ensure_ascii=True) + "\n"

    @classmethod
    def from_json(cls, text: str, hook: str | None = None) -> "FittedFeatures":
        """Read `to_json` back with the hook's source. Raises FeatureError when they do not belong together."""
        try:
            state = json.loads(text)
            found, expected = state["format"], FORMAT
            spec = FeatureSpec(
                inputs=tuple(Column(**column) for column in state["inputs"]),
                numbers=tuple(state["numbers"]),
                categories={item["name"]: item["max_levels"] for item in state["categories"]},
                hook=hook,
            )
            levels = {item["name"]: tuple(item["levels"]) for item in state["categories"]}
            hook_sha256 = state["hook_sha256"]
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise FeatureError(f"features.json is not fitted state: {type(error).__name__}.") from None
        if found != expected:
            raise FeatureError(f"features.json has format {found}, expected {expected}.")
        if hook_sha256 != _sha256(hook):
            raise FeatureError("features.py is not the file that features.json was fitted with (sha256 differs).")
        return cls(spec, levels)

    @cached_property
    def _derive(self) -> Derive | None:
        return None if self.spec.hook is None else load_derive(self.spec.hook)

    @cached_property
    def _codebooks(self) -> dict[str, dict[str, float]]:
        return {name: {text: float(code) for code, text in enumerate(texts)} for name, texts in self.levels.items()}


def fit(spec: FeatureSpec, columns: Columns) -> FittedFeatures:
    """Fit the levels of every category on the raw `columns` of the training rows.

    Levels are the most frequent ones, ties by name, coded in the order of their names. Raises FeatureError,
    ColumnError, and HookError when the hook needs more than numpy or looks beyond its own row.
    """
    derive = None
    if spec.hook is not None:
        check_source(spec.hook)
        derive = load_derive(spec.hook)
    table = _table(spec, derive, columns)
    for name in spec.numbers:
        to_numbers(name, table[name])
    fitted = FittedFeatures(
        spec, {name: most_frequent_levels(name, table[name], most) for name, most in spec.categories.items()}
    )
    if derive is not None:
        _refuse_looking_around(fitted, derive, columns, table)
    return fitted


def _table(spec: FeatureSpec, derive: Derive | None, columns: Columns) -> dict[str, Array]:
    table = _inputs(spec, columns)
    if derive is not None:
        rows = len(next(iter(table.values())))
        derived = derive(table)
        for name, values in derived.items():
            if name in table:
                raise HookError(f"derive() returns {name!r}, which is a raw column; give it a name of its own.")
            if not isinstance(values, np.ndarray) or values.shape != (rows,):
                raise HookError(f"derive() returns {name!r} as {_shape(values)}, expected an array of {rows} values.")
        table = {**table, **derived}
    if lacking := [name for name in spec.names if name not in table]:
        raise FeatureError(f"The feature {lacking[0]!r} is neither an input nor returned by derive().")
    return table


def _inputs(spec: FeatureSpec, columns: Columns) -> dict[str, Array]:
    present = [column.name for column in spec.inputs if column.name in columns]
    if not present:
        raise FeatureError("None of the declared input columns is there.")
    rows = len(columns[present[0]])
    table: dict[str, Array] = {}
    for column in spec.inputs:
        if column.name not in columns and column.required:
            raise FeatureError(f"The input column {column.name!r} is missing.")
        values = columns.get(column.name)
        table[column.name] = missing(column, rows) if values is None else normalise(column, values)
        if len(table[column.name]) != rows:
            raise FeatureError(f"Column {column.name!r} has {len(table[column.name])} rows, expected {rows}.")
        table[column.name] = table[column.name].view()  # the caller's own array stays writeable
        table[column.name].flags.writeable = False
    return table


def _refuse_looking_around(fitted: FittedFeatures, derive: Derive, columns: Columns, table: Columns) -> None:
    for row in range(min(PROBED_ROWS, len(table[fitted.spec.names[0]]))):
        alone = _table(fitted.spec, derive, {name: values[row : row + 1] for name, values in columns.items()})
        for name in fitted.spec.names:
            if level(alone[name][0]) != level(table[name][row]):
                raise HookError(
                    f"derive() gives {name!r} of row {row} another value alone than among {len(table[name])} rows; "
                    "a feature may only use its own row, or serving would differ from training."
                )


def _shape(values: object) -> str:
    return f"an array of shape {values.shape}" if isinstance(values, np.ndarray) else f"a {type(values).__name__}"


def _sha256(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()
