"""MLflow's scoring protocol: the body of POST /invocations to columns.

dataframe_split, dataframe_records, instances and inputs, with params. CSV and Parquet bodies are deliberately
not read: the function has no parser for them, and JSON says every type.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from functions.predict.refusals import malformed
from lifecycle.refusal import did_you_mean

FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
KNOWN_PARAMS = ("explain", "synthetic", "unit")
_LONGEST_UNIT = 256  # an identity, not a document

Given = Mapping[str, Sequence[object]]


@dataclass(frozen=True)
class Params:
    """What a caller wants beside predictions.

    `synthetic`: nobody's request (a smoke test, a replay, a monitor), never counted as live. `unit`: whom the request
    is about, for an experiment.
    """

    explain: bool = False
    synthetic: bool = False
    unit: str | None = None
    ignored: tuple[str, ...] = ()


def read_params(given: object, where: str = "params") -> Params:
    """Return what `params` of MLflow's protocol, or `parameters` of Open Inference, say. Raises RefusalError."""
    if given is None:
        return Params()
    if not isinstance(given, dict):
        raise malformed(f"{where} must be an object.")
    ignored = tuple(sorted(str(name) for name in given if name not in KNOWN_PARAMS))
    explain, synthetic = (_yes_or_no(given, name, where) for name in ("explain", "synthetic"))
    return Params(explain, synthetic, _unit(given.get("unit"), f"{where}.unit"), ignored)


def parse(body: Mapping[str, object], names: Sequence[str]) -> Given:
    """Return the columns of `body`; `names`: the contract's, in order, for rows without names. Raises RefusalError."""
    formats = [name for name in FORMATS if name in body]
    if len(formats) != 1:
        found = " and ".join(formats) or "none"
        raise malformed(f"The body must hold exactly one of {', '.join(FORMATS)}; found {found}.{_hint(body)}")
    data = body[formats[0]]
    if formats[0] == "dataframe_split":
        return _split(data)
    if formats[0] == "dataframe_records":
        return _records(data, "dataframe_records")
    return _instances(data, names) if formats[0] == "instances" else _inputs(data, names)


def _split(data: object) -> Given:
    if not isinstance(data, dict):
        raise malformed("dataframe_split must be an object with columns and data.")
    if strange := sorted(str(key) for key in data.keys() - {"columns", "data", "index"}):
        raise malformed(f"dataframe_split holds {len(strange)} key(s) beside columns, data and index.")
    columns, rows = data.get("columns"), data.get("data")
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise malformed("dataframe_split needs columns, a list of names.")
    if len(set(columns)) != len(columns):
        raise malformed("dataframe_split names a column twice.")
    if not isinstance(rows, list):
        raise malformed("dataframe_split needs data, a list of rows.")
    index = data.get("index")
    if index is not None and (not isinstance(index, list) or len(index) != len(rows)):
        raise malformed(f"dataframe_split has an index that does not count its {len(rows)} rows.")
    return _from_rows(rows, columns, "dataframe_split")


def _records(data: object, where: str) -> Given:
    if not isinstance(data, list):
        raise malformed(f"{where} must be a list of records.")
    row = next((row for row, record in enumerate(data) if not isinstance(record, dict)), None)
    if row is not None:
        raise malformed(f"{where}, row {row}: expected an object.")
    names = dict.fromkeys(name for record in data for name in record)
    return {name: [record.get(name) for record in data] for name in names}


def _instances(data: object, names: Sequence[str]) -> Given:
    if isinstance(data, list) and data and isinstance(data[0], dict):
        return _records(data, "instances")
    if isinstance(data, dict):
        return _inputs(data, names)
    return _positional(data, names, "instances")


def _inputs(data: object, names: Sequence[str]) -> Given:
    if isinstance(data, dict):
        lists = {name: values if isinstance(values, list) else [values] for name, values in data.items()}
        return {name: [_flat(value) for value in values] for name, values in lists.items()}
    if isinstance(data, list) and data and isinstance(data[0], dict):
        return _records(data, "inputs")
    return _positional(data, names, "inputs")


def _positional(data: object, names: Sequence[str], where: str) -> Given:
    if not isinstance(data, list):
        raise malformed(f"{where} must be a list of rows, or an object of columns.")
    return _from_rows(data, names, where)


def _from_rows(rows: Sequence[object], names: Sequence[str], where: str) -> Given:
    for row, values in enumerate(rows):
        if not isinstance(values, list):
            raise malformed(f"{where}, row {row}: expected a list of {len(names)} values.")
        if len(values) != len(names):
            raise malformed(f"{where}, row {row}: expected {len(names)} values, found {len(values)}.")
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return dict(zip(names, columns, strict=True))


def _flat(value: object) -> object:
    """Read a column given as [[1], [2]], the shape (n, 1) of a tensor, as [1, 2]."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _yes_or_no(params: Mapping[str, object], name: str, where: str) -> bool:
    value = params.get(name, False)
    if not isinstance(value, bool):
        raise malformed(f"{where}.{name} must be true or false.")
    return value


def _unit(value: object, where: str) -> str | None:
    """Read 7 and "7" as one unit: callers differ in how they spell an identity."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int) or not 0 < len(text := str(value)) <= _LONGEST_UNIT:
        raise malformed(f"{where} must be a whole number or a text of 1 to {_LONGEST_UNIT} characters.")
    return text


def _hint(body: Mapping[str, object]) -> str:
    hints = (did_you_mean(name, FORMATS) for name in body if name not in FORMATS)
    return next((hint for hint in hints if hint), "")
