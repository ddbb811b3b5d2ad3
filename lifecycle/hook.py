"""A product's own features: `derive(columns) -> columns`, from source text that travels in the bundle.

Not a sandbox: the source is a reviewed part of the product. The check only refuses what would work in
training and fail while serving, which has the standard library and numpy.
"""

import sys
from collections.abc import Callable
from types import ModuleType

import numpy as np

from lifecycle.columns import Columns
from lifecycle.errors import ProductError

HOOK_FILE = "features.py"
ALLOWED = frozenset({"numpy"})

Derive = Callable[[Columns], Columns]


class HookError(ProductError):
    """The product's features.py cannot be used, or broke while deriving."""


def check_source(source: str) -> None:
    """Raise HookError unless the source parses, defines derive() and imports only numpy and the stdlib."""
    import ast  # noqa: PLC0415  only training checks; serving imports this module at every cold start

    try:
        tree = ast.parse(source, HOOK_FILE)
    except SyntaxError as error:
        raise HookError(f"{HOOK_FILE} line {error.lineno} is not Python: {error.msg}.") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            packages = [name.name.partition(".")[0] for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            packages = [(node.module or ".").partition(".")[0]]
        else:
            continue
        for package in packages:
            if package not in ALLOWED and package not in sys.stdlib_module_names:
                raise HookError(
                    f"{HOOK_FILE} line {getattr(node, 'lineno', 0)} imports {package!r}; serving has only the "
                    "standard library and numpy, so features can use nothing else."
                )
    if not any(isinstance(node, ast.FunctionDef) and node.name == "derive" for node in tree.body):
        raise HookError(f"{HOOK_FILE} defines no function derive(columns).")


def load_derive(source: str) -> Derive:
    """Return the hook's derive(), which raises HookError whatever goes wrong inside. Runs the source."""
    module = ModuleType("product_features")
    try:
        exec(compile(source, HOOK_FILE, "exec"), module.__dict__)  # noqa: S102  the product's reviewed code
    except Exception as error:
        raise HookError(f"{HOOK_FILE} does not load: {type(error).__name__}: {error}") from error
    hook = getattr(module, "derive", None)
    if not callable(hook):
        raise HookError(f"{HOOK_FILE} defines no function derive(columns).")

    def derive(columns: Columns) -> Columns:
        try:
            with np.errstate(all="ignore"):
                derived = hook(dict(columns))
        except Exception as error:
            # The vendor's text may quote a row's value, so only the kind of error is told.
            raise HookError(f"derive() in {HOOK_FILE} broke with {type(error).__name__}.") from error
        if not hasattr(derived, "items"):
            raise HookError(f"derive() returns a {type(derived).__name__}, expected a mapping of name to array.")
        return dict(derived)

    return derive
