"""Whether what a use case brings can be used: its product.yaml and its expectation suites."""

from __future__ import annotations

from cli.context import Here
from cli.findings import Finding, guarded, missing, ok


def look(here: Here) -> list[Finding]:
    """Check every product's file and suites."""
    names = here.products()
    if not names:
        where = here.settings.products.resolve()
        return [missing("products", f"{where} holds none", "Add one as products/NAME/product.yaml.")]
    return [finding for name in names for finding in of_product(here, name)]


def of_product(here: Here, name: str) -> list[Finding]:
    """Check one product's file and suites."""
    found = guarded(f"product {name}", lambda: [_product(here, name)])
    return found + guarded(f"suites of {name}", lambda: _suites(here, name))


def _product(here: Here, name: str) -> Finding:
    product = here.product(name)
    return ok(f"product {name}", f"{product.task} of {product.target.column!r}, {len(product.columns)} columns")


def _suites(here: Here, name: str) -> list[Finding]:
    """Read and build every suite of a product, as the gate does: whatever would be dropped silently is refused."""
    from tasks.suites import build, load_suite

    found = []
    names = sorted(path.stem for path in here.settings.expectations.glob(f"{name}_*.json"))
    for suite in names if f"{name}_raw" in names else [f"{name}_raw", *names]:
        loaded = load_suite(here.settings.expectations, suite)
        build(loaded)
        found.append(ok(f"suite {suite}", f"{len(loaded.rules)} expectations, sha256 {loaded.sha256[:12]}"))
    return found
