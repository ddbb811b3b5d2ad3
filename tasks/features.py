"""A product's files, its features fitted on the training rows, and the gate on the feature matrix.

Fitting and transforming is `lifecycle/features.py`, the same code that serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lifecycle import spec
from lifecycle.columns import Array, Column, normalise
from lifecycle.errors import SpecError
from lifecycle.evaluation import check_policy
from lifecycle.features import FeatureSpec, FittedFeatures, Matrix, fit, training_matrix
from lifecycle.hook import HOOK_FILE
from lifecycle.labels import Labels
from lifecycle.level_means import outcomes
from lifecycle.past import Past, PastSpec, fit_past
from lifecycle.quality import Judgement
from lifecycle.spec import Features, Product
from lifecycle.training import Keys, Rows
from lifecycle.transforms import Transform
from tasks.suites import load_suite
from tasks.tables import TableFile, read_tables

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ProductFiles:
    """A product as its folder says it. `hook`: the source of features.py, or None; `tables`: those it joins.

    Digests are sha256 hex.
    """

    product: Product
    hook: str | None
    spec_sha256: str
    hook_sha256: str
    tables: Mapping[str, TableFile] = field(default_factory=dict)

    @property
    def table_digests(self) -> dict[str, str]:
        """Return the sha256 of each joined table's file."""
        return {name: one.sha256 for name, one in sorted(self.tables.items())}

    @property
    def read(self) -> tuple[Column, ...]:
        """Return the raw columns a training needs: the inputs, and those that product.yaml names for a purpose."""
        product = self.product
        wanted = {*product.grain, product.time, product.target.column, *product.evaluation.slices}
        wanted |= {product.weight, product.group, *(one.of for one in product.features.histories.values())}
        whole = not product.grain  # then the whole row is its identity
        return tuple(_column(one) for one in product.columns if one.input or whole or one.name in wanted)

    @property
    def features(self) -> FeatureSpec:
        """Return what the features are made of."""
        declared = self.product.features
        return FeatureSpec(
            inputs=tuple(_column(one) for one in self.product.inputs),
            numbers=declared.numbers,
            categories=dict.fromkeys(declared.categories, declared.max_levels),
            hook=self.hook,
            transforms=transforms_of(declared, self.product.time),
            encoded=dict.fromkeys(declared.encoded, declared.max_encoded_levels),
            past=self.past,
        )

    @property
    def past(self) -> PastSpec | None:
        """Return what is made of earlier rows, None when nothing is."""
        declared, joins, time = self.product.features, self.product.joins, self.product.time
        if time is None or not (declared.histories or joins):
            return None
        histories = tuple(one.named(name) for name, one in declared.histories.items())
        return PastSpec(time, declared.refresh, histories, tuple(one.named(name) for name, one in joins.items()))


@dataclass(frozen=True)
class Prepared:
    """Features fitted on the training rows, and the matrix (n, k) of every row of the frame."""

    features: FittedFeatures
    matrix: Matrix


def read_product(products: Path, name: str) -> ProductFiles:
    """Read product.yaml, features.py and joined tables. Raises SpecError naming the field at fault."""
    product = spec.load(products, name)
    known = {column.name for column in product.columns}
    if unknown := [column for column in product.evaluation.slices if column not in known]:
        raise SpecError(f"{name}: evaluation.slices: no column is called {unknown[0]!r}.")
    check_policy(product.evaluation, product.task)
    hook = products / name / HOOK_FILE
    source = hook.read_text(encoding="utf-8") if hook.is_file() else None
    return ProductFiles(
        product=product,
        hook=source,
        spec_sha256=sha256((products / name / "product.yaml").read_bytes()).hexdigest(),
        hook_sha256=sha256((source or "").encode()).hexdigest(),
        tables=read_tables(products / name, product.joins),
    )


