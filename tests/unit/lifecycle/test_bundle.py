"""A bundle is the same bytes for the same model, and any other byte is noticed."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifecycle import bundle
from lifecycle.bundle import BundleVerdict, Draft
from lifecycle.columns import Column
from lifecycle.contract import Contract, Task
from lifecycle.errors import BundleError
from lifecycle.features import FeatureSpec, fit
from lifecycle.manifest import Lineage, Release, digest_of

HOOK = "def derive(columns):\n    return {'double': columns['x'] * 2}\n"
INPUTS = (Column("x", "double"), Column("c", "string"))
LINEAGE = Lineage("5" * 64, ("b" * 64,), rows=3, suites={"raw": "a" * 64}, code="0" * 40, mlflow_run="r1", seed=7)


def draft(**changed: Any) -> Draft:
    spec = FeatureSpec(INPUTS, numbers=("x", "double"), categories={"c": 9}, hook=HOOK)
    columns = {"x": np.arange(3.0), "c": np.array(["b", "a", None], dtype=object)}
    made = Draft(
        model=b"{a model}",
        features=fit(spec, columns),
        contract=Contract("flights", Task("binary", ("0", "1")), INPUTS, {"c": ("a", "b")}),
        reference='{"x": [0.5, 0.5]}\n',
        lineage=LINEAGE,
        versions={"xgboost": "3.2.0"},
        parameters={"max_depth": 6},
    )
    return replace(made, **changed)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_bundle_comes_back_as_it_was_written(tmp_path: Path) -> None:
    made = draft()
    manifest = bundle.write(tmp_path / "b", made)
    loaded = bundle.load(tmp_path / "b")
    assert bundle.verify(tmp_path / "b") == BundleVerdict("intact")
    assert loaded.manifest == manifest
    assert (loaded.features, loaded.contract) == (made.features, made.contract)
    assert (loaded.model, loaded.reference, loaded.release) == (made.model, made.reference, None)
    assert (manifest.product, manifest.task, manifest.lineage) == ("flights", Task("binary", ("0", "1")), LINEAGE)
    assert [entry.name for entry in manifest.files] == [
        "contract.json",
        "features.json",
        "features.py",
        "model.ubj",
        "reference.json",
    ]


def test_the_same_draft_is_the_same_bytes_and_a_second_write_changes_nothing(tmp_path: Path) -> None:
    first = bundle.write(tmp_path / "a", draft())
    second = bundle.write(tmp_path / "b", draft())
    assert files(tmp_path / "a") == files(tmp_path / "b")
    before = files(tmp_path / "a")
    assert bundle.write(tmp_path / "a", draft()) == first == second
    assert files(tmp_path / "a") == before


def test_the_digest_is_about_what_predicts_and_not_about_who_trained_it_when(tmp_path: Path) -> None:
    digest = bundle.write(tmp_path / "a", draft()).digest
    retrained = draft(lineage=replace(LINEAGE, mlflow_run="r2"), versions={"xgboost": "3.3.0"})
    assert bundle.write(tmp_path / "b", retrained).digest == digest
    assert bundle.write(tmp_path / "c", draft(model=b"{another}")).digest != digest
    assert bundle.write(tmp_path / "d", draft(contract=replace(draft().contract, max_rows=5))).digest != digest


def test_the_digest_is_the_sha256_over_the_sorted_names_and_sha256(tmp_path: Path) -> None:
    manifest = bundle.write(tmp_path / "b", draft())
    listed = sorted([entry.name, entry.sha256] for entry in manifest.files)
    assert manifest.digest == sha256(json.dumps(listed, separators=(",", ":")).encode()).hexdigest()
    assert digest_of(manifest.files[::-1]) == manifest.digest


def test_the_release_travels_beside_the_bundle_and_leaves_its_digest(tmp_path: Path) -> None:
    digest = bundle.write(tmp_path / "b", draft()).digest
    release = Release("3", "2026-01-01T00:00:00+00:00")
    bundle.write_release(tmp_path / "b", release)
    bundle.write_release(tmp_path / "b", release)
    assert bundle.verify(tmp_path / "b") == BundleVerdict("intact")
    assert (bundle.load(tmp_path / "b").release, bundle.load(tmp_path / "b").digest) == (release, digest)


@pytest.mark.parametrize("name", ["model.ubj", "features.json", "features.py", "contract.json", "reference.json"])
def test_one_changed_byte_in_any_file_is_noticed_and_named(name: str, tmp_path: Path) -> None:
    bundle.write(tmp_path / "b", draft())
    path = tmp_path / "b" / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    verdict = bundle.verify(tmp_path / "b")
    assert verdict.state == "tampered"
    assert verdict.reasons[0].startswith((f"{name} has sha256", f"{name} is not"))
    with pytest.raises(BundleError, match=r"is tampered\. "):
        bundle.load(tmp_path / "b")


@pytest.mark.parametrize("name", ["model.ubj", "features.json", "features.py", "contract.json", "reference.json"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    bundle.write(tmp_path / "b", draft())
    (tmp_path / "b" / name).unlink()
    assert bundle.verify(tmp_path / "b") == BundleVerdict("incomplete", (f"{name} is missing.",))


def test_without_its_manifest_a_bundle_was_never_finished(tmp_path: Path) -> None:
    bundle.write(tmp_path / "b", draft())
    (tmp_path / "b" / "manifest.json").unlink()
    assert bundle.verify(tmp_path / "b").state == "incomplete"
    assert bundle.verify(tmp_path / "nowhere").state == "absent"
    (tmp_path / "empty").mkdir()
    assert bundle.verify(tmp_path / "empty").state == "absent"


def test_a_file_nobody_listed_is_noticed(tmp_path: Path) -> None:
    bundle.write(tmp_path / "b", draft())
    (tmp_path / "b" / "extra.py").write_text("print('hello')")
    assert bundle.verify(tmp_path / "b") == BundleVerdict("tampered", ("extra.py is not listed in manifest.json.",))


def test_a_hook_added_to_a_bundle_without_one_is_refused_before_it_runs(tmp_path: Path) -> None:
    spec = FeatureSpec(INPUTS, numbers=("x",))
    plain = draft(features=fit(spec, {"x": np.arange(3.0), "c": np.array(["a", "b", "c"], dtype=object)}))
    bundle.write(tmp_path / "b", plain)
    (tmp_path / "b" / "features.py").write_text("raise SystemExit('it ran')\n")
    with pytest.raises(BundleError, match=r"features\.py is not listed"):
        bundle.load(tmp_path / "b")


def test_a_manifest_rewritten_for_another_task_or_digest_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "b" / "manifest.json"
    for key, value in (("task", {"kind": "regression", "classes": []}), ("digest", "0" * 64), ("files", [])):
        bundle.write(tmp_path / "b", draft())
        path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
        assert bundle.verify(tmp_path / "b").state == "tampered"
    for text in ("", "[]", "{}", '{"format": 9}', "\xff"):
        path.write_bytes(text.encode("latin-1"))
        assert bundle.verify(tmp_path / "b").state == "tampered"


def test_a_folder_that_holds_something_else_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match=r"already holds 'notes\.txt'"):
        bundle.write(tmp_path, draft())


def test_a_reference_that_is_not_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="The reference is not JSON"):
        bundle.write(tmp_path / "b", draft(reference="{"))


@pytest.mark.parametrize("name", ["model.ubj", "reference.json"])
def test_a_bundle_that_a_full_disk_cut_short_is_incomplete_and_is_written_again(name: str, tmp_path: Path) -> None:
    (tmp_path / name).symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        bundle.write(tmp_path, draft())
    assert bundle.verify(tmp_path).state == "incomplete"
    with pytest.raises(BundleError, match="incomplete"):
        bundle.load(tmp_path)
    (tmp_path / name).unlink()
    bundle.write(tmp_path, draft())
    assert bundle.verify(tmp_path) == BundleVerdict("intact")
