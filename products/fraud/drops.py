"""Make the daily deliveries of the fraud product: card payments of which one in five hundred is a fraud.

    python products/fraud/drops.py OUT_DIR --days 1 2 3
    python products/fraud/drops.py products/fraud/sample --sample

A made table, drawn with fixed seeds: everybody gets the same bytes, and nothing is fetched or kept. No real card, no
real person. Three things in it are as real tables of payments have them: frauds are rare and look much like anything
else, a card pays many times, and the frauds of later days are others than those of the first ones. This is content
of the product; nothing imports it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

FIRST_DAY = np.datetime64("2024-03-01", "us")
PAYMENTS, CARDS, SAMPLE_DAY, SAMPLE_ROWS = 15_000, 6_000, 3, 3_000
# The share of frauds, and from which day on a second kind of them comes: small amounts, many, for gift cards.
SHARE, SECOND_KIND = 0.002, 8
OF_THE_SECOND, BY_NIGHT, BEFORE_THREE, AGE_UNKNOWN = 0.7, 0.6, 0.5, 0.02
KINDS = ("groceries", "fuel", "restaurant", "clothes", "travel", "electronics", "games", "gift cards")
KIND_SHARES = (0.34, 0.12, 0.2, 0.12, 0.05, 0.07, 0.06, 0.04)
COUNTRIES = ("AT", "DE", "IT", "CZ", "US", "BR", "SG")
COUNTRY_SHARES = (0.7, 0.14, 0.06, 0.05, 0.02, 0.015, 0.015)
CHANNELS = ("chip", "contactless", "online")


def main() -> int:
    """Write the files asked for and print their paths, one a line."""
    wanted = _arguments()
    wanted.out.mkdir(parents=True, exist_ok=True)
    for number in wanted.days:
        path = wanted.out / f"fraud-{str(FIRST_DAY + np.timedelta64(number - 1, 'D'))[:10]}.csv"
        path.write_bytes(day(number).to_csv(index=False, lineterminator="\n").encode())
        print(path)
    if wanted.sample:
        print(_write_sample(day(SAMPLE_DAY), wanted.out))
    return 0


def day(number: int, payments: int = PAYMENTS) -> pd.DataFrame:
    """Return the payments of a day, from 1, in their order."""
    random = np.random.default_rng([2024, number])
    fraud = random.random(payments) < SHARE
    second = fraud & (number >= SECOND_KIND) & (random.random(payments) < OF_THE_SECOND)
    first = fraud & ~second
    hour = np.where(
        first & (random.random(payments) < BY_NIGHT), random.normal(3, 1.5, payments), _hours(random, payments)
    )
    seconds = np.clip(hour % 24 * 3600 + random.uniform(0, 60, payments), 0, 86_399).astype("int64")
    frame = pd.DataFrame(
        {
            "at": FIRST_DAY + np.timedelta64(number - 1, "D") + seconds.astype("timedelta64[s]"),
            "card": [f"C{card:05d}" for card in (CARDS * random.beta(1, 3, payments)).astype(int)],
            "amount": _amounts(random, first, second),
            "kind": _drawn(random, KINDS, KIND_SHARES, {"electronics": (first, 0.4), "gift cards": (second, 0.6)}),
            "country": _drawn(random, COUNTRIES, COUNTRY_SHARES, {"SG": (first, 0.3), "US": (fraud, 0.2)}),
            "channel": _drawn(random, CHANNELS, (0.35, 0.35, 0.3), {"online": (fraud, 0.7)}),
            "card_age": random.gamma(2, 300, payments).round(),
            "fraud": fraud.astype(int),
        }
    ).sort_values("at", kind="stable", ignore_index=True)
    frame.insert(0, "payment_id", np.arange(payments) + 1_000_000 * number)
    frame["card_age"] = frame["card_age"].where(random.random(payments) > AGE_UNKNOWN)
    return frame


def _hours(random: np.random.Generator, payments: int) -> np.ndarray:
    """Return hours of the day: a noon and an evening."""
    return np.where(
        random.random(payments) < BEFORE_THREE, random.normal(12, 2.5, payments), random.normal(18, 2.5, payments)
    )


def _amounts(random: np.random.Generator, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return amounts in euros: frauds are larger at first, and small round ones of a later kind."""
    amounts = random.lognormal(3, 1, len(first))
    amounts = np.where(first, random.lognormal(4.6, 1, len(first)), amounts)
    amounts = np.where(second, random.choice([10.0, 15.0, 20.0, 25.0], len(first)), amounts)
    return np.clip(amounts, 0.5, 20_000).round(2)


def _drawn(
    random: np.random.Generator,
    levels: tuple[str, ...],
    shares: tuple[float, ...],
    pulls: dict[str, tuple[np.ndarray, float]],
) -> np.ndarray:
    """Draw levels by their shares; each pull turns a share of some rows to one level."""
    shares = tuple(share / sum(shares) for share in shares)
    found = random.choice(np.array(levels, dtype=object), len(next(iter(pulls.values()))[0]), p=shares)
    for level, (rows, share) in pulls.items():
        found[rows & (random.random(len(rows)) < share)] = level
    return found


def _write_sample(rows: pd.DataFrame, folder: Path) -> Path:
    """Write rows.parquet and one request with the input columns of the first row without a gap."""
    path = folder / "rows.parquet"
    rows = rows.iloc[:: PAYMENTS // SAMPLE_ROWS]
    rows.to_parquet(path, index=False, compression="zstd", write_page_checksum=True)
    product = yaml.safe_load((Path(__file__).parent / "product.yaml").read_text(encoding="utf-8"))
    inputs = [column["name"] for column in product["columns"] if column.get("input", True)]
    row = json.loads(rows[inputs].dropna().head(1).to_json(orient="records", date_format="iso", double_precision=5))
    (folder / "request.json").write_text(json.dumps({"dataframe_records": row}, indent=1) + "\n", encoding="utf-8")
    return path


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make the daily deliveries of the fraud product.")
    parser.add_argument("out", type=Path, help="folder to write to")
    parser.add_argument("--days", nargs="*", type=int, default=[], metavar="N", help="days to write, from 1")
    parser.add_argument("--sample", action="store_true", help="rows.parquet and request.json of products/fraud/sample")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
