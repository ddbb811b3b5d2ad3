"""What training made of a batch: the ledger's first challenge that covers it, and whether its model got the traffic.

The ledger and the control record are believed; reading on costs one small object per new decision. The gate's
reasons come from the decision stored with the model. Prefect is not asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cli.deliveries import why
from cli.shapes import Judged, ModelState, Why

if TYPE_CHECKING:
    from lifecycle.batch import Reason
    from lifecycle.control import ControlRecord
    from lifecycle.ledger import Entry, Scalar

_STATES: dict[str, ModelState] = {
    "promote": "challenger",
    "refuse": "refused",
    "no_change": "no_change",
    "undecidable": "undecidable",
}
_LIMIT = 1_000_000


@dataclass(frozen=True)
class Verdict:
    """The verdict on a model. `says`: the ledger's own sentence; `release`: where its release stands, or how it ended.

    `settled`: nothing more is to come of it soon. A release in steps may take days, so its first step is enough.
    """

    version: str | None
    state: ModelState
    says: str
    mlflow_run: str
    settled: bool
    evidence: Mapping[str, Scalar]
    release: Why | None = None


@dataclass
class Verdicts:
    """The verdicts about one product's batches. Entries are read once, since an entry never changes."""

    bucket: str
    product: str
    _entries: dict[str, Entry] = field(default_factory=dict)

    def of(self, batch_id: str) -> Verdict | None:
        """Return what training made of a batch, or None while there is nothing.

        The first training that saw it counts. One whose model passed the gate and was overtaken before it got
        the traffic is followed by another over the same batches; then that one counts.
        """
        from tasks import control

        challenges = [entry for entry in self.read() if covers(entry, batch_id)]
        if not challenges:
            return None
        record = control.read(self.bucket, self.product).record
        found = None
        for entry in challenges:
            found = verdict(entry, record, self._end(entry.to))
            if found.settled:
                break
        return found

    def _end(self, version: str | None) -> Entry | None:
        """Return the ledger entry that ended the release of a model: its promotion, or that it was taken back."""
        from lifecycle.control import promotion_key

        for entry in self._entries.values():
            taken = entry.action == "take_back" and entry.from_ == version
            if version is not None and (taken or entry.key == promotion_key(version)):
                return entry
        return None

    def read(self) -> list[Entry]:
        """Return the ledger, oldest first, reading only what is new."""
        from lifecycle import ledger
        from tasks import objects

        for key in objects.keys(self.bucket, f"ledger/{self.product}/", limit=_LIMIT):
            if key not in self._entries and (found := objects.read(self.bucket, key)) is not None:
                self._entries[key] = ledger.decode(found.body)
        return [entry for _, entry in sorted(self._entries.items())]


def covers(entry: Entry, batch_id: str) -> bool:
    """Say whether an entry is the challenge of a snapshot that holds a batch."""
    from lifecycle.batch import shown

    batches = str(entry.evidence.get("batches") or "").split(",")
    return entry.action == "challenge" and shown(batch_id) in batches


def verdict(entry: Entry, record: ControlRecord, end: Entry | None = None) -> Verdict:
    """Return what became of a challenge: promoted once its model got the traffic, else what the gate said.

    `end` is the ledger entry that ended its release, if one did; a model that was taken back is refused.
    """
    champion = record.champion.model_version if record.champion else None
    said = _STATES.get(str(entry.evidence.get("verdict")), "undecidable")
    passed = said == "challenger"
    overtaken = passed and champion is not None and entry.to is not None and int(champion) > int(entry.to)
    stands = _stands(entry.to, record) if passed and end is None else None
    if end is not None:
        said = "promoted" if end.action == "promote" else "refused"
    return Verdict(
        version=entry.to,
        state=said,
        says=entry.reason,
        mlflow_run=str(entry.evidence.get("mlflow_run") or ""),
        settled=not passed or overtaken or stands is not None or (end is not None and record.release is None),
        evidence=entry.evidence,
        release=_taken_back(end) if end is not None and end.action != "promote" else stands,
    )


def judged(bucket: str, product: str, found: Verdict) -> Judged:
    """Return a verdict as scripts see it: where the release stands, then the gate's reasons one by one."""
    gate = tuple(why(reason) for reason in _reasons(bucket, product, found))
    return Judged(found.version, found.state, (*((found.release,) if found.release else ()), *gate))


def _stands(version: str | None, record: ControlRecord) -> Why | None:
    """Say where the release of a model stands, once its first step is taken or somebody is waited for."""
    from lifecycle.stepping import state_of

    rollout, challenger, state = record.rollout, record.challenger, state_of(record)
    if rollout is None or challenger is None or version is None or record.release is not None:
        return None
    if challenger.model_version != version:
        if int(challenger.model_version) > int(version):
            return None
        return Why("WAITS", None, f"model {challenger.model_version} is under release", "the end of that", None)
    if state == "moving":
        return None
    steps = rollout.plan.steps
    at = f"{state}, step {rollout.progress.step + 1} of {len(steps)} at {record.weight:.0%} of the requests"
    found = "; ".join((at, *(f"{reason.code}: {reason.found}" for reason in rollout.reasons)))
    return Why("UNDER_RELEASE", None, found, "every step passed", None)


def _taken_back(end: Entry) -> Why:
    return Why("TAKEN_BACK", None, end.reason, "every step passed", None)


def _reasons(bucket: str, product: str, found: Verdict) -> tuple[Reason, ...]:
    """Read the decision stored beside the model; a training without a model has it in its MLflow run only."""
    from lifecycle.challenge import Challenge
    from tasks import objects
    from tasks.registry import DECISION, mlflow_client, translated

    stored = objects.read(bucket, f"mlflow/{product}/{found.mlflow_run}/artifacts/decision.json")
    if stored is not None:
        return Challenge.model_validate_json(stored.body).reasons
    client = mlflow_client()
    with translated(f"read run {found.mlflow_run}"):
        decision = client.get_run(found.mlflow_run).data.tags.get(DECISION)
    return Challenge.model_validate_json(decision).reasons if decision else ()
