"""The contract of one bundle: which raw columns a request brings, and what it gets back.

`check` turns a request's lists into the arrays the features expect, or refuses it with one exact sentence.
It deliberately knows no protocol and no HTTP, repairs nothing (a numeric string is refused), and never
quotes a value: values may be personal, and messages end up in logs.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from lifecycle.columns import Column, Columns, level, missing
from lifecycle.errors import BundleError
from lifecycle.refusal import ContractError, missing_columns
from lifecycle.values import read_values

FORMAT = 1
# One synchronous answer carries 6 MB on AWS Lambda; a thousand rows of a hundred columns stay below it.
DEFAULT_MAX_ROWS = 1000
# TreeSHAP costs 1.7 ms per row on 200 trees of depth 6: twenty rows stay below 50 ms.
DEFAULT_EXPLAIN_MAX_ROWS = 20
DEFAULT_MAX_STRING = 256

TaskKind = Literal["binary", "regression", "multiclass"]
# XGBoost refuses more than a few thousand classes long before memory does. Of many classes two may be left in the
# rows that train.
_CLASS_COUNTS: dict[TaskKind, range] = {"binary": range(2, 3), "regression": range(1), "multiclass": range(2, 10_000)}


@dataclass(frozen=True)
class Task:
    """What a prediction is: the probability of classes[1], a number, or one probability per class in order."""

    kind: TaskKind
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a number of classes that does not belong to the kind."""
        count = len(self.classes)
        if count not in _CLASS_COUNTS[self.kind]:
            raise BundleError(
                f"A task {self.kind!r} with {count} classes.",
                detail="binary has two, multiclass two or more, regression none.",
            )


@dataclass(frozen=True)
class Checked:
    """Columns that kept the contract, each of `rows` values, with what was odd but allowed.

    `unseen`: how many values of a category column training never saw. `extra_columns`: how many were ignored.
    """

    columns: Columns
    rows: int
    unseen: Mapping[str, int] = field(default_factory=dict)
    extra_columns: int = 0


@dataclass(frozen=True)
class Contract:
    """What a caller must send and what it gets. `categories`: the levels training saw, per raw category column."""

    product: str
    task: Task
    columns: tuple[Column, ...]
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    max_rows: int = DEFAULT_MAX_ROWS
    explain_max_rows: int = DEFAULT_EXPLAIN_MAX_ROWS
    max_string: int = DEFAULT_MAX_STRING

    def check(self, given: Mapping[str, Sequence[object]], *, explain: bool = False) -> Checked:
        """Return the declared columns of `given` (name to values) as arrays. Raises ContractError."""
        if not any(len(values) for values in given.values()):
            raise ContractError("no_rows", f"There are no rows; send 1 to {self.max_rows}.")
        if absent := [column.name for column in self.columns if column.required and column.name not in given]:
            raise missing_columns(absent, list(given), [column.name for column in self.columns])
        rows = self._rows(given, explain=explain)
        columns = {
            column.name: read_values(column, given[column.name], max_string=self.max_string)
            if column.name in given
            else missing(column, rows)
            for column in self.columns
        }
        declared = {column.name for column in self.columns}
        return Checked(columns, rows, self._unseen(columns), len(given.keys() - declared))

    def to_json(self) -> str:
        """Return the contract as text, the same bytes for the same contract."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, ensure_ascii=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Contract":
        """Read `to_json` back. Raises BundleError."""
        try:
            state = json.loads(text)
            if (found := state.pop("format")) != FORMAT:
                raise BundleError(f"contract.json has format {found}, expected {FORMAT}.")
            state["task"] = Task(state["task"]["kind"], tuple(state["task"]["classes"]))
            state["columns"] = tuple(Column(**column) for column in state["columns"])
            state["categories"] = {name: tuple(levels) for name, levels in state["categories"].items()}
            return cls(**state)
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise BundleError("contract.json is not a contract.", detail=f"{type(error).__name__}.") from None

    def _rows(self, given: Mapping[str, Sequence[object]], *, explain: bool) -> int:
        lengths = {column.name: len(given[column.name]) for column in self.columns if column.name in given}
        rows = Counter(lengths.values()).most_common(1)[0][0] if lengths else 0
        if odd := [name for name, length in lengths.items() if length != rows]:
            raise ContractError("ragged", f"Column {odd[0]!r} has {lengths[odd[0]]} rows, the others have {rows}.")
        if rows == 0:  # only columns that are not declared have values
            raise ContractError("no_rows", f"There are no rows; send 1 to {self.max_rows}.")
        if rows > self.max_rows:
            raise ContractError("too_many_rows", f"There are {rows} rows; one request carries 1 to {self.max_rows}.")
        if explain and rows > self.explain_max_rows:
            raise ContractError(
                "too_many_rows",
                f"There are {rows} rows; with explain one request carries 1 to {self.explain_max_rows}.",
            )
        return rows

    def _unseen(self, columns: Columns) -> dict[str, int]:
        counts: dict[str, int] = {}
        for name, levels in self.categories.items():
            known = set(levels)
            texts = [level(value) for value in columns[name].tolist()]
            if count := sum(text is not None and text not in known for text in texts):
                counts[name] = count
        return counts
