"""Everything a function version carries, opened once: the model that answers, and those of a shadow or an experiment.

It opens and picks; it scores nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from functions.predict.invocations import Given
from functions.predict.model import NO_CHAMPION, Note, Served, Unready, open_bundle
from functions.predict.shadow import NoShadow, open_shadow
from lifecycle.assignment import Assigned, assign
from lifecycle.errors import TropismError
from lifecycle.serving import ARMS, FILE, SHADOW, Experiment, Serving

FOLDER = "bundle"

Open = Callable[[str], Served | Unready]


@dataclass(frozen=True)
class Carried:
    """What there is to serve. `shadow` is there when `serving` has one, `arms` by name when it has an experiment."""

    served: Served
    serving: Serving
    shadow: Served | NoShadow | None = None
    arms: Mapping[str, Served] = field(default_factory=dict)

    def pick(self, assigned: Assigned | None) -> Served:
        """Return the model of the arm, the default one for a request that has none."""
        return self.served if assigned is None else self.arms[assigned.arm.name]


@dataclass(frozen=True)
class Units:
    """Whom a request is about. `found`: how many different units; only a request about one takes part."""

    found: int
    assigned: Assigned | None = None


def place(experiment: Experiment, given: Given, named: str | None) -> Units:
    """Return the arm of a request: by the unit it names, or by the experiment's column."""
    units = {named} if named is not None else _units(given.get(experiment.column or "", ()))
    return Units(len(units), assign(experiment, units.pop()) if len(units) == 1 else None)


def open_all(root: Path, library: str | None, note: Note) -> Carried | Unready:
    """Open what lies in `root`. `library`: path of XGBoost's library; `note` takes log events."""
    if not (root / FOLDER).is_dir():
        return Unready("no_champion", NO_CHAMPION)
    serving = _read_serving(root / FILE)
    if isinstance(serving, Unready):
        return serving
    served = open_bundle(root / FOLDER, library, note)
    if isinstance(served, Unready):
        return served
    if serving.shadow is not None:
        return Carried(served, serving, open_shadow(root / SHADOW, serving.shadow, library, note))
    if serving.experiment is None:
        return Carried(served, serving)
    arms = _open_arms(serving.experiment, served, lambda name: open_bundle(root / ARMS / name, library, note))
    return arms if isinstance(arms, Unready) else Carried(served, serving, arms=arms)


def _open_arms(experiment: Experiment, default: Served, open_arm: Open) -> Mapping[str, Served] | Unready:
    """Open every arm. One that cannot be opened ends it: its units, answered by another, would break the experiment."""
    arms = {experiment.default.name: default}
    for arm in experiment.arms:
        found = arms.get(arm.name) or open_arm(arm.name)
        if isinstance(found, Unready):
            return Unready(found.code, f"Arm {arm.name!r}: {found.sentence}")
        if found.bundle.digest != arm.bundle:
            sentence = f"Arm {arm.name!r} is bundle {found.bundle.digest[:12]}, expected {arm.bundle[:12]}."
            return Unready("bundle_refused", sentence)
        arms[arm.name] = found
    return arms


def _read_serving(path: Path) -> Serving | Unready:
    """Read how to serve. Guessing would be wrong: a record might tell what the product keeps to itself."""
    try:
        return Serving.from_json(path.read_text(encoding="utf-8"))
    except (TropismError, OSError, UnicodeDecodeError) as error:
        found = str(error) if isinstance(error, TropismError) else f"{FILE} cannot be read: {type(error).__name__}."
        return Unready("serving_refused", f"This function version does not say how to serve. {found}")


def _units(values: object) -> set[str]:
    """Return the different identities in a column; what is missing or of no fit kind is none."""
    listed = values if isinstance(values, list | tuple) else ()
    fit = {value for value in listed if isinstance(value, str | int) and not isinstance(value, bool)}
    return {str(value) for value in fit if value != ""}
