"""A shadow changes no answer and fails no request, whatever it does; the record tells its scores, or why not."""

import json
import shutil
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from functions.predict import handler as entry
from functions.predict import shadow as shadows
from functions.predict.shadow import is_sampled
from functions.predict.timing import LateError, UnboundedError, within
from lifecycle import bundle
from lifecycle.bundle import load
from lifecycle.columns import Column
from lifecycle.features import fit
from lifecycle.manifest import Release
from lifecycle.serving import FILE, Serving, Shadow

ROW = {"amount": 9000.0, "income": 30000.0, "sched": 915, "new": True, "purpose": "car", "at": "2013-01-01T05:00:00"}
TRIGGER = 1313  # a value on which a shadow's own code misbehaves
GENEROUS_MS = 10_000.0
SHORT_MS = 80.0


@dataclass(frozen=True)
class Pair:
    """A folder whose model carries a shadow, and what the shadow's own function would be."""

    root: Path
    shadow: Path


def records(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"dataframe_records": list(rows), **more}


@pytest.fixture
def record(capsys: pytest.CaptureFixture[str]) -> Any:
    """The last record written."""

    def read() -> Any:
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [line for line in lines if line["event"] == "prediction.answered"][-1]

    return read


def alone(loans: Any, folder: Path, misbehaviour: str = "pass", *, more: tuple[Column, ...] = ()) -> Path:
    """Make the root of a version that serves another model: its own features, odd on one value, more columns."""
    good = load(loans.root / "bundle")
    hook = (good.features.spec.hook or "") + (
        "\nimport time\n_derive = derive\n"
        "def misbehave():\n"
        f"    {misbehaviour}\n"
        "def derive(columns):\n"
        f"    if {TRIGGER} in columns['sched']:\n"
        "        misbehave()\n"
        "    return {name: values * 0.5 for name, values in _derive(columns).items()}\n"
    )
    columns = {name: values[:50] for name, values in loans.columns.items()}
    features = fit(replace(good.features.spec, hook=hook), columns)
    contract = replace(good.contract, columns=(*good.contract.columns, *more))
    draft = bundle.Draft(good.model, features, contract, good.reference, good.manifest.lineage)
    bundle.write(folder / "bundle", draft)
    bundle.write_release(folder / "bundle", Release("2", "2025-12-01T00:00:00+00:00"))
    (folder / FILE).write_text(Serving().to_json())
    return folder


