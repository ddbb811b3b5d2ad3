"""How much of a product's traffic a challenger gets: the weights of the alias, and proof that they are in effect.

An alias knows two published versions at most; what AWS refuses and an emulator takes is refused here. When to give
which weight is decided elsewhere, sending everything to one version is `endpoint.move_alias`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

from lifecycle.alias import AliasState
from lifecycle.errors import ConflictError, ReleaseError
from lifecycle.settings import Settings
from tasks.clients import lambda_client
from tasks.endpoint import ALIAS, Serving, alias, serving

# How unlikely it may be that a challenger with its weight in effect was never the one to answer.
_MISSED = 1e-6
_POLL_SECONDS = 0.25
_BAD = 500


@dataclass(frozen=True)
class Split:
    """Which version answers, and which other one takes a share of the requests, above 0 and below 1."""

    base: str
    extra: Mapping[str, float]

    def is_in(self, state: AliasState) -> bool:
        """Say whether the alias is split like this."""
        same = state.function_version == self.base and state.extra.keys() == self.extra.keys()
        return same and all(math.isclose(state.extra[version], weight) for version, weight in self.extra.items())


def split_of(champion: str, challenger: str, weight: float) -> Split:
    """Return the split that gives the challenger a weight, 0 to 1: at 1 it is alone, as AWS takes no weight of 1."""
    if weight <= 0:
        return Split(champion, {})
    return Split(challenger, {}) if weight >= 1 else Split(champion, {challenger: weight})


def set_weights(function: str, wanted: Split, *, seen: AliasState) -> AliasState:
    """Split the requests of an alias between two published versions, and return how it is then.

    Split like this already, nothing is changed. Raises ReleaseError when there can be no such split, ConflictError
    when the alias is not as it was seen.
    """
    _require_possible(function, wanted)
    now = alias(function)
    if now is None:
        raise ReleaseError(f"{function} has no alias {ALIAS!r}.", resolution="Run the release again; it makes one.")
    if wanted.is_in(now):
        return now
    if now.revision != seen.revision:
        raise _moved(function, now)
    try:
        lambda_client().update_alias(
            FunctionName=function,
            Name=ALIAS,
            FunctionVersion=wanted.base,
            RoutingConfig={"AdditionalVersionWeights": dict(wanted.extra)},
            RevisionId=seen.revision,
        )
    except lambda_client().exceptions.PreconditionFailedException as error:
        raise _moved(function, alias(function) or now) from error
    return _read_back(function, wanted)


def asks(weight: float) -> int:
    """Return how many requests a challenger with this share misses altogether less than once in a million."""
    return 1 if weight >= 1 else math.ceil(math.log(_MISSED) / math.log1p(-weight))


def await_share(settings: Settings, product: str, function_version: str, weight: float, *, seconds: float) -> Serving:
    """Ask the endpoint until a version with a share of the requests has answered once.

    Raises ReleaseError when it did not in so many requests that only one release in a million is unlucky, nor
    within `seconds`, which an alias may take to reach every front end.
    """
    wanted, deadline, asked = asks(weight), time.monotonic() + seconds, 0
    while True:
        found, asked = serving(settings, product), asked + 1
        if found is not None and found.function_version == function_version and found.status < _BAD:
            return found
        if asked >= wanted and time.monotonic() > deadline:
            raise ReleaseError(
                f"Function version {function_version} of {product} never answered.",
                detail=f"It has {weight:.0%} of the requests and answered none of {asked} within {seconds:g} s.",
                resolution=f"Look with `tropism status {product}`.",
            )
        if asked >= wanted:
            time.sleep(_POLL_SECONDS)


def _require_possible(function: str, wanted: Split) -> None:
    """Refuse what no alias can be: AWS does as well, an emulator may not."""
    if len(wanted.extra) > 1 or wanted.base in wanted.extra:
        raise _impossible(function, f"{len(wanted.extra) + 1} versions: {[wanted.base, *wanted.extra]}", "two versions")
    for version, weight in wanted.extra.items():
        if not 0 < weight < 1:
            raise _impossible(function, f"weight {weight} for version {version}", "a weight above 0 and below 1")
    for version in (wanted.base, *wanted.extra):
        if not version.isdecimal() or not _is_published(function, version):
            raise _impossible(function, f"version {version}", "a published version")


def _is_published(function: str, version: str) -> bool:
    try:
        lambda_client().get_function_configuration(FunctionName=function, Qualifier=version)
    except lambda_client().exceptions.ResourceNotFoundException:
        return False
    return True


def _read_back(function: str, wanted: Split) -> AliasState:
    now = alias(function)
    if now is None or not wanted.is_in(now):
        found = f"version {now.function_version} and {dict(now.extra)}" if now else "no alias"
        raise ReleaseError(
            f"The alias of {function} was not split as asked.",
            detail=f"Found {found}, expected version {wanted.base} and {dict(wanted.extra)}.",
        )
    return now


def _impossible(function: str, found: str, expected: str) -> ReleaseError:
    return ReleaseError(f"The alias of {function} cannot be split so.", detail=f"Found {found}, expected {expected}.")


def _moved(function: str, now: AliasState) -> ConflictError:
    shares = ", ".join(f"{weight:.0%} to version {version}" for version, weight in now.extra.items()) or "nothing else"
    return ConflictError(
        f"Somebody else moved the alias of {function} first; nothing was moved here.",
        detail=f"It points to version {now.function_version}, with {shares}.",
    )
