"""The guard starts with the standard library alone: Lambda's runtime brings boto3 and nothing else."""

import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

from deployments.package import package


def test_nothing_but_the_standard_library_is_imported_before_an_alarm_comes(tmp_path: Path) -> None:
    with zipfile.ZipFile(BytesIO(package("guard").body)) as archive:
        archive.extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import functions.guard.handler\n"
        "known = set(sys.stdlib_module_names) | {'functions', 'lifecycle', '__main__'}\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} - known))\n"
    )
    # -I -S: neither this checkout nor anything installed can be found.
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
    packed = {path.relative_to(tmp_path).as_posix() for path in (tmp_path / "lifecycle").glob("*.py")}
    assert packed == {f"lifecycle/{name}.py" for name in ("__init__", "alias", "envelope", "guarding", "notices")}
