"""A year of flights through the endpoint, labels a week late: what the loop made of it by itself.

    python benchmarks/year.py [--share 0.2] [--months 2 3 …] [--day 1s] [--parts 2]
                              [--write docs/year_table.md] [--keep FOLDER]

Brings up a cloud of its own, drops January, and plays the other months back. Nobody starts, approves or mends
anything. Exit code 1 when the mean AUC does not beat the January model's by .04, or when a final performance in the
ledger is not what its answers and labels come to.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.year_figures import Year, measured
from benchmarks.year_page import months, page
from lifecycle import spec
from localcloud.address import Home, LocalCloud
from localcloud.down import down
from localcloud.up import up
from tasks import ledger

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = "flights"
# The pace of a year that lasts half an hour: predictions are judged by the minute, and a label that is due within two
# weeks comes within three minutes, standstills of the clock included.
MONITOR = """
monitor:
  window: 1h
  min_rows: 300
  reach: 1d
  serving: { slow_after: 20s, cold: { warn: 0.9, breach: 0.95 } }
  outcomes: { window: 1m, due: 3m }
  respond: { cooldown: 2m }
"""


@dataclass(frozen=True)
class Played:
    """A year that was played: what was measured, what the command said, and how long it took in all."""

    year: Year
    said: dict[str, Any]
    seconds: float


def main() -> int:
    """Play the months asked for and print what came of them."""
    wanted = _arguments()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        folder = wanted.keep or Path(temporary)
        house = furnish(folder / "house")
        with _cloud(folder, house) as cloud:
            os.environ.update(cloud.environment())
            plan = Plan(wanted.months, wanted.share, wanted.day, wanted.parts)
            found = play(cloud, house, folder, plan)
    print(months(found.year))
    if wanted.write:
        wanted.write.write_text(page(found.year, found.said, found.seconds, str(plan)), encoding="utf-8")
    return int(not found.year.shown)


def furnish(house: Path) -> Path:
    """Write a house of the one product, watched at the pace of the play-back; return its folder."""
    shutil.copytree(ROOT / "products" / PRODUCT, house / "products" / PRODUCT)
    (house / "expectations").mkdir(exist_ok=True)
    for suite in (ROOT / "expectations").glob(f"{PRODUCT}_*.json"):
        shutil.copy(suite, house / "expectations")
    with (house / "products" / PRODUCT / "product.yaml").open("a", encoding="utf-8") as out:
        out.write(MONITOR)
    return house


@dataclass(frozen=True)
class Plan:
    """What is played: the months after January, the share of their rows, a day's length, the parts of a month."""

    months: Sequence[int]
    share: float = 0.2
    day: str = "1s"
    parts: int = 2

    def __str__(self) -> str:
        """Say how a year is played."""
        parts = f"in {self.parts} growing parts" if self.parts > 1 else "once, as a whole"
        return f"{self.share:.0%} of the rows, each month landing {parts}, a day in {self.day}"


def play(cloud: LocalCloud, house: Path, folder: Path, plan: Plan) -> Played:
    """Drop January, play the months back, and measure. This process has the cloud's environment."""
    begun, files = time.monotonic(), _deliveries(folder, (1, *plan.months), plan.share)
    answers = folder / "answers.jsonl"
    _tropism(folder, "drop", PRODUCT, str(files[0]), "--wait", "--json")
    played = [str(file) for file in files[1:]]
    pace = ("--day", plan.day, "--parts", str(plan.parts), "--answers", str(answers))
    said = _tropism(folder, "replay", PRODUCT, *played, *pace, "--json")
    product = spec.load(house / "products", PRODUCT)
    year = measured(cloud.bucket, product, files[1:], answers, ledger.entries(cloud.bucket, PRODUCT))
    return Played(year, said, time.monotonic() - begun)


def _deliveries(folder: Path, months: Sequence[int], share: float) -> list[Path]:
    """Have the product's own script write the months."""
    script, out = ROOT / "products" / PRODUCT / "drops.py", folder / "deliveries"
    wanted = ["--months", *map(str, months), "--format", "parquet", "--share", str(share)]
    subprocess.run([sys.executable, str(script), str(out), *wanted], check=True, stdout=subprocess.DEVNULL)
    return sorted(out.glob("*.parquet"))


def _tropism(folder: Path, *arguments: str) -> Any:  # noqa: ANN401  what a command says as JSON
    """Give a command as a person does, and return what it says; what it shows goes to a file."""
    command = [str(Path(sys.executable).parent / "tropism"), *arguments]
    with (folder / "commands.log").open("a", encoding="utf-8") as log:
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True, check=False)
    if done.returncode != 0:
        said = (folder / "commands.log").read_text(encoding="utf-8")[-2000:]
        raise RuntimeError(f"`tropism {' '.join(arguments[:2])}` ended with {done.returncode}: {done.stdout} {said}")
    return json.loads(done.stdout)


@contextmanager
def _cloud(folder: Path, house: Path) -> Iterator[LocalCloud]:
    """Run a cloud of the benchmark's own."""
    home = Home(path=folder / "cloud")
    os.environ["TROPISM_ROOT"] = str(house)
    try:
        yield up(home=home)
    finally:
        down(home=home)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A year of flights through the endpoint, labels a week late.")
    parser.add_argument("--share", type=float, default=0.2, help="of the rows of each month, seeded")
    parser.add_argument("--months", type=int, nargs="+", default=list(range(2, 13)), help="to play, in order")
    parser.add_argument("--day", default="1s", help="how long a day lasts")
    parser.add_argument("--parts", type=int, default=2, help="in how many growing parts a month lands")
    parser.add_argument("--write", type=Path, help="keep the figures as Markdown")
    parser.add_argument("--keep", type=Path, help="an empty folder to work in, which stays")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
