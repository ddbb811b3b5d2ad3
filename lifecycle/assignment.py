"""Which arm of an experiment a unit gets: always the same one, everywhere, from its identity alone.

    sha256(salt, unit) → a point in [0, 1) → the arm whose stretch of cumulative weights holds it

Nothing is stored, so nothing has to be looked up. Standard library only, because the predict function assigns. It
keeps as long as the arms keep: adding one at the end and shrinking all others moves every boundary, and with them
units from one old arm to another. Only weight taken from the last arm alone moves units to the new arm and nowhere
else. A running experiment therefore never changes; another one has another salt, and assigns anew.
"""

from dataclasses import dataclass
from hashlib import sha256

from lifecycle.serving import Arm, Experiment

# 32 of 64 hex digits: two of a billion units share a digest with a chance of 1 in 10^21.
_DIGITS = 32
_POINT_DIGITS = 16
_POINTS = 16.0**_POINT_DIGITS


@dataclass(frozen=True)
class Assigned:
    """A unit's place in an experiment. `unit`: its digest, which tells nobody who it is without the salt."""

    unit: str
    arm: Arm


def assign(experiment: Experiment, unit: str) -> Assigned:
    """Return the unit's arm: the same one at every call, on every machine."""
    digest = digest_of(experiment.salt, unit)
    return Assigned(digest, arm_at(experiment, digest))


def digest_of(salt: str, unit: str) -> str:
    """Return the digest a unit has in one experiment, 32 hex digits; in another it has another."""
    return sha256(f"{len(salt)}:{salt}:{unit}".encode(errors="surrogatepass")).hexdigest()[:_DIGITS]


def arm_at(experiment: Experiment, digest: str) -> Arm:
    """Return the arm that a digest belongs to, so that a record can be checked long after."""
    point, reached = int(digest[:_POINT_DIGITS], 16) / _POINTS, 0.0
    for arm in experiment.arms[:-1]:
        reached += arm.weight
        if point < reached:
            return arm
    return experiment.arms[-1]  # whatever rounding left
