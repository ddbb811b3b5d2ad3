"""Several models in one function version: every unit keeps to its arm, and the record says who was exposed to what."""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lifecycle import bundle
from lifecycle.assignment import arm_at, assign
from lifecycle.bundle import load
from lifecycle.manifest import Release
from lifecycle.serving import FILE, Arm, Experiment, Serving

ROW = {"amount": 9000.0, "income": 30000.0, "sched": 915, "new": True, "purpose": "car", "at": "2013-01-01T05:00:00"}
WEIGHTS = {"control": 0.5, "blue": 0.3, "red": 0.2}


def records(*rows: dict[str, Any], **params: Any) -> dict[str, Any]:
    return {"dataframe_records": list(rows), "params": params}


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[Any]]:
    """The records written since the last look."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def root(loans: Any, tmp_path: Path) -> Path:
    """Three arms that answer as models 3, 4 and 5."""
    return carry(loans, tmp_path, column="user")


def carry(loans: Any, root: Path, column: str | None) -> Path:
    arms = []
    for version, (name, weight) in enumerate(WEIGHTS.items(), 3):
        folder = root / ("bundle" if name == "control" else f"arms/{name}")
        good = load(loans.root / "bundle")
        contract = replace(good.contract, max_rows=good.contract.max_rows - version)  # another bundle each
        bundle.write(folder, bundle.Draft(good.model, good.features, contract, "{}", good.manifest.lineage))
        bundle.write_release(folder, Release(str(version), "2026-01-01T00:00:00+00:00"))
        arms.append(Arm(name, weight, load(folder).digest))
    (root / FILE).write_text(Serving(experiment=Experiment("colours", "salt", tuple(arms), column)).to_json())
    return root


def experiment(root: Path) -> Experiment:
    found = Serving.from_json((root / FILE).read_text()).experiment
    assert found is not None
    return found


def test_a_unit_is_answered_by_its_arm_every_time_and_the_record_tells_it(root: Path, ask: Any, told: Any) -> None:
    versions = dict(zip(WEIGHTS, ("3", "4", "5"), strict=True))
    for user in [f"user-{n}" for n in range(40)] * 2:
        answer = ask(root, records(ROW, unit=user))
        (record,) = told()
        assigned = assign(experiment(root), user)
        assert answer.body["model_version"] == answer.headers["x-model-version"] == versions[assigned.arm.name]
        assert record["model_version"] == versions[assigned.arm.name]
        assert record["bundle"] == assigned.arm.bundle
        assert (record["experiment"], record["arm"]) == ("colours", assigned.arm.name)
        assert record["unit"] == assigned.unit
        assert arm_at(experiment(root), record["unit"]) == assigned.arm
        assert user not in json.dumps(record)


def test_every_arm_is_met(root: Path, ask: Any, told: Any) -> None:
    for user in range(60):
        ask(root, records(ROW, unit=user))
    counts = Counter(record["arm"] for record in told())
    assert set(counts) == set(WEIGHTS)


def test_the_unit_may_stand_in_a_column_that_the_model_does_not_know(root: Path, ask: Any, told: Any) -> None:
    ask(root, records(ROW | {"user": "user-2"}, ROW | {"user": "user-2"}))
    ask(root, records(ROW, unit="user-2"))
    column, param = told()
    assert column["unit"] == param["unit"] == assign(experiment(root), "user-2").unit
    assert "user-2" not in json.dumps(column)


def test_a_whole_number_and_its_text_are_one_unit(root: Path, ask: Any, told: Any) -> None:
    ask(root, records(ROW | {"user": 17}))
    ask(root, records(ROW, unit="17"))
    assert len({record["unit"] for record in told()}) == 1


@pytest.mark.parametrize("rows", [[ROW], [ROW | {"user": None}], [ROW | {"user": ""}], [ROW | {"user": True}]])
def test_a_request_without_a_unit_gets_the_default_arm_and_is_not_exposed(
    rows: list[Any], root: Path, ask: Any, told: Any
) -> None:
    assert ask(root, records(*rows)).body["model_version"] == "3"
    (record,) = told()
    assert (record["experiment"], record["arm"], record["unit"]) == (None, None, None)


def test_a_request_about_several_units_gets_the_default_arm_and_says_so(root: Path, ask: Any, told: Any) -> None:
    answer = ask(root, records(*[ROW | {"user": f"user-{n}"} for n in range(5)]))
    (record,) = told()
    assert (answer.body["model_version"], record["unit"], record["arm"]) == ("3", None, None)
    assert answer.body["violations"]["units"] == record["violations"]["units"] == 5


def test_without_a_column_only_the_parameter_names_a_unit(loans: Any, ask: Any, told: Any, tmp_path: Path) -> None:
    root = carry(loans, tmp_path, column=None)
    ask(root, records(ROW | {"user": "user-2"}))
    ask(root, records(ROW, unit="user-2"))
    assert [record["arm"] is None for record in told()] == [True, False]


def test_the_other_protocol_names_its_unit_too(root: Path, ask: Any, told: Any) -> None:
    tensors = [{"name": name, "shape": [1], "datatype": "BYTES", "data": [value]} for name, value in ROW.items()]
    answer = ask(root, {"inputs": tensors, "parameters": {"unit": "user-2"}}, "/v2/models/loans/infer")
    assigned = assign(experiment(root), "user-2")
    (record,) = told()
    assert (answer.status, record["arm"]) == (200, assigned.arm.name)
    assert answer.body["model_version"] == record["model_version"] == "5"


def test_a_refused_request_was_exposed_to_its_arm(root: Path, ask: Any, told: Any) -> None:
    """An arm whose contract refuses more must not look better for it."""
    ask(root, records(ROW | {"amount": "much"}, unit="user-2"))
    (record,) = told()
    assert (record["status"], record["reason"]) == (400, "wrong_type")
    assert record["arm"] == assign(experiment(root), "user-2").arm.name


@pytest.mark.parametrize("fault", ["missing", "tampered", "another"])
def test_an_arm_that_is_not_what_it_should_be_ends_the_version(
    fault: str, root: Path, loans: Any, ask: Any, tmp_path: Path
) -> None:
    if fault == "missing":
        shutil.rmtree(root / "arms" / "blue")
    elif fault == "tampered":
        (root / "arms" / "blue" / "model.ubj").write_bytes(b"other")
    else:
        shutil.rmtree(root / "arms" / "blue")
        shutil.copytree(loans.root / "bundle", root / "arms" / "blue")
    answer = ask(root, records(ROW, unit="user-2"))
    assert (answer.status, answer.body["reason"]) == (503, "bundle_refused")
    assert "Arm 'blue'" in answer.body["message"]


def test_a_version_without_an_experiment_exposes_nobody(loans: Any, ask: Any, told: Any) -> None:
    answer = ask(loans.root, records(ROW, unit="user-2"))
    (record,) = told()
    assert (record["experiment"], record["arm"], record["unit"]) == (None, None, None)
    assert "violations" not in answer.body
