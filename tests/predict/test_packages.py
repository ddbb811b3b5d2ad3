"""What is packed is found again, and nothing is packed that `serving.json` does not name."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from lifecycle.bundle import load
from lifecycle.errors import BundleError
from lifecycle.manifest import Release
from lifecycle.serving import FILE, Arm, Experiment, Serving, Shadow
from lifecycle.serving_policy import PredictionsPolicy, ShadowPolicy
from tasks.packages import Carried, Extras, extras, pack, unpack

THREE, TWO = Release("3", "2026-01-01T00:00:00+00:00"), Release("2", "2025-12-01T00:00:00+00:00")
SHADOWED = PredictionsPolicy(shadow=ShadowPolicy())


def code(**files: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in {"functions.py": "code", **files}.items():
            archive.writestr(name, text)
    return out.getvalue()


def names(body: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return archive.namelist()


def carried(loans: Any, release: Release = TWO) -> Carried:
    return Carried(loans.root / "bundle", release)


def test_a_package_served_as_usual_is_described_by_its_bundle_alone(loans: Any) -> None:
    package = pack(code(), loans.root / "bundle", THREE)
    assert package.description == f"bundle:{load(loans.root / 'bundle').digest}"
    assert unpack(package.body).serving == Serving()
    assert unpack(package.body).description == package.description


def test_the_code_alone_carries_neither_bundle_nor_serving() -> None:
    package = pack(code(**{"bundle/model.ubj": "old", "arms/a/model.ubj": "old", FILE: "old"}), None, None)
    assert (names(package.body), package.description) == (["functions.py"], "bundle:none")
    with pytest.raises(BundleError, match="absent"):
        unpack(package.body)


def test_packing_again_leaves_nothing_of_the_package_before(loans: Any, numeric: Any) -> None:
    before = pack(code(), loans.root / "bundle", THREE, extras(SHADOWED, carried(numeric)))
    again = pack(before.body, loans.root / "bundle", THREE)
    assert again == pack(code(), loans.root / "bundle", THREE)


def test_a_shadow_is_carried_when_the_product_wants_one_and_there_is_one(
    loans: Any, numeric: Any, tmp_path: Path
) -> None:
    more = extras(SHADOWED, carried(numeric))
    package = pack(code(), loans.root / "bundle", THREE, more)
    assert package == pack(code(), loans.root / "bundle", THREE, more)
    found = unpack(package.body, tmp_path)
    assert found.serving.shadow == Shadow(load(numeric.root / "bundle").digest, 1.0, 50.0)
    assert (load(tmp_path / "bundle").release, load(tmp_path / "shadow").release) == (THREE, TWO)
    assert found.description == package.description
    assert extras(SHADOWED, None) == extras(PredictionsPolicy(), carried(numeric)) == Extras()


def test_packages_served_in_another_way_are_described_in_another_way(loans: Any, numeric: Any) -> None:
    ways = [Extras(), Extras(Serving("digest")), extras(SHADOWED, carried(numeric))]
    assert len({pack(code(), loans.root / "bundle", THREE, way).description for way in ways}) == len(ways)


def test_an_experiment_carries_an_arm_beside_the_first(loans: Any, numeric: Any, tmp_path: Path) -> None:
    one, other = (load(bundle.root / "bundle").digest for bundle in (loans, numeric))
    serving = Serving(experiment=Experiment("x", "salt", (Arm("control", 0.5, one), Arm("blue", 0.5, other))))
    more = Extras(serving, {"arms/blue": carried(numeric)})
    unpack(pack(code(), loans.root / "bundle", THREE, more).body, tmp_path)
    assert load(tmp_path / "arms" / "blue").digest == other
    with pytest.raises(BundleError, match="not that of the experiment's first arm, control"):
        pack(code(), numeric.root / "bundle", THREE, more)
    with pytest.raises(BundleError, match=r"names the bundles \['arms/blue'\]"):
        pack(code(), loans.root / "bundle", THREE, Extras(serving))


def test_another_bundle_than_the_one_named_is_not_packed(loans: Any, numeric: Any) -> None:
    more = Extras(Serving(shadow=Shadow("0" * 64, 1.0, 50.0)), {"shadow": carried(numeric)})
    with pytest.raises(BundleError, match="names the bundles"):
        pack(code(), loans.root / "bundle", THREE, more)
    with pytest.raises(BundleError, match="names the bundles"):
        pack(code(), loans.root / "bundle", THREE, Extras(beside={"shadow": carried(numeric)}))


def test_nothing_is_unpacked_outside_its_folder(loans: Any, tmp_path: Path) -> None:
    package = pack(code(), loans.root / "bundle", THREE)
    out = io.BytesIO(package.body)
    with zipfile.ZipFile(out, "a") as archive:
        for name in ("bundle/../../escaped", "arms/../escaped", "arms/../../escaped", "shadow/..", "bundle//escaped"):
            archive.writestr(name, "out")
    (folder := tmp_path / "deep" / "here").mkdir(parents=True)
    unpack(out.getvalue(), folder)
    assert sorted(path.name for path in folder.iterdir()) == ["bundle", FILE]
    assert not list(tmp_path.rglob("escaped"))


def test_a_package_without_serving_is_refused(loans: Any) -> None:
    files = {f"bundle/{path.name}": path.read_bytes().decode("latin-1") for path in (loans.root / "bundle").iterdir()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text.encode("latin-1"))
    with pytest.raises(BundleError, match=r"holds no serving\.json"):
        unpack(out.getvalue())
