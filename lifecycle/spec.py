"""A product: one ML use case, as its `product.yaml` says it.

The typed whole that composes the policies of the other rule modules; none of them imports it. Reading a
file is `tasks/`' and the command line's business: here a mapping becomes a Product or one clear sentence.
"""

from __future__ import annotations

import difflib
import json
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lifecycle import declared_joins, declared_past
from lifecycle.batch import Limits
from lifecycle.capacity import CapacityPolicy
from lifecycle.declaration import Column, Features, Reading, Target
from lifecycle.errors import SpecError
from lifecycle.evaluation import EvaluationPolicy
from lifecycle.learning import obstacles
from lifecycle.metrics import TaskKind
from lifecycle.monitoring import MonitorPolicy
from lifecycle.period import PeriodPolicy
from lifecycle.promotion import PromotionPolicy
from lifecycle.release_plan import ReleasePlan
from lifecycle.serving_policy import PredictionsPolicy
from lifecycle.training import TrainingPolicy

__all__ = ["Column", "Features", "Product", "Reading", "Target", "load", "names", "parse", "schema_text"]

_CLOSED = ConfigDict(frozen=True, extra="forbid")


class Product(BaseModel):
    """Everything the machinery needs to know about one use case."""

    model_config = _CLOSED

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
    description: str = ""
    task: TaskKind
    grain: Annotated[
        tuple[str, ...], Field(description="Columns that identify one row; []: the whole row is all there is.")
    ]
    repeats: Annotated[
        Literal["refuse", "keep"],
        Field(description="Without a grain: is a row that is there again the same one, or another one like it?"),
    ] = "refuse"
    time: Annotated[
        str | None,
        Field(description="The datetime column events are ordered by; null: a fixed share of the rows judges."),
    ]
    weight: Annotated[
        str | None, Field(description="A column of numbers: how much a row counts in training and judging; 0: not.")
    ] = None
    group: Annotated[
        str | None, Field(description="A column: rows of one value all train or all judge, and are resampled as one.")
    ] = None
    period: Annotated[
        PeriodPolicy | None, Field(description="One delivery is one period, as its name says; null: names say nothing.")
    ] = None
    reading: Reading = Reading()
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    target: Target
    joins: Annotated[
        dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")], declared_joins.DeclaredJoin],
        Field(description="Name: a further table, from `tables/<name>.csv` or `.parquet` in the product's folder."),
    ] = {}
    features: Features
    limits: Limits = Limits()
    training: TrainingPolicy = TrainingPolicy()
    evaluation: EvaluationPolicy
    promotion: PromotionPolicy = PromotionPolicy()
    release: ReleasePlan = ReleasePlan()
    predictions: PredictionsPolicy = PredictionsPolicy()
    monitor: MonitorPolicy = MonitorPolicy()
    capacity: CapacityPolicy = CapacityPolicy()

    @model_validator(mode="after")
    def _columns_are_known(self) -> Self:
        """Refuse names that no column carries; derived features are checked when they are computed."""
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise ValueError("columns: a name is listed twice")
        one = {"target": self.target.column, "time": self.time, "weight": self.weight, "group": self.group}
        used = {"grain": self.grain, **{field: (name,) for field, name in one.items() if name}}
        for field, wanted in used.items():
            for name in wanted:
                if name not in names:
                    raise ValueError(f"{field}: no column is called {name!r}{_did_you_mean(name, names)}")
        if self.target.column in {column.name for column in self.columns if column.input}:
            raise ValueError(f"columns: {self.target.column!r} is the target, so it must say `input: false`")
        if self.task != "binary" and (self.target.classes or self.target.at_least is not None):
            raise ValueError(f"target: `classes` and `at_least` belong to a binary task, this is {self.task}")
        return self

    @model_validator(mode="after")
    def _a_name_is_one_columns(self) -> Self:
        """Refuse an alias that is another column's name or alias: nobody could tell whose values came under it."""
        told = [name for column in self.columns for name in (column.name, *column.aliases)]
        if twice := next((name for name in told if told.count(name) > 1), None):
            raise ValueError(f"columns: {twice!r} is the name or an alias of two columns")
        return self

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        """Refuse what one section says and another makes impossible."""
        if self.period is not None and self.time is None:
            raise ValueError("period: without a time column no row is of a period")
        if self.weight is not None:
            weight = next(column for column in self.columns if column.name == self.weight)
            if weight.type not in ("double", "long") or weight.nullable or weight.name == self.target.column:
                raise ValueError(f"weight: {self.weight!r} must be numbers, never missing, and not the target")
        if self.group is not None and self.group in (self.target.column, self.time):
            raise ValueError(f"group: {self.group!r} is the target or the time, so its rows cannot belong together")
        if self.repeats == "keep" and self.grain:
            raise ValueError("repeats: rows with a grain are identified by it; delete one of the two")
        return self

    @model_validator(mode="after")
    def _the_past_can_be_known(self) -> Self:
        """Refuse a history or a table that no request could be answered with, or that would tell too much."""
        histories, target, classes = self.features.histories, self.target.column, self.task == "multiclass"
        found = chain(
            declared_past.time_obstacles(self.columns, self.time) if histories or self.joins else (),
            declared_past.obstacles(histories, self.columns, target, classes=classes),
            declared_joins.obstacles(self.joins, self.columns, target),
        )
        if first := next(found, None):
            raise ValueError(first)
        return self

    @model_validator(mode="after")
    def _decisions_are_made(self) -> Self:
        """Refuse a limit on decisions that nobody makes twice."""
        if self.release.max_flipped is not None:
            if self.predictions.shadow is None:
                raise ValueError("release: `max_flipped` compares with a shadow; say `predictions: {shadow: {}}`")
            if self.task != "multiclass" and self.release.act_above is None:
                raise ValueError("release: `max_flipped` needs `act_above`, which says what a decision is")
        return self

    @model_validator(mode="after")
    def _outcomes_can_be_learned(self) -> Self:
        """Refuse to learn from predictions what no request and no label tells."""
        digests, periods = self.predictions.features == "digest", self.period is not None
        found = obstacles(self.columns, self.target, self.grain, self.time, digests=digests, periods=periods)
        if self.monitor.outcomes.learn and (first := next(found, None)):
            raise ValueError(f"monitor.outcomes.learn: {first}")
        return self

    @model_validator(mode="after")
    def _sensitive_values_stay(self) -> Self:
        """Refuse what would carry a sensitive column's values out of the data zones."""
        hidden = self.sensitive
        levels = (*self.features.categories, *self.features.encoded)
        for what, why, names in (
            ("target", "what is predicted is in every report", (self.target.column,)),
            ("time", "manifests and remarks tell when rows happened", (self.time,) if self.time else ()),
            ("features", "a bundle names the levels it has learned", levels),
            ("evaluation.slices", "a scorecard names its slices", self.evaluation.slices),
        ):
            if found := next((name for name in names if name in hidden), None):
                raise ValueError(f"{what}: {found!r} is sensitive, and {why}")
        asked = next((column.name for column in self.inputs if column.sensitive), None)
        if asked is not None and self.predictions.features != "digest":
            raise ValueError(
                f"columns: {asked!r} is sensitive and part of a request; say `predictions: {{ features: digest }}`, "
                "or no log may hold it"
            )
        return self

    @property
    def sensitive(self) -> frozenset[str]:
        """Return the columns whose values never leave the data zones."""
        return frozenset(column.name for column in self.columns if column.sensitive)

    @property
    def inputs(self) -> tuple[Column, ...]:
        """Return the columns a prediction request carries."""
        return tuple(column for column in self.columns if column.input)

    @property
    def aliases(self) -> dict[str, str]:
        """Return the columns by the other names that a delivery may give them."""
        return {alias: column.name for column in self.columns for alias in column.aliases}

    @property
    def required(self) -> tuple[str, ...]:
        """Return the names every delivery must carry."""
        return tuple(column.name for column in self.columns)


