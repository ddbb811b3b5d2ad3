"""Zips of function code: a function's folder and the modules it imports, the same bytes for the same sources.

What goes in is read from the imports themselves, so a function cannot depend on a file that was forgotten, nor carry
what it does not use. Vendors are not packed: on AWS they come from the runtime and its layer, on a laptop from the
project's own environment, which the zip's `bootstrap` starts.
"""

from __future__ import annotations

import ast
import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lifecycle.errors import UsageError

REPO = Path(__file__).resolve().parent.parent
_OURS = ("functions", "lifecycle")
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The earliest a zip can say; a real date would make every zip another one."""
_FILE, _PROGRAM = 0o100644, 0o100755


@dataclass(frozen=True)
class Code:
    """A function's zip. `sha256` is hex over its bytes."""

    function: str
    body: bytes

    @property
    def sha256(self) -> str:
        """The digest that names this code."""
        return hashlib.sha256(self.body).hexdigest()

    @property
    def key(self) -> str:
        """Where it lies in the bucket; other code lies elsewhere, so nothing is ever overwritten."""
        return f"code/{self.function}-{self.sha256}.zip"


def package(function: str, *, python: Path | None = None, root: Path = REPO) -> Code:
    """Zip `functions/<function>` and what it imports.

    With `python`, the zip brings a `bootstrap` for the runtime `provided.al2023` that runs AWS's own runtime client
    in that interpreter. Raises UsageError when there is no such function or an import leads nowhere.
    """
    folder = root / "functions" / function
    if not (folder / "handler.py").exists():
        raise UsageError(f"There is no function {function!r}.", detail=f"{folder} has no handler.py.")
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in _reached(folder, root)}
    modes = dict.fromkeys(files, _FILE)
    if python is not None:
        files["bootstrap"] = _bootstrap(python).encode()
        modes["bootstrap"] = _PROGRAM
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _LONG_AGO)
            info.create_system, info.external_attr, info.compress_type = 3, modes[name] << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, files[name])
    return Code(function, out.getvalue())


def _bootstrap(python: Path) -> str:
    """Write the program Lambda starts; `-m` puts the zip before whatever that Python has installed."""
    return f'#!/bin/sh\ncd "$LAMBDA_TASK_ROOT"\nexec "{python}" -m awslambdaric "$_HANDLER"\n'


def _reached(folder: Path, root: Path) -> set[Path]:
    """Return every file of the function's folder and every module of ours they import, with their packages."""
    waiting = list(folder.rglob("*.py"))
    reached: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        reached.add(path)
        packages = [parent / "__init__.py" for parent in path.parents if root in parent.parents]
        waiting.extend(file for file in packages if file.exists())
        waiting.extend(_imported(path, root))
    return reached


def _imported(path: Path, root: Path) -> Iterator[Path]:
    """Yield the files of ours that one file imports, wherever in the file it does."""
    for node in ast.walk(ast.parse(path.read_text(), filename=str(path))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            # `from lifecycle import bundle` names a module or something inside one.
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.ImportFrom):
            raise UsageError(
                f"{path} has a relative import in line {node.lineno}.", detail="Imports are absolute here."
            )
        else:
            continue
        for name in names:
            if name.split(".")[0] in _OURS:
                yield from _module(name, root, required=name == names[0])


def _module(name: str, root: Path, *, required: bool) -> Iterator[Path]:
    place = root.joinpath(*name.split("."))
    if (file := place.with_suffix(".py")).exists():
        yield file
    elif (place / "__init__.py").exists():
        yield place / "__init__.py"
    elif required:
        raise UsageError(
            f"The import of {name} leads nowhere.", detail=f"Neither {file} nor {place}/__init__.py exists."
        )
