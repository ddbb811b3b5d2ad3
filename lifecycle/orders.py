"""What people say about a release: go on, stay, freeze, go on again. Pure transitions of the control record.

Each carries its ledger entry, with who said it and why. Taking a release back is `lifecycle/stepping.take_back`.
"""

from __future__ import annotations

import re

from lifecycle.control import Actor, ControlRecord, Deed, Move, decision_of, moved, refused, version_of
from lifecycle.freezing import FreezeWord
from lifecycle.stepping import waits_for_approval

# Flow runs sign as `flow/run id`; those and the ones nobody named are not people.
_MACHINE = re.compile(r"/|^(unknown)?$")


def approve(record: ControlRecord, by: Actor, reason: str, *, trainer: str | None) -> Move:
    """Let a release go on: it may begin, a hold ends, and other scores or actions than the champion's are accepted.

    Args:
        record: Holds the release.
        by: Who. A release that waits to begin wants a named person, who is not the trainer.
        reason: Why.
        trainer: Who made the model, as the ledger has it.

    """
    rollout, challenger = record.rollout, record.challenger
    if rollout is None or challenger is None:
        return _nothing(record)
    begins = waits_for_approval(rollout)
    if begins and _MACHINE.search(by.name):
        return refused(record, "not_a_person", f"{by.name or 'Nobody'} is no named person. Say who with `--as NAME`.")
    if begins and by.name == trainer:
        found = f"{by.name} trained model {challenger.model_version}; somebody else has to approve it."
        return refused(record, "is_trainer", found)
    progress = rollout.progress.model_copy(update={"held": False, "approved": rollout.progress.approved or not begins})
    said = rollout.model_copy(
        update={"progress": progress, "held_by": "", "approved_by": by.name, "next_tick": by.now, "reasons": ()}
    )
    if said.progress == rollout.progress and rollout.approved_by == by.name:
        return Move("unchanged", record, "approved", f"{by.name} approved it already.")
    deed = Deed("approve", _key("approve", record), reason, version_of(record.champion), challenger)
    return moved(record, by, "approved", reason, rollout=said, decision=decision_of(record, deed, by))


def hold(record: ControlRecord, by: Actor, reason: str) -> Move:
    """Keep a release where it is until it is approved or aborted. Harm takes it back all the same."""
    rollout, challenger = record.rollout, record.challenger
    if rollout is None or challenger is None:
        return _nothing(record)
    if rollout.progress.held:
        return Move("unchanged", record, "held", f"{rollout.held_by} holds it already.")
    said = rollout.model_copy(
        update={"progress": rollout.progress.model_copy(update={"held": True}), "held_by": by.name}
    )
    deed = Deed("hold", _key("hold", record), reason, version_of(record.champion), challenger)
    return moved(record, by, "held", reason, rollout=said, decision=decision_of(record, deed, by))


def freeze(record: ControlRecord, by: Actor, reason: str) -> Move:
    """Stop everything but serving (`lifecycle/freezing.py`). Harm and people take back still."""
    return _frozen(record, by, reason, frozen=True)


def unfreeze(record: ControlRecord, by: Actor, reason: str) -> Move:
    """Let things go on."""
    return _frozen(record, by, reason, frozen=False)


def _frozen(record: ControlRecord, by: Actor, reason: str, *, frozen: bool) -> Move:
    word = "freeze" if frozen else "unfreeze"
    if record.frozen == frozen:
        return Move("unchanged", record, word, f"{record.product} is {'frozen' if frozen else 'not frozen'} already.")
    deed = Deed(word, _key(word, record), reason, version_of(record.champion), record.champion)
    times = (record.freeze.times if record.freeze else 0) + frozen
    said = FreezeWord(at=by.now, by=by.name, reason=reason, times=max(times, 1))
    return moved(record, by, word, reason, frozen=frozen, freeze=said, decision=decision_of(record, deed, by))


def _key(word: str, record: ControlRecord) -> str:
    return f"{word}/{record.revision + 1}"


def _nothing(record: ControlRecord) -> Move:
    return refused(record, "no_release", f"No model of {record.product} is under release.")