def parse(text: str, *, source: str) -> Product:
    """Read a product from YAML text. Raises SpecError naming the file, the field and what is expected."""
    try:
        return Product.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise SpecError(f"{source} is not YAML.", detail=str(error)) from error
    except ValidationError as error:
        raise SpecError(f"{source} does not describe a product.", detail=_sentences(error)) from error


def schema_text() -> str:
    """Return the JSON Schema of `product.yaml`, for editors."""
    return json.dumps(Product.model_json_schema(), indent=1, sort_keys=True) + "\n"


def load(products: Path, name: str) -> Product:
    """Read one product by name. Raises SpecError with the names there are when there is no such product."""
    path = products / name / "product.yaml"
    if not path.is_file():
        known = names(products)
        hint = _did_you_mean(name, known)
        raise SpecError(
            f"There is no product called {name!r}{hint}",
            detail=f"{products} holds {', '.join(known) or 'no products'}.",
            resolution="Add one as `products/<name>/product.yaml`.",
        )
    product = parse(path.read_text(encoding="utf-8"), source=str(path))
    if product.name != name:
        raise SpecError(f"{path} says `name: {product.name}`.", detail=f"Its folder is called {name!r}.")
    return product


def names(products: Path) -> list[str]:
    """Return the products there are, sorted."""
    return sorted(path.parent.name for path in products.glob("*/product.yaml"))


def _did_you_mean(name: str, known: list[str]) -> str:
    """Return a hint that starts with a semicolon, or a full stop when nothing is near."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else "."


def _sentences(error: ValidationError) -> str:
    """Turn pydantic's list into one line per fault, field first."""
    return "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'product'}: {fault['msg']}" for fault in error.errors())
