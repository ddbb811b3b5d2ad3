"""What training made of a batch: the ledger's first challenge that covers it, and whether its model got the traffic.

The ledger and the control record are believed; reading on costs one small object per new decision. The gate's
reasons come from the decision stored with the model. Prefect is not asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cli.deliveries import why
from cli.shapes import Judged, ModelState

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
    """The verdict on a model; `settled` when nothing more is to come of it. `says`: the ledger's own sentence."""

    version: str | None
    state: ModelState
    says: str
    mlflow_run: str
    settled: bool
    evidence: Mapping[str, Scalar]


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
            found = verdict(entry, record, promoted=entry.to is not None and self._promoted(entry.to))
            if found.settled:
                break
        return found

    def _promoted(self, version: str) -> bool:
        from lifecycle.control import promotion_key

        return any(entry.key == promotion_key(version) for entry in self._entries.values())

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


def verdict(entry: Entry, record: ControlRecord, *, promoted: bool) -> Verdict:
    """Return what became of a challenge: promoted once its model got the traffic, else what the gate said."""
    champion = record.champion.model_version if record.champion else None
    said = _STATES.get(str(entry.evidence.get("verdict")), "undecidable")
    passed = said == "challenger"
    overtaken = passed and champion is not None and entry.to is not None and int(champion) > int(entry.to)
    arrived = promoted and record.release is None
    return Verdict(
        version=entry.to,
        state="promoted" if promoted else said,
        says=entry.reason,
        mlflow_run=str(entry.evidence.get("mlflow_run") or ""),
        settled=not passed or overtaken or arrived,
        evidence=entry.evidence,
    )


def judged(bucket: str, product: str, found: Verdict) -> Judged:
    """Return a verdict as scripts see it, with the gate's reasons one by one."""
    return Judged(found.version, found.state, tuple(why(reason) for reason in _reasons(bucket, product, found)))


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