def together(loans: Any, shadow: Path, folder: Path, *, share: float = 1.0, budget_ms: float = GENEROUS_MS) -> Pair:
    """Make the root of a version that carries `shadow` beside its own model."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(loans.root / "bundle", folder / "bundle")
    shutil.copytree(shadow / "bundle", folder / "shadow")
    wanted = Shadow(load(shadow / "bundle").digest, share, budget_ms)
    (folder / FILE).write_text(Serving(shadow=wanted).to_json())
    return Pair(folder, shadow)


def test_both_models_score_the_same_rows_and_the_answer_is_the_first_one_s(
    loans: Any, ask: Any, record: Any, tmp_path: Path
) -> None:
    pair = together(loans, alone(loans, tmp_path / "two"), tmp_path / "both")
    rows = [ROW | {"amount": 1000.0 * n, "purpose": "yacht" if n % 2 else None} for n in range(30)]
    body = records(*rows, params={"explain": False})
    usual, other = ask(loans.root, body), ask(pair.shadow, body)
    answer = ask(pair.root, body)
    found = record()
    assert (answer.status, answer.body) == (200, usual.body)
    assert answer.headers == usual.headers
    assert found["scores"] == usual.body["predictions"] != other.body["predictions"]
    assert found["shadow"] | {"latency_ms": 0} == {
        "model_version": "2",
        "bundle": load(pair.shadow / "bundle").digest,
        "scores": other.body["predictions"],
        "latency_ms": 0,
        "skipped": None,
    }
    assert 0 < found["shadow"]["latency_ms"] < found["latency_ms"]


@pytest.mark.parametrize(
    "misbehaviour",
    ["raise RuntimeError(columns)", "raise SystemExit(3)", "raise MemoryError", "import numpy; numpy.array([1]) + {}"],
)
def test_a_shadow_that_raises_costs_nothing_but_its_scores(
    misbehaviour: str, loans: Any, ask: Any, record: Any, tmp_path: Path
) -> None:
    pair = together(loans, alone(loans, tmp_path / "two", misbehaviour), tmp_path / "both")
    body = records(ROW | {"sched": TRIGGER})
    answer = ask(pair.root, body)
    found = record()
    assert answer.body == ask(loans.root, body).body
    assert (found["status"], found["shadow"]["scores"], found["shadow"]["skipped"]) == (200, None, "fault")
    ask(pair.root, records(ROW))
    assert record()["shadow"]["skipped"] is None


@pytest.mark.parametrize(
    "misbehaviour",
    [
        "time.sleep(30)",
        "exec('while True: pass')",
        "exec('while True:\\n try: time.sleep(30)\\n except Exception: pass')",
    ],
)
def test_a_slow_shadow_is_interrupted_when_its_time_is_over(
    misbehaviour: str, loans: Any, ask: Any, record: Any, tmp_path: Path
) -> None:
    pair = together(loans, alone(loans, tmp_path / "two", misbehaviour), tmp_path / "both", budget_ms=SHORT_MS)
    ask(pair.root, records(ROW))
    began = time.perf_counter()
    answer = ask(pair.root, records(ROW | {"sched": TRIGGER}))
    spent = time.perf_counter() - began
    found = record()
    assert (answer.status, found["shadow"]["scores"], found["shadow"]["skipped"]) == (200, None, "budget")
    assert found["latency_ms"] > SHORT_MS * 0.5
    assert spent < 10, "30 seconds were asked for"


def test_the_time_runs_from_the_start_of_the_request(loans: Any, ask: Any, record: Any, tmp_path: Path) -> None:
    """The first request opens two models, which is more than a short budget: the shadow is not even asked."""
    pair = together(loans, alone(loans, tmp_path / "two"), tmp_path / "both", budget_ms=0.001)
    for cold in (True, False):
        assert ask(pair.root, records(ROW)).status == 200
        found = record()
        assert (found["cold"], found["shadow"]["skipped"]) == (cold, "budget")
        assert found["shadow"]["latency_ms"] < 5


def test_no_alarm_is_left_behind(loans: Any, ask: Any, tmp_path: Path) -> None:
    pair = together(loans, alone(loans, tmp_path / "two"), tmp_path / "both", budget_ms=SHORT_MS)
    ask(pair.root, records(ROW))
    time.sleep(2 * SHORT_MS / 1000)


@pytest.mark.parametrize("name", ["model.ubj", "contract.json", "manifest.json", None])
def test_a_corrupted_shadow_is_noted_once_and_never_asked(
    name: str | None, loans: Any, ask: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = together(loans, alone(loans, tmp_path / "two"), tmp_path / "both")
    if name is None:
        shutil.rmtree(pair.root / "shadow")
    else:
        path = pair.root / "shadow" / name
        path.write_bytes(path.read_bytes().replace(b"a", b"b", 1))
    answers = [ask(pair.root, records(ROW)) for _ in range(2)]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer.status for answer in answers] == [200, 200]
    assert [line["event"] for line in lines] == ["shadow.refused", "prediction.answered", "prediction.answered"]
    assert [line["shadow"]["skipped"] for line in lines[1:]] == ["fault", "fault"]
    assert lines[1]["shadow"]["model_version"] is None


def test_another_bundle_than_the_one_named_is_never_asked(loans: Any, ask: Any, record: Any, tmp_path: Path) -> None:
    pair = together(loans, alone(loans, tmp_path / "two"), tmp_path / "both")
    (pair.root / FILE).write_text(Serving(shadow=Shadow("0" * 64, 1.0, GENEROUS_MS)).to_json())
    assert ask(pair.root, records(ROW)).status == 200
    assert record()["shadow"]["skipped"] == "fault"


def test_a_shadow_that_hangs_while_it_is_opened_holds_nobody_up(
    loans: Any, ask: Any, record: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadows, "_OPENING_SECONDS", 0.2)
    two = alone(loans, tmp_path / "two")
    pair = together(loans, two, tmp_path / "both")
    real = shadows.open_bundle
    monkeypatch.setattr(shadows, "open_bundle", lambda *given: (time.sleep(30), real(*given)))
    began = time.perf_counter()
    assert ask(pair.root, records(ROW)).status == 200
    assert time.perf_counter() - began < 10
    assert record()["shadow"]["skipped"] == "fault"


def test_a_shadow_judges_the_request_by_its_own_contract(loans: Any, ask: Any, record: Any, tmp_path: Path) -> None:
    more = (Column("tax", "double"),)
    pair = together(loans, alone(loans, tmp_path / "two", more=more), tmp_path / "both")
    assert ask(pair.root, records(ROW)).status == 200
    assert record()["shadow"]["skipped"] == "contract"
    assert ask(pair.root, records(ROW | {"tax": 7.0})).status == 200
    found = record()
    assert (len(found["shadow"]["scores"]), found["violations"]) == (1, {"extra_columns": 1})


def test_a_refused_request_is_not_scored_by_anybody(loans: Any, ask: Any, record: Any, tmp_path: Path) -> None:
    pair = together(loans, alone(loans, tmp_path / "two"), tmp_path / "both")
    assert ask(pair.root, records(ROW | {"amount": "much"})).status == 400
    assert record()["shadow"] is None


def test_only_the_sampled_requests_are_scored_twice(loans: Any, ask: Any, record: Any, tmp_path: Path) -> None:
    pair = together(loans, alone(loans, tmp_path / "two"), tmp_path / "both", share=1e-9)
    assert ask(pair.root, records(ROW)).status == 200
    assert record()["shadow"] is None


def test_the_sample_is_the_same_every_time_and_as_large_as_asked() -> None:
    ids = [f"request-{n}" for n in range(4000)]
    chosen = {one for one in ids if is_sampled(one, 0.3)}
    assert chosen == {one for one in ids if is_sampled(one, 0.3)}
    assert chosen < {one for one in ids if is_sampled(one, 0.6)}
    assert abs(len(chosen) - 1200) < 5 * (4000 * 0.3 * 0.7) ** 0.5
    assert all(is_sampled(one, 1.0) for one in ids)


def test_where_nothing_can_interrupt_nothing_is_begun(loans: Any, ask: Any, record: Any, tmp_path: Path) -> None:
    pair = together(loans, alone(loans, tmp_path / "two"), tmp_path / "both")
    ask(pair.root, records(ROW))
    record()
    thread = threading.Thread(target=entry.handler, args=(records(ROW), None))
    thread.start()
    thread.join()
    found = record()
    assert (found["status"], found["shadow"]["skipped"]) == (200, "unbounded")


def test_work_done_in_time_is_returned_and_the_rest_is_given_up() -> None:
    assert within(5, lambda: 7) == 7
    with pytest.raises(LateError):
        within(0.05, lambda: time.sleep(30))
    with pytest.raises(LateError):
        within(0, lambda: 7)
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)
    caught: list[type] = []

    def elsewhere() -> None:
        try:
            within(5, lambda: 7)
        except UnboundedError:
            caught.append(UnboundedError)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert caught == [UnboundedError]