def fit_features(
    files: ProductFiles, columns: Mapping[str, Array], train: Rows, labels: Labels, groups: Keys | None = None
) -> Prepared:
    """Fit on the rows in `train` and transform every row; a training row never sees its own label.

    Nor does it see one of its group, `groups` (n,) being a key of each row's. Raises ProductError naming the column
    or feature that cannot be used.
    """
    inputs = {column.name: columns[column.name] for column in files.features.inputs}
    own = {name: values[train] for name, values in inputs.items()}
    many = labels.model_classes if files.product.task == "multiclass" else ()
    of_groups = None if groups is None else groups[train]
    seen = outcomes(labels.values[train], many, of_groups)  # noqa: PD011  no frame of pandas
    fitted = fit(files.features, own, seen, _past(files, columns, train, labels))
    matrix = fitted.transform(inputs)
    if fitted.means:
        matrix[train] = training_matrix(fitted, own, seen)
    return Prepared(fitted, matrix)


def _past(files: ProductFiles, columns: Mapping[str, Array], train: Rows, labels: Labels) -> Past | None:
    """Fit the past on every row, those that will judge included: none is ever answered with its own stretch."""
    spec, product = files.past, files.product
    if spec is None:
        return None
    kinds = {one.name: one for one in files.read}
    table = {name: normalise(kinds[name], columns[name]) for name in spec.needs}
    values = {
        one.of: labels.values if one.of == product.target.column else normalise(kinds[one.of], columns[one.of])  # noqa: PD011  no frame of pandas
        for one in spec.histories
        if one.of
    }
    tables = {name: one.columns for name, one in files.tables.items()}
    return fit_past(spec, table, values, tables, needed=table[spec.time][train].max())


def transforms_of(declared: Features, time: str | None) -> tuple[Transform, ...]:
    """Return the declared features that need no fitting, in the order they are declared.

    Raises SpecError for the age of a date without a time column to count it from.
    """
    found: list[Transform] = []
    for column, parts in declared.dates.items():
        if "age" in parts and time is None:
            raise SpecError(f"features.dates: the age of {column!r} counts to the event time, and there is no `time`.")
        for part in parts:
            columns = (column, time) if part == "age" and time else (column,)
            found.append(Transform(f"{column}.{part}", "date", columns, part))
    for column in declared.lengths:
        found += [Transform(f"{column}.length", "length", (column,)), Transform(f"{column}.words", "words", (column,))]
    found += [Transform(f"{column}.missing", "missing", (column,)) for column in declared.missing]
    return (*found, *(Transform(name, "ratio", columns) for name, columns in declared.ratios.items()))


def judge_features(expectations: Path, product: str, prepared: Prepared) -> Judgement | None:
    """Judge the features of every row by the suite `<product>_features`; None when the product has none.

    Numbers are float64 with NaN, categories the text of their level with None for missing and unseen. Great
    Expectations takes four seconds to import, so it is left alone without a suite.
    """
    name = f"{product}_features"
    if not (expectations / f"{name}.json").is_file():
        return None
    from tasks.quality import judge  # noqa: PLC0415

    return judge(shown(prepared), load_suite(expectations, name))


def shown(prepared: Prepared) -> pd.DataFrame:
    """Return the features of every row as a suite looks at them."""
    import pandas as pd  # noqa: PLC0415  # heavy

    columns: dict[str, Array] = {}
    for at, (feature, kind) in enumerate(
        zip(prepared.features.feature_names, prepared.features.feature_types, strict=True)
    ):
        values = prepared.matrix[:, at].astype(np.float64)
        columns[feature] = values if kind == "q" else _texts(values, prepared.features.levels[feature])
    return pd.DataFrame(columns)


def _texts(codes: Array, levels: tuple[str, ...]) -> Array:
    known = np.array([*levels, None], dtype=object)
    return np.asarray(known[np.where(np.isnan(codes), len(levels), codes).astype(np.int64)])


def _column(column: spec.Column) -> Column:
    return Column(column.name, column.type, required=not column.nullable, nullable=column.nullable)
