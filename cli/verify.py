"""`tropism verify`: whether everything that is said about a product is true of the world outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from cli import content, context, output
from cli.context import Here
from lifecycle.errors import TropismError

if TYPE_CHECKING:
    from lifecycle.alias import AliasState
    from lifecycle.control import Contender, ControlRecord

_NOTHING = "nothing"


@dataclass(frozen=True)
class Check:
    """`verify`: one comparison; `ok` is true when what was found is what was expected."""

    product: str
    check: str
    ok: bool
    found: str
    expected: str


def verify(
    product: Annotated[
        str | None, typer.Argument(metavar="PRODUCT", help="The product; without it, all of them.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of checks.")] = False,
) -> None:
    """Compare the control record with the endpoint, the aliases, the bundle inside the serving version and the ledger.

    Exit code 1 when something is off.

    Example: tropism verify flights
    """
    here = context.here(product)
    names = (product,) if product else here.products()
    found = [check for name in names for check in of_product(here, name)]
    if as_json:
        output.emit(found)
    else:
        for check in found:
            expected = "" if check.ok else f"; expected {check.expected}"
            output.say(f"{'ok ' if check.ok else 'OFF'} {check.product}: {check.check}: {check.found}{expected}")
        output.say(_summary(found))
    if not all(check.ok for check in found):
        raise typer.Exit(1)


def of_product(here: Here, product: str) -> list[Check]:
    """Make every check of one product; one that cannot be made is off, and hides no other."""
    return [
        *_content(here, product),
        *_guarded(product, "ledger", lambda: _ledger(here, product)),
        *_held(here, product),
    ]


def _held(here: Here, product: str) -> list[Check]:
    from tasks import control

    try:
        record = control.read(here.bucket, product).record
    except TropismError as error:
        return [Check(product, "control record", ok=False, found=str(error), expected="a control record")]
    champion = record.champion
    looks: dict[str, Callable[[], Check]] = {
        "endpoint": lambda: _endpoint(here, product, record),
        "function alias": lambda: _function_alias(here, product, record),
        "MLflow alias": lambda: _model_alias(product, champion),
        "bundle": lambda: _bundle(here, product, champion),
    }
    return [check for name, look in looks.items() for check in _guarded(product, name, look)]


def _content(here: Here, product: str) -> Iterator[Check]:
    for finding in content.of_product(here, product):
        expected = finding.resolution or "files that can be used"
        yield Check(product, finding.check, finding.state != "missing", finding.found, expected)


def _ledger(here: Here, product: str) -> Check:
    from tasks import ledger

    verdict = ledger.check(here.bucket, product)
    return Check(product, "ledger", verdict.holds, verdict.reason, "a chain without gap or alteration")


def _endpoint(here: Here, product: str, record: ControlRecord) -> Check:
    """Compare who answers; during a release it may be the challenger."""
    from tasks import endpoint

    found, challenger = endpoint.serving(here.settings, product), record.challenger
    answers = _model(found.model_version if found else None)
    if record.weight > 0 and challenger is not None and answers == _expected(challenger):
        return _same(product, "endpoint", answers, _expected(challenger))
    return _same(product, "endpoint", answers, _expected(record.champion))


def _function_alias(here: Here, product: str, record: ControlRecord) -> Check:
    from tasks import endpoint

    found, champion = endpoint.alias(here.settings.predict_function(product)), record.champion
    if champion is None:  # before the first release the alias points to a version without a bundle
        return Check(product, "function alias", ok=True, found=_version(found), expected="any version without a model")
    mixed = "".join(f" and {share:.0%} version {version}" for version, share in found.extra.items()) if found else ""
    return _same(product, "function alias", f"{_version(found)}{mixed}", _split(champion, record))


def _split(champion: Contender, record: ControlRecord) -> str:
    """Return how the alias has to be: the challenger has its weight, and is alone at full weight."""
    challenger = record.challenger
    if challenger is None or not record.weight:
        return f"function version {champion.function_version}"
    if record.weight >= 1:
        return f"function version {challenger.function_version}"
    return f"function version {champion.function_version} and {record.weight:.0%} version {challenger.function_version}"


def _model_alias(product: str, champion: Contender | None) -> Check:
    from tasks import registry

    return _same(product, "MLflow alias", _model(registry.model_aliases(product).get("champion")), _expected(champion))


def _bundle(here: Here, product: str, champion: Contender | None) -> Check:
    from tasks import function_versions

    if champion is None or champion.function_version is None:
        return Check(product, "bundle", champion is None, _NOTHING, "a function version of the champion")
    function = here.settings.predict_function(product)
    bundle = function_versions.bundle_of(here.bucket, function, champion.function_version)
    return _same(product, "bundle", f"sha256 {bundle.digest}", f"sha256 {champion.bundle}")


def _guarded(product: str, name: str, look: Callable[[], Check]) -> list[Check]:
    from cli.failures import translate

    try:
        return [look()]
    except Exception as error:
        known = translate(error)
        if known is None:
            raise
        return [Check(product, name, ok=False, found=f"{known.summary} {known.detail}".strip(), expected="an answer")]


def _same(product: str, check: str, found: str, expected: str) -> Check:
    return Check(product, check, found == expected, found, expected)


def _model(version: str | None) -> str:
    return f"model {version}" if version else _NOTHING


def _expected(champion: Contender | None) -> str:
    return _model(champion.model_version if champion else None)


def _version(found: AliasState | None) -> str:
    return f"function version {found.function_version}" if found else _NOTHING


def _summary(found: list[Check]) -> str:
    if not found:
        return "There is no product yet. Add one as products/NAME/product.yaml."
    off = sum(not check.ok for check in found)
    return f"{off} of {len(found)} checks are off." if off else f"All {len(found)} checks hold."
