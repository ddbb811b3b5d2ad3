"""The function starts without the heavy packages, though every one of them is installed beside it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HEAVY = {"boto3", "great_expectations", "mlflow", "pandas", "prefect", "pydantic", "scipy", "sklearn", "xgboost"}
PROGRAM = """
import json, sys
from functions.predict.handler import handler
event = json.loads(sys.argv[1])
answer = handler(event, None)
json.dump({"answer": answer, "modules": sorted({name.split(".")[0] for name in sys.modules})}, sys.stderr)
"""


def test_importing_the_handler_and_answering_imports_none_of_the_heavy_packages(loans: Any) -> None:
    row = {"amount": 1.0, "income": 2.0, "sched": 915, "new": True, "purpose": "car", "at": "2013-01-01"}
    event = {"dataframe_records": [row], "params": {"explain": True}}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(event)],
        env={"LAMBDA_TASK_ROOT": str(loans.root), "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stderr)
    assert said["answer"]["status"] == 200
    assert len(said["answer"]["explanations"]) == 1
    assert said["answer"]["engine"].startswith("libxgboost/")
    assert HEAVY & set(said["modules"]) == set()
    assert "numpy" in said["modules"]
