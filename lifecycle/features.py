"""Raw columns to the model's matrix: one transform with fitted state, used by training and by serving.

A product may bring a hook, `features.py: derive(columns) -> columns`. Its source is part of the fitted state
and travels in the bundle, so training and serving run the same bytes. The hook sees the declared raw columns
and nothing else, as the three kinds of array of `lifecycle.columns`, and cannot write into them.

It deliberately scales and imputes nothing: trees need neither, and what is not fitted cannot diverge.
The matrix holds, in this order: numbers, declared transforms, histories, mean labels of encoded categories, categories.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.columns import Column, Columns, level
from lifecycle.encoding import FeatureError, most_frequent_levels, refuse_infinite, to_codes, to_numbers
from lifecycle.feature_spec import FeatureSpec
from lifecycle.feature_table import inputs_of, joined, table_of
from lifecycle.hook import Derive, HookError, check_source, load_derive
from lifecycle.level_means import LevelMeans, Outcomes, without_own_label
from lifecycle.level_means import fit as fit_means
from lifecycle.past import Past
from lifecycle.transforms import Transform, apply

__all__ = ["FeatureSpec", "FittedFeatures", "Matrix", "Transformed", "fit", "training_matrix"]

# 2 has a past. What has none is written as 1, so that the same features stay the same bytes.
FORMAT, FORMAT_WITH_PAST = 1, 2
# One byte holds a code, and beyond some hundred levels a code is mostly noise; rarer levels count as unseen.
DEFAULT_MAX_LEVELS = 255
# Rows derived alone at fit time, to prove that the hook looks at one row at a time.
PROBED_ROWS = 3

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Transformed:
    """The matrix (n, k) float32, and per category how many values were not among the fitted levels."""

    matrix: Matrix
    unseen: Mapping[str, int]


@dataclass(frozen=True)
class FittedFeatures:
    """A spec with its fitted state: the levels of every category in the order of their codes, level means, the past."""

    spec: FeatureSpec
    levels: Mapping[str, tuple[str, ...]]
    means: Mapping[str, LevelMeans] = field(default_factory=dict)
    past: Past | None = None

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """Feature names in the order of the matrix."""
        encoded = [feature for name, means in self.means.items() for feature in means.feature_names(name)]
        return (*self.spec.leading, *encoded, *self.spec.categories)

    @property
    def feature_types(self) -> tuple[str, ...]:
        """XGBoost's feature types: "q" for a number, "c" for a category code."""
        codes = len(self.spec.categories)
        return ("q",) * (len(self.feature_names) - codes) + ("c",) * codes

    def transform(self, columns: Columns) -> Matrix:
        """Return the matrix (n, k) float32 of raw `columns` of n rows; missing and unseen are NaN.

        Raises FeatureError (InfiniteFeatureError for an infinite feature), HookError, ColumnError.
        """
        return self.transform_counted(columns).matrix

    def transform_counted(self, columns: Columns) -> Transformed:
        """Return the matrix and the count of unseen values per category."""
        table = table_of(self.spec, self._derive, columns, self.past)
        rows = len(next(iter(table.values())))
        matrix = np.empty((rows, len(self.feature_names)), dtype=np.float32)
        unseen: dict[str, int] = {}
        with np.errstate(over="ignore"):  # what overflows becomes infinite, and is refused below
            for index, name in enumerate(self.spec.numbers):
                matrix[:, index] = to_numbers(name, table[name])
            for index, one in enumerate(self.spec.transforms, start=len(self.spec.numbers)):
                matrix[:, index] = apply(one, table)
        at = len(self.spec.leading)
        if self.past is not None:
            matrix[:, at - len(self.past.spec.feature_names) : at] = self.past.features(table)
        for name, means in self.means.items():
            matrix[:, at : at + len(means.outputs)], unseen[name] = means.transform(name, table[name])
            at += len(means.outputs)
        for index, name in enumerate(self.spec.categories, start=at):
            matrix[:, index], unseen[name] = to_codes(name, table[name], self._codebooks[name])
        refuse_infinite(matrix, self.feature_names)
        return Transformed(matrix, {name: count for name, count in unseen.items() if count})

    def to_json(self) -> str:
        """Return the fitted state as text, the same bytes for the same state; the hook only by its sha256."""
        state: dict[str, Any] = {
            "format": FORMAT if self.past is None else FORMAT_WITH_PAST,
            "inputs": [asdict(column) for column in self.spec.inputs],
            "numbers": list(self.spec.numbers),
            "categories": [
                {"name": name, "max_levels": most, "levels": list(self.levels[name])}
                for name, most in self.spec.categories.items()
            ],
            "hook_sha256": _sha256(self.spec.hook),
            "transforms": [asdict(one) for one in self.spec.transforms],
            "encoded": [
                {"name": name, "max_levels": most, **asdict(self.means[name])}
                for name, most in self.spec.encoded.items()
            ],
        }
        if self.past is not None:
            state["past"] = self.past.state()
        return json.dumps(state, indent=1, ensure_ascii=True) + "\n"

    @classmethod
    def from_json(cls, text: str, hook: str | None = None) -> "FittedFeatures":
        """Read `to_json` back with the hook's source. Raises FeatureError when they do not belong together."""
        try:
            state = json.loads(text)
            if (found := state["format"]) not in (FORMAT, FORMAT_WITH_PAST):
                raise FeatureError(f"features.json has format {found}, expected {FORMAT} or {FORMAT_WITH_PAST}.")
            past = Past.from_state(state["past"]) if found == FORMAT_WITH_PAST else None
            spec = FeatureSpec(
                inputs=tuple(Column(**column) for column in state["inputs"]),
                numbers=tuple(state["numbers"]),
                categories={item["name"]: item["max_levels"] for item in state["categories"]},
                hook=hook,
                transforms=tuple(
                    Transform(one["name"], one["kind"], tuple(one["columns"]), one["part"])
                    for one in state["transforms"]
                ),
                encoded={item["name"]: item["max_levels"] for item in state["encoded"]},
                past=None if past is None else past.spec,
            )
            levels = {item["name"]: tuple(item["levels"]) for item in state["categories"]}
            means = {item["name"]: _means(item) for item in state["encoded"]}
            hook_sha256 = state["hook_sha256"]
        except (KeyError, TypeError, ValueError) as error:
            raise FeatureError(f"features.json is not fitted state: {type(error).__name__}.") from None
        if hook_sha256 != _sha256(hook):
            raise FeatureError("features.py is not the file that features.json was fitted with (sha256 differs).")
        return cls(spec, levels, means, past)

    @cached_property
    def _derive(self) -> Derive | None:
        return None if self.spec.hook is None else load_derive(self.spec.hook)

    @cached_property
    def _codebooks(self) -> dict[str, dict[str, float]]:
        return {name: {text: float(code) for code, text in enumerate(texts)} for name, texts in self.levels.items()}


