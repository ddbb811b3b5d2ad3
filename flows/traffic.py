"""Traffic goes back: to the champion alone, or to what served before it. Not a flow.

Traffic first, records after: the alias is moved and the endpoint asked, and only then the control record, the ledger
and the projections follow. It needs neither Prefect nor MLflow.
"""

from __future__ import annotations

from flows.following import Followed, Work, follow, write_over
from lifecycle.control import Contender, ControlRecord, Move
from lifecycle.eligibility import served, served_before
from lifecycle.errors import ConflictError, ReleaseError, TropismError
from lifecycle.reversal import Wish, intend_roll_back, roll_back
from lifecycle.stepping import Ending, take_back
from tasks import control, endpoint, function_versions, ledger
from tasks.control import Held
from tasks.packages import description_of
from tasks.step import note

# An alias reaches every front end within seconds; ten of those and something is wrong.
ANSWER_SECONDS = 30.0
_OVERTAKEN = "overtaken"


def move_traffic(work: Work, function_version: str) -> None:
    """Move the alias to one version and see the endpoint answer as it."""
    work.step("move alias", endpoint.move_alias, work.function, function_version)
    work.step("read back", endpoint.await_answer, work.settings, work.product, function_version, seconds=ANSWER_SECONDS)


def end_release(work: Work, held: Held, ending: Ending) -> Followed:
    """Take the challenger out: the champion answers every request, then the record says so and the rest follows.

    Raises ReleaseError when the challenger has become the champion meanwhile: taking that back is a rollback.
    """
    challenger, champion = held.record.challenger, held.record.champion
    if challenger is None or champion is None or champion.function_version is None:
        raise ReleaseError(f"No model of {work.product} is under release.")
    note("release.taken_back", product=work.product, model=challenger.model_version, codes=",".join(ending.codes))
    if ending.request:
        held = note_intent(work, held, champion, Wish(ending.request, ending.reason))
    move_traffic(work, champion.function_version)

    def change(record: ControlRecord) -> Move:
        if record.challenger is None or record.challenger.model_version != challenger.model_version:
            return Move("unchanged", record, "gone", f"Model {challenger.model_version} is out already.")
        return take_back(record, ending, work.now)

    held, move = work.step("end release", write_over, work, held, change)
    if move.verdict != "moved" and not _is_out(held.record, challenger):
        raise ReleaseError(
            f"Model {challenger.model_version} of {work.product} was not taken back.",
            detail="It has become the champion meanwhile.",
            resolution=f"Go back with `tropism rollback {work.product} --reason ...`.",
        )
    return follow(work, held)


def undo(work: Work, held: Held, reason: str) -> Followed:
    """Undo the promotion that the record holds: traffic to what served before, then the record.

    Before a first release nothing served; then the version without a bundle answers again, 503.
    """
    champion, previous = held.record.champion, held.record.previous
    note("release.failed", product=work.product, model=champion.model_version if champion else None, reason=reason)
    version = previous.function_version if previous else _bare(work)
    if version is not None:
        work.step("move alias back", endpoint.move_alias, work.function, version)
    wish = Wish(f"failed/{held.record.revision}", reason)
    return follow(work, work.step("change champion back", change_champion, work, held, previous, wish))


def change_champion(work: Work, held: Held, target: Contender | None, wish: Wish) -> Held:
    """Write the target as champion, also over a record that merely moved on; another champion is a conflict."""
    leaving, before = held.record.champion, _before(work, target)

    def change(record: ControlRecord) -> Move:
        if not granted(record, wish) and record.champion != leaving:
            reason = f"The champion is model {record.champion.model_version if record.champion else 'none'} by now."
            return Move("refused", record, _OVERTAKEN, reason)
        return roll_back(record, target, wish, work.now, before=before)

    held, move = write_over(work, held, change)
    if move.verdict == "refused":
        kind = ConflictError if move.code == _OVERTAKEN else ReleaseError
        raise kind(f"{work.product} was not rolled back.", detail=move.reason)
    return held


def note_intent(work: Work, held: Held, target: Contender, wish: Wish) -> Held:
    """Write down what is about to happen; that it cannot be written must not keep a bad model serving."""
    try:
        return control.write(work.bucket, held, intend_roll_back(held.record, target, wish, work.by))
    except TropismError as error:
        note("intent.unwritten", product=work.product, error=str(error))
        return held


def granted(record: ControlRecord, wish: Wish) -> bool:
    """Say whether the record's last decision is this wish."""
    decision = record.decision
    return decision is not None and wish.is_in(decision)


def _is_out(record: ControlRecord, challenger: Contender) -> bool:
    champion = record.champion
    return record.challenger is None and (champion is None or champion.model_version != challenger.model_version)


def _before(work: Work, target: Contender | None) -> Contender | None:
    """Return what served before the target did, so that a further rollback goes further back."""
    if target is None:
        return None
    entries = ledger.entries(work.bucket, work.product)
    version = served_before(entries, target.model_version)
    return served(entries).get(version) if version else None


def _bare(work: Work) -> str | None:
    found = function_versions.find(work.function, description_of(None))
    return found.number if found else None
