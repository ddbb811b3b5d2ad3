"""What an alarm about one function version means for the traffic. Pure, and the standard library only.

The guard is the safety net under the release controller: it takes a challenger out of the traffic and does nothing
else. An alarm of what served before changes nothing, so that it cannot block the fix. What it did is a record of its
own beside the control record, which it never writes. How AWS spells an alarm is `lifecycle/notices.py`.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from uuid import uuid5

from lifecycle.alias import AliasState
from lifecycle.envelope import NAMESPACE

_PUBLISHED = re.compile(r"[1-9][0-9]*")


class Code(StrEnum):
    """What the guard did, or why it did nothing. Scripts and people rely on the codes; a code is never reused."""

    TAKEN_BACK = "taken_back"
    ALREADY_OUT = "already_out"  # the challenger takes no traffic any more: an earlier attempt, a person, the release
    CHAMPION = "champion"  # what served before; taking it out would leave the challenger alone
    NOT_SERVING = "not_serving"
    UNDECIDABLE = "undecidable"  # the alias itself points to it, and nothing says to what else it could
    NO_ALIAS = "no_alias"


@dataclass(frozen=True)
class Alarm:
    """An alarm that fired about one version of one function. `at` is when its state changed, as AWS wrote it."""

    name: str
    function: str
    function_version: str
    metric: str
    at: str
    reason: str

    @property
    def id(self) -> str:
        """Return the id of this firing: told twice, it is the same one."""
        return _firing(self.name, self.at)


@dataclass(frozen=True)
class Rise:
    """An alarm that more is asked of a function than it is kept ready for: somebody is to look, no traffic moves."""

    name: str
    function: str
    at: str
    reason: str

    @property
    def id(self) -> str:
        """Return the id of this firing: told twice, it is the same one."""
        return _firing(self.name, self.at)


@dataclass(frozen=True)
class Standing:
    """The function versions in the control record's places; None where there is nobody."""

    champion: str | None
    challenger: str | None


@dataclass(frozen=True)
class Decision:
    """What to do. `to`: the one version that is to answer everything; None changes nothing."""

    code: Code
    reason: str
    to: str | None = None


@dataclass(frozen=True)
class GuardRecord:
    """One firing and what the guard did about it, stored under `control/<product>/guard/<id>.json`."""

    id: str
    product: str
    alarm: str
    metric: str
    function: str
    function_version: str
    fired_at: str
    code: str
    reason: str
    to: str | None
    before: str | None
    recorded_at: str

    def to_json(self) -> str:
        """Return the stored form."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, body: bytes | str) -> GuardRecord:
        """Read it back. Raises ValueError when it is none."""
        try:
            return cls(**json.loads(body))
        except TypeError as error:
            raise ValueError(f"This is no guard record: {error}.") from error


def decide(alarm: Alarm, traffic: AliasState | None, standing: Standing | None) -> Decision:
    """Say what an alarm asks for. `standing` is None when the control record cannot be read.

    Only the challenger is ever taken out: the alias's additional version, or the version that takes everything while
    the record still names another champion. Asked again after its own move, it finds the challenger out already.
    """
    version = alarm.function_version
    if traffic is None:
        return Decision(Code.NO_ALIAS, f"{alarm.function} has no alias to move.")
    if standing is not None and version == standing.champion:
        return Decision(Code.CHAMPION, f"Version {version} is the champion; an alarm of it moves no traffic.")
    if version in traffic.extra:
        share = f"{traffic.extra[version]:.0%}"
        reason = f"Version {version} took {share} of the requests; version {traffic.function_version} answers all now."
        return Decision(Code.TAKEN_BACK, reason, traffic.function_version)
    if version == traffic.function_version:
        return _alone(version, standing)
    if standing is not None and version == standing.challenger:
        return Decision(Code.ALREADY_OUT, f"Version {version} is the challenger and takes no traffic any more.")
    return Decision(Code.NOT_SERVING, f"Version {version} takes no traffic.")


def read_standing(body: bytes | None) -> Standing | None:
    """Read who has which place off a control record; None when there is none or it cannot be read."""
    try:
        record = json.loads(body or b"")
    except ValueError:
        return None
    if not isinstance(record, dict):
        return None
    return Standing(_version(record.get("champion")), _version(record.get("challenger")))


def record(alarm: Alarm, product: str, decision: Decision, traffic: AliasState | None, now: datetime) -> GuardRecord:
    """Return what is to be remembered. `now` needs a time zone."""
    return GuardRecord(
        id=alarm.id,
        product=product,
        alarm=alarm.name,
        metric=alarm.metric,
        function=alarm.function,
        function_version=alarm.function_version,
        fired_at=alarm.at,
        code=decision.code.value,
        reason=f"{decision.reason} {alarm.reason}".strip(),
        to=decision.to,
        before=str(traffic) if traffic else None,
        recorded_at=now.isoformat(),
    )


def record_key(product: str, identity: str) -> str:
    """Return the object key of a record."""
    return f"{record_prefix(product)}{identity}.json"


def record_prefix(product: str) -> str:
    """Return what the keys of a product's records begin with."""
    return f"control/{product}/guard/"


def _firing(alarm: str, at: str) -> str:
    return str(uuid5(NAMESPACE, f"alarm/{alarm}/{at}"))


def _alone(version: str, standing: Standing | None) -> Decision:
    """Decide about the version that the alias itself points to."""
    champion = standing.champion if standing else None
    if standing is not None and version == standing.challenger and champion is not None:
        reason = f"Version {version} took all requests before it was champion; version {champion} answers all now."
        return Decision(Code.TAKEN_BACK, reason, champion)
    found = "the control record cannot be read" if standing is None else "the control record names no other version"
    return Decision(Code.UNDECIDABLE, f"Version {version} is the alias's own, and {found}.")


def _version(place: object) -> str | None:
    found = place.get("function_version") if isinstance(place, dict) else None
    return found if isinstance(found, str) and _PUBLISHED.fullmatch(found) else None