def fit(spec: FeatureSpec, columns: Columns, seen: Outcomes | None = None, past: Past | None = None) -> FittedFeatures:
    """Fit levels and level means on the raw `columns` of the training rows; `seen` are the rows' outcomes.

    `past` is that of all rows, fitted before. Levels are the most frequent ones, ties by name, coded in the order of
    their names. Raises FeatureError, ColumnError, and HookError when the hook needs more than numpy or looks beyond its
    own row.
    """
    derive = None
    if spec.hook is not None:
        check_source(spec.hook)
        derive = load_derive(spec.hook)
    if spec.encoded and seen is None:
        raise FeatureError(f"The feature {next(iter(spec.encoded))!r} is a mean of labels, and there are none.")
    if (past is None) != (spec.past is None):
        raise FeatureError("Histories are declared and no past was fitted, or the other way round.")
    table = table_of(spec, derive, columns, past)
    for name in spec.numbers:
        to_numbers(name, table[name])
    fitted = FittedFeatures(
        spec,
        {name: most_frequent_levels(name, table[name], most) for name, most in spec.categories.items()},
        {name: fit_means(name, table[name], most, seen) for name, most in spec.encoded.items()} if seen else {},
        past,
    )
    if derive is not None:
        _refuse_looking_around(fitted, derive, columns, table)
    return fitted


def training_matrix(fitted: FittedFeatures, columns: Columns, seen: Outcomes) -> Matrix:
    """Return the matrix of the very rows that were fitted on, no row knowing its own label."""
    matrix = fitted.transform(columns)
    at = len(fitted.spec.leading)
    table = joined(inputs_of(fitted.spec, columns), fitted.past)
    for name, means in fitted.means.items():
        width = len(means.outputs)
        matrix[:, at : at + width] = without_own_label(means, name, table[name], seen)
        at += width
    return matrix


def _refuse_looking_around(fitted: FittedFeatures, derive: Derive, columns: Columns, table: Columns) -> None:
    features = (*fitted.spec.numbers, *fitted.spec.categories)
    for row in range(min(PROBED_ROWS, len(next(iter(table.values()))))):
        single = {name: values[row : row + 1] for name, values in columns.items()}
        alone = table_of(fitted.spec, derive, single, fitted.past)
        for name in features:
            if level(alone[name][0]) != level(table[name][row]):
                raise HookError(
                    f"derive() gives {name!r} of row {row} another value alone than among {len(table[name])} rows; "
                    "a feature may only use its own row, or serving would differ from training."
                )


def _means(item: Mapping[str, Any]) -> LevelMeans:
    means = tuple(tuple(row) for row in item["means"])
    return LevelMeans(tuple(item["outputs"]), tuple(item["overall"]), tuple(item["levels"]), means)


def _sha256(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()
