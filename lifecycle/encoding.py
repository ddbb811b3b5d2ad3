"""One feature column to float32: numbers as they are, categories as the codes of their fitted levels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lifecycle.columns import Array, Column, level, normalise
from lifecycle.errors import ProductError


class FeatureError(ProductError):
    """The columns cannot become the matrix. The message names the column or feature, never a value."""


class InfiniteFeatureError(FeatureError):
    """A feature came out infinite: finite raw values overflowed, or the hook divided by zero."""


def to_numbers(name: str, values: Array) -> Array:
    """Return a number feature (n,) as float64. Raises FeatureError for a datetime, ColumnError for text."""
    if values.dtype == np.float64:
        return values
    if values.dtype.kind == "M":
        raise FeatureError(f"The number {name!r} is a datetime; derive hours, days or ages from it in features.py.")
    return normalise(Column(name, "double"), values)


def refuse_infinite(matrix: Array, names: Sequence[str]) -> None:
    """Raise InfiniteFeatureError for the first infinite feature of (n, k): XGBoost explains and trains on none."""
    infinite = np.isinf(matrix)
    if infinite.any():
        row, column = (int(index) for index in np.argwhere(infinite)[0])
        raise InfiniteFeatureError(f"The feature {names[column]!r} is infinite in row {row}.")


def to_codes(name: str, values: Array, codebook: Mapping[str, float]) -> tuple[Array, int]:
    """Return a category (n,) as float32 codes with NaN for missing and unseen, and how many were unseen."""
    plain, texts = _texts(name, values)
    coded = {value: np.nan if text is None else codebook.get(text, np.nan) for value, text in texts.items()}
    codes = np.array([coded[value] for value in plain], dtype=np.float32)
    return codes, sum(texts[value] is not None for value in plain) - int(np.count_nonzero(~np.isnan(codes)))


def most_frequent_levels(name: str, values: Array, most: int) -> tuple[str, ...]:
    """Return the `most` most frequent levels, ties by name, in the order of their names: the order of the codes."""
    plain, texts = _texts(name, values)
    counts = Counter(text for value in plain if (text := texts[value]) is not None)
    kept = sorted(counts, key=lambda text: (-counts[text], text))[:most]
    return tuple(sorted(kept))


def _texts(name: str, values: Array) -> tuple[list[Any], dict[Any, str | None]]:
    if values.dtype.kind == "M":
        raise FeatureError(f"The category {name!r} is a datetime; derive a weekday, month or hour in features.py.")
    plain = values.tolist()
    return plain, {value: level(value) for value in set(plain)}
