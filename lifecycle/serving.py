"""What a function version needs to know beside its bundle: `serving.json`.

    function package:  code  bundle/  serving.json  [shadow/]  [arms/<name>/]

How much of a request its log record tells, whether another model is scored along with it, and which experiment it
carries. It lies outside the bundle and its digest: the same model may be served under another policy, and is then
another function version. Standard library only, because the predict function reads it at its start. It packs
nothing and assigns nobody to an arm.
"""

import json
import math
import re
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Literal, get_args

from lifecycle.errors import BundleError

FILE, SHADOW, ARMS = "serving.json", "shadow", "arms"
FORMAT = 1

LoggedFeatures = Literal["full", "digest"]

_DIGEST = re.compile(r"[0-9a-f]{64}")
# Arms are folders of the package, and both names stand in records and ledger entries.
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_FEWEST_ARMS = 2
_SHORT = 12


@dataclass(frozen=True)
class Shadow:
    """Another model, scored on a `share` of requests (0 to 1] until `budget_ms` after the request's start.

    `bundle`: the digest of the bundle in `shadow/`.
    """

    bundle: str
    share: float
    budget_ms: float

    def __post_init__(self) -> None:
        """Refuse what cannot be followed."""
        _require(_is_digest(self.bundle), "shadow.bundle is no sha256")
        _require(_is_number(self.share) and 0 < self.share <= 1, "shadow.share must lie above 0 and be at most 1")
        _require(_is_number(self.budget_ms) and self.budget_ms > 0, "shadow.budget_ms must be more than 0")


@dataclass(frozen=True)
class Arm:
    """One model of an experiment and its share of the units, 0 to 1. `bundle`: the digest of its bundle."""

    name: str
    weight: float
    bundle: str

    def __post_init__(self) -> None:
        """Refuse what cannot be followed."""
        _require(_is_name(self.name), "an arm's name must be lower case letters, digits and dashes")
        _require(_is_number(self.weight) and self.weight > 0, f"arm {self.name}: weight must be more than 0")
        _require(_is_digest(self.bundle), f"arm {self.name}: bundle is no sha256")


@dataclass(frozen=True)
class Experiment:
    """Several models in one function version; every unit keeps to one of them.

    The first arm is the default: its bundle is the one in `bundle/`, the others lie in `arms/<name>/`. `column`: the
    request's column that names the unit; without one, requests name it in `params.unit`.
    """

    name: str
    salt: str
    arms: tuple[Arm, ...]
    column: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be followed."""
        _require(_is_name(self.name), "an experiment's name must be lower case letters, digits and dashes")
        _require(isinstance(self.salt, str) and self.salt != "", "experiment.salt is empty")
        _require(self.column is None or (isinstance(self.column, str) and self.column != ""), "experiment.column")
        names = [arm.name for arm in self.arms]
        _require(len(names) >= _FEWEST_ARMS, f"an experiment needs {_FEWEST_ARMS} arms or more, found {len(names)}")
        _require(len(set(names)) == len(names), "an experiment names an arm twice")
        total = math.fsum(arm.weight for arm in self.arms)
        _require(math.isclose(total, 1, abs_tol=1e-9), f"the weights of the arms sum to {total:g}, expected 1")

    @property
    def default(self) -> Arm:
        """The arm of requests that name no unit."""
        return self.arms[0]

    @property
    def others(self) -> tuple[Arm, ...]:
        """The arms whose bundles lie beside the default one's."""
        return self.arms[1:]


@dataclass(frozen=True)
class Serving:
    """How a function version serves. `features`: whether its records hold the rows asked, or their digest only."""

    features: LoggedFeatures = "full"
    shadow: Shadow | None = None
    experiment: Experiment | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be followed."""
        known = get_args(LoggedFeatures)
        _require(self.features in known, f"features is {self.features!r}, expected {' or '.join(known)}")
        both = self.shadow is not None and self.experiment is not None
        _require(not both, "an experiment compares models itself; it takes no shadow beside it")

    @property
    def mark(self) -> str:
        """What tells this way of serving from others in a description: nothing for the usual one."""
        return "" if self == Serving() else sha256(self.to_json().encode()).hexdigest()[:_SHORT]

    def to_json(self) -> str:
        """Return the file's text, the same bytes for the same value."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Serving":
        """Read `to_json` back. Raises BundleError."""
        try:
            state = json.loads(text)
            if (found := state.pop("format")) != FORMAT:
                raise BundleError(f"{FILE} has format {found}, expected {FORMAT}.")
            shadow, experiment = state.pop("shadow"), state.pop("experiment")
            return cls(
                **state,
                shadow=None if shadow is None else Shadow(**shadow),
                experiment=None if experiment is None else _experiment(experiment),
            )
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise BundleError(f"{FILE} does not say how to serve.", detail=f"{type(error).__name__}.") from None


def description(bundle: str | None, serving: Serving) -> str:
    """Return the description of the function version that carries a bundle, or none, and serves it this way."""
    named = f"bundle:{bundle or 'none'}"
    return f"{named} serving:{serving.mark}" if serving.mark else named


def _experiment(state: dict[str, Any]) -> Experiment:
    arms = state.pop("arms")
    if not isinstance(arms, list):
        raise TypeError
    return Experiment(**state, arms=tuple(Arm(**arm) for arm in arms))


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _require(kept: bool, broken: str) -> None:  # noqa: FBT001  a condition, not an option
    if not kept:
        raise BundleError(f"{FILE} cannot be followed: {broken}.")
