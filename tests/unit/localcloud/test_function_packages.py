import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deployments.package import REPO, package
from lifecycle.errors import UsageError


def names(body: bytes) -> set[str]:
    return set(zipfile.ZipFile(io.BytesIO(body)).namelist())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    files = {
        "functions/__init__.py": "",
        "functions/hello/__init__.py": "",
        "functions/hello/handler.py": "from lifecycle import rules\nfrom lifecycle.deep.inner import VALUE\n",
        "functions/other/handler.py": "import os\n",
        "lifecycle/__init__.py": "",
        "lifecycle/rules.py": "def f() -> None:\n    import lifecycle.lazy\n",
        "lifecycle/lazy.py": "",
        "lifecycle/unused.py": "",
        "lifecycle/deep/__init__.py": "",
        "lifecycle/deep/inner.py": "VALUE = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_zip_holds_the_function_and_what_it_imports_however_late(tree: Path) -> None:
    assert names(package("hello", root=tree).body) == {
        "functions/__init__.py",
        "functions/hello/__init__.py",
        "functions/hello/handler.py",
        "lifecycle/__init__.py",
        "lifecycle/rules.py",
        "lifecycle/lazy.py",
        "lifecycle/deep/__init__.py",
        "lifecycle/deep/inner.py",
    }


def test_the_same_sources_give_the_same_bytes_whenever_they_were_written(tree: Path) -> None:
    first = package("hello", root=tree)
    handler = tree / "functions/hello/handler.py"
    handler.write_text(handler.read_text())
    assert package("hello", root=tree).body == first.body
    assert first.key == f"code/hello-{first.sha256}.zip"


def test_another_source_is_another_key(tree: Path) -> None:
    before = package("hello", root=tree).key
    (tree / "lifecycle/lazy.py").write_text("CHANGED = True\n")
    assert package("hello", root=tree).key != before
    assert package("other", root=tree).key == package("other", root=tree).key


def test_what_a_function_does_not_import_does_not_change_it(tree: Path) -> None:
    before = package("hello", root=tree).key
    (tree / "lifecycle/unused.py").write_text("CHANGED = True\n")
    assert package("hello", root=tree).key == before


def test_a_bootstrap_is_executable_and_names_the_interpreter(tree: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(package("hello", python=Path("/opt/my python"), root=tree).body)) as archive:
        info = archive.getinfo("bootstrap")
        assert (info.external_attr >> 16) & 0o777 == 0o755
        assert 'exec "/opt/my python" -m awslambdaric "$_HANDLER"' in archive.read("bootstrap").decode()


def test_an_import_that_leads_nowhere_is_refused(tree: Path) -> None:
    (tree / "lifecycle/rules.py").write_text("import lifecycle.nothing\n")
    with pytest.raises(UsageError, match=r"import of lifecycle\.nothing leads nowhere"):
        package("hello", root=tree)


def test_a_function_that_does_not_exist_is_refused(tree: Path) -> None:
    with pytest.raises(UsageError, match="There is no function 'nobody'"):
        package("nobody", root=tree)


@pytest.mark.parametrize("function", ["bridge", "guard", "predict"])
def test_a_real_function_imports_from_its_zip_alone(function: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(package(function).body)) as archive:
        archive.extractall(tmp_path)
    # -S keeps the checkout's own installation away, so that only the zip and the vendors can be found.
    vendors = [path for path in sys.path if path.endswith("site-packages")]
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}]; sys.path += {vendors!r}\n"
        f"import functions.{function}.handler as handler\n"
        f"assert handler.__file__.startswith({str(tmp_path)!r})\n"
        f"ours = [m.__file__ for n, m in sys.modules.items() if n.split('.')[0] in ('lifecycle', 'functions')]\n"
        f"assert all(file.startswith({str(tmp_path)!r}) for file in ours), ours"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not any(name.startswith(("tasks/", "flows/")) for name in names(package(function, root=REPO).body))
