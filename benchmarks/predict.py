"""Start-up and latency of the predict function beside MLflow's pyfunc, as ratios.

    python benchmarks/predict.py [ROUNDS]

The function is measured whole: a JSON event in, contract, features, model, a JSON answer and a log line out. `pyfunc`
is MLflow's model given a ready data frame; `scoring` is its scoring server's own function, JSON in and JSON out,
without HTTP.

Every measurement is a fresh process; the variants take turns within a round, and a ratio is the median of the
rounds' ratios, so that a busy machine hits all alike. The same model answers everywhere and the predictions are
compared inside the run.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
FEATURES, TREES, DEPTH = 20, 100, 6
CALLS = {1: 200, 1000: 20}

FLOOR, NUMPY = "pass", "import numpy"
# What the caller of the first request waits for: the init phase is over before it comes.
FIRST = """
import json, sys, time
from functions.predict.{module} import handler
import os
out = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the log lines
event = json.load(open(sys.argv[1]))["1"]
started = time.perf_counter(); first = handler(event, None); spent = time.perf_counter() - started
os.write(out, json.dumps({{"first": first["predictions"], "1": spent}}).encode())
"""
EAGER, LAZY = FIRST.format(module="entry"), FIRST.format(module="handler")
OURS = """
import json, sys, time
from functions.predict.handler import handler
import os
out = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the log lines
events = json.load(open(sys.argv[1]))
first = handler(events["1"], None)
said = {"first": first["predictions"]}
for rows, calls in json.loads(sys.argv[2]).items():
    text = json.dumps(events[rows])
    http = {"requestContext": {"http": {"method": "POST"}}, "rawPath": "/invocations",
            "headers": {"content-type": "application/json"}, "body": text}
    spent = []
    for _ in range(calls):
        started = time.perf_counter(); answer = handler(http, None); spent.append(time.perf_counter() - started)
    said[rows] = sorted(spent)[len(spent) // 2]
os.write(out, json.dumps(said).encode())
"""
PYFUNC = """
import json, os, sys, time, warnings
warnings.simplefilter("ignore")
import mlflow.pyfunc, pandas as pd
model = mlflow.pyfunc.load_model(os.environ["PYFUNC"])
events = json.load(open(sys.argv[1]))
frames = {rows: pd.DataFrame(event["dataframe_split"]["data"], columns=event["dataframe_split"]["columns"])
          for rows, event in events.items()}
said = {"first": model.predict(frames["1"]).tolist()}
for rows, calls in json.loads(sys.argv[2]).items():
    spent = []
    for _ in range(calls):
        started = time.perf_counter(); model.predict(frames[rows]); spent.append(time.perf_counter() - started)
    said[rows] = sorted(spent)[len(spent) // 2]
from mlflow.pyfunc.scoring_server import invocations
schema = model.metadata.get_input_schema()
for rows, calls in json.loads(sys.argv[2]).items():
    text = json.dumps(events[rows]).encode()
    spent = []
    for _ in range(calls):
        started = time.perf_counter(); invocations(text, "application/json", model, schema)
        spent.append(time.perf_counter() - started)
    said["scoring " + rows] = sorted(spent)[len(spent) // 2]
print(json.dumps(said))
"""


def main() -> None:
    """Train, measure, print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        cold = [
            {variant: run(folder, variant, {}) for variant in ("floor", "numpy", "ours", "pyfunc", "eager", "lazy")}
            for _ in range(rounds)
        ]
        warm = [{variant: run(folder, variant, CALLS) for variant in ("ours", "pyfunc")} for _ in range(rounds)]
    for once in (*cold, *warm):
        if once["ours"][1]["first"] != once["pyfunc"][1]["first"]:
            raise SystemExit("The two answer differently; nothing here can be compared.")
    report(cold, warm)


def prepare(folder: Path) -> None:
    """Put one model into a bundle and into MLflow's format, and the requests beside them."""
    import mlflow  # noqa: PLC0415  not in the measured processes
    import xgboost  # noqa: PLC0415
    from mlflow.models import ModelSignature  # noqa: PLC0415
    from mlflow.types import ColSpec, Schema  # noqa: PLC0415

    from lifecycle import bundle  # noqa: PLC0415
    from lifecycle.columns import Column  # noqa: PLC0415
    from lifecycle.contract import Contract, Task  # noqa: PLC0415
    from lifecycle.features import FeatureSpec, fit  # noqa: PLC0415
    from lifecycle.manifest import Lineage  # noqa: PLC0415
    from lifecycle.serving import FILE, Serving  # noqa: PLC0415

    random = np.random.default_rng(7)
    names = tuple(f"x{i}" for i in range(FEATURES))
    rows = random.normal(size=(5_000, FEATURES))
    label = rows[:, :5].sum(1) + random.normal(size=len(rows)) > 0
    data = xgboost.DMatrix(rows.astype(np.float32), label, feature_names=list(names), nthread=1)
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": DEPTH, "nthread": 1}, data, TREES)
    inputs = tuple(Column(name, "double") for name in names)
    columns = {name: rows[:, i] for i, name in enumerate(names)}
    contract = Contract("bench", Task("binary", ("0", "1")), inputs)
    features = fit(FeatureSpec(inputs, numbers=names), columns)
    lineage = Lineage("0" * 64, (), len(rows))
    bundle.write(folder / "bundle", bundle.Draft(bytes(booster.save_raw("ubj")), features, contract, "{}", lineage))
    (folder / FILE).write_text(Serving().to_json())
    signature = ModelSignature(Schema([ColSpec("double", name) for name in names]))
    mlflow.xgboost.save_model(booster, str(folder / "pyfunc"), signature=signature)
    events = {
        str(count): {"dataframe_split": {"columns": list(names), "data": rows[:count].tolist()}} for count in CALLS
    }
    (folder / "events.json").write_text(json.dumps(events))


def run(folder: Path, variant: str, calls: dict[int, int]) -> tuple[float, dict[str, object]]:
    """Run one variant in a fresh process; return its seconds from start to exit, and what it said."""
    programs = {"floor": FLOOR, "numpy": NUMPY, "ours": OURS, "pyfunc": PYFUNC, "eager": EAGER, "lazy": LAZY}
    program = programs[variant]
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "LAMBDA_TASK_ROOT": str(folder),
        "PYFUNC": str(folder / "pyfunc"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "HOME": str(folder),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-c", program, str(folder / "events.json"), json.dumps(calls)]
    started = time.perf_counter()
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True, cwd=folder)
    spent = time.perf_counter() - started
    said = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
    return spent, said


def report(cold: list[dict], warm: list[dict]) -> None:  # type: ignore[type-arg]  what `run` said
    """Print one line per measure: medians, and the median of the rounds' ratios."""
    print(f"{FEATURES} features, {TREES} trees of depth {DEPTH}; {len(cold)} rounds, medians; predictions identical")
    print(f"{'':34}{'function':>12}{'MLflow':>12}{'MLflow / function':>20}")
    starts = [(once["ours"][0], once["pyfunc"][0]) for once in cold]
    line("process start to first answer", starts, 1000, "ms")
    line(
        "  over an empty Python", [(o["ours"][0] / o["floor"][0], o["pyfunc"][0] / o["floor"][0]) for o in cold], 1, "x"
    )
    line(
        "  over importing numpy", [(o["ours"][0] / o["numpy"][0], o["pyfunc"][0] / o["numpy"][0]) for o in cold], 1, "x"
    )
    firsts = [(float(o["eager"][1]["1"]), float(o["lazy"][1]["1"])) for o in cold]
    for rows in CALLS:
        for name, key in (("pyfunc", str(rows)), ("scoring", f"scoring {rows}")):
            times = [(once["ours"][1][str(rows)], once["pyfunc"][1][key]) for once in warm]
            line(f"warm, {rows} row(s), against {name}", times, 1000, "ms")
    print(f"{'':34}{'at init':>12}{'at request':>12}{'at request / at init':>20}")
    line("first request, model opened", firsts, 1000, "ms")


def line(name: str, pairs: list[tuple[float, float]], scale: float, unit: str) -> None:
    """Print one measure."""
    ours, theirs = (statistics.median(values) * scale for values in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"{name:34}{ours:>9.2f} {unit:2}{theirs:>9.2f} {unit:2}{ratio:>19.1f}x")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
