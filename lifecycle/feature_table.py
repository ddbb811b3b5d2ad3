"""The columns that features are made of: the declared inputs, those of joined tables, and what the hook derives.

Read-only, as the three kinds of array of `lifecycle.columns`; nothing is fitted here.
"""

import numpy as np

from lifecycle.columns import Array, Columns, missing, normalise
from lifecycle.encoding import FeatureError
from lifecycle.feature_spec import FeatureSpec
from lifecycle.hook import Derive, HookError
from lifecycle.past import Past


def table_of(spec: FeatureSpec, derive: Derive | None, columns: Columns, past: Past | None) -> dict[str, Array]:
    """Return every column features may name. Raises FeatureError, ColumnError, HookError."""
    table = joined(inputs_of(spec, columns), past)
    if derive is not None:
        rows = len(next(iter(table.values())))
        derived = derive(table)
        for name, values in derived.items():
            if name in table:
                raise HookError(f"derive() returns {name!r}, which is a raw column; give it a name of its own.")
            if not isinstance(values, np.ndarray) or values.shape != (rows,):
                raise HookError(f"derive() returns {name!r} as {_shape(values)}, expected an array of {rows} values.")
        table = {**table, **derived}
    if lacking := [name for name in (*spec.numbers, *spec.categories) if name not in table]:
        raise FeatureError(f"The feature {lacking[0]!r} is neither an input nor returned by derive().")
    return table


def joined(table: dict[str, Array], past: Past | None) -> dict[str, Array]:
    """Return inputs with the columns of joined tables, read-only like they are."""
    found = {} if past is None else past.columns(table)
    for values in found.values():
        values.flags.writeable = False
    return {**table, **found}


def inputs_of(spec: FeatureSpec, columns: Columns) -> dict[str, Array]:
    """Return the declared inputs of n rows; an optional one that is not there is missing in every row."""
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


def _shape(values: object) -> str:
    return f"an array of shape {values.shape}" if isinstance(values, np.ndarray) else f"a {type(values).__name__}"
