"""What the runtime imports opens the model before any request, and never ends the start over a bundle."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from functions.predict import handler as predict
from lifecycle import bundle
from lifecycle.bundle import load
from lifecycle.features import fit

ROOT = Path(__file__).parents[2]
ROW = {"amount": 1.0, "income": 2.0, "sched": 915, "new": True, "purpose": "car", "at": "2013-01-01"}
PROGRAM = """
import json, sys
from functions.predict.entry import handler
print(json.dumps({"event": "imported"}))
for _ in range(2):
    print(json.dumps({"event": "answered", "answer": handler(json.loads(sys.argv[1]), None)}))
"""


def started(root: Path) -> list[dict[str, Any]]:
    """Import the entry and ask twice, in a fresh process; return the lines it wrote."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps({"dataframe_records": [ROW]})],
        env={"LAMBDA_TASK_ROOT": str(root), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_model_is_open_when_the_first_request_comes_and_that_one_is_still_the_cold_one(
    loans: Any, tmp_path: Path
) -> None:
    """Its files may be gone by then: nothing is read from them any more."""
    shutil.copytree(loans.root, tmp_path / "root")
    program = PROGRAM.replace("for _", f"import shutil; shutil.rmtree({str(tmp_path / 'root')!r})\nfor _", 1)
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps({"dataframe_records": [ROW]})],
        env={"LAMBDA_TASK_ROOT": str(tmp_path / "root"), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["answer"]["status"] for line in lines if line["event"] == "answered"] == [200, 200]
    assert [line["cold"] for line in lines if line["event"] == "prediction.answered"] == [True, False]


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [("model.ubj", 503, "bundle_refused"), ("serving.json", 503, "serving_refused"), ("bundle", 503, "no_champion")],
)
def test_what_cannot_be_opened_is_the_answer_and_no_crash_at_the_start(
    name: str, status: int, reason: str, loans: Any, tmp_path: Path
) -> None:
    root = shutil.copytree(loans.root, tmp_path / "root")
    if name == "bundle":
        shutil.rmtree(root / name)
    else:
        path = root / name if (root / name).exists() else root / "bundle" / name
        path.write_bytes(path.read_bytes().replace(b"a", b"b", 1))
    lines = started(root)
    answers = [line["answer"] for line in lines if line["event"] == "answered"]
    assert [(answer["status"], answer["reason"]) for answer in answers] == [(status, reason)] * 2
    assert lines[0] == {"event": "imported"}


def test_what_nobody_expected_while_opening_is_noted_and_ends_nothing(
    loans: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def out_of_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(loans.root))
    monkeypatch.setattr(predict, "open_all", out_of_memory)
    predict._model.cache_clear()
    predict.warm_up()
    noted = json.loads(capsys.readouterr().out)
    assert (noted["event"], noted["error"]) == ("start.failed", "MemoryError")
    answer = predict.handler({"dataframe_records": [ROW]}, None)
    assert (answer["status"], answer["reason"]) == (500, "internal")
    predict._model.cache_clear()


def test_a_bundle_whose_own_code_ends_the_process_fails_requests_and_not_the_start(loans: Any, tmp_path: Path) -> None:
    good = load(loans.root / "bundle")
    end = "import os\nif os.environ.get('LAMBDA_TASK_ROOT', '').endswith('/ends'):\n    raise SystemExit(3)\n"
    features = fit(replace(good.features.spec, hook=end + str(good.features.spec.hook)), loans.columns)
    draft = bundle.Draft(good.model, features, good.contract, good.reference, good.manifest.lineage)
    shutil.copytree(loans.root, tmp_path / "ends", ignore=shutil.ignore_patterns("bundle"))
    bundle.write(tmp_path / "ends" / "bundle", draft)
    lines = started(tmp_path / "ends")
    assert lines[0] == {"event": "imported"}
    answers = [line["answer"] for line in lines if line["event"] == "answered"]
    assert [(answer["status"], answer["reason"]) for answer in answers] == [(500, "internal")] * 2
