"""The demo's story as data: what happens in which order, what it is for, and how its outcome is looked up.

A step changes the world only by what a user does too: it drops a file, asks for a prediction, goes back. What it
tells is read back from the bucket, the ledger and the endpoint. It starts no flow.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cli import board, follow, landing
from cli.context import Here
from lifecycle.errors import ReleaseError, ServiceError

if TYPE_CHECKING:
    from cli.follow import Sight
    from cli.verdicts import Verdict

TIMEOUT_SECONDS = 600.0  # as patient as `tropism drop --wait`
CALLS_PER_SECOND = 20.0
STEP = "step"  # the ledger's word for another share of the requests


@dataclass
class Stage:
    """Where the story plays: the product, the files made for it, and the month that goes wrong first."""

    here: Here
    product: str
    folder: Path
    damaged_month: int
    seen: list[Sight] = field(default_factory=list)

    def file(self, month: int, *, truncated: bool = False) -> Path:
        """Return the file of a month."""
        found = sorted(self.folder.glob(f"*-{month:02d}{'-truncated' if truncated else ''}.csv"))
        if len(found) != 1:
            raise ServiceError(f"The demo has no file of month {month}.", detail=f"{self.folder} holds {len(found)}.")
        return found[0]

    def drop(self, path: Path, *, name: str | None = None) -> Sight:
        """Land a file and follow it to its end."""
        follower = follow.start(self.here, self.product)
        landed = landing.put(self.here, landing.plan(self.product, [path], name)[0])
        with board.opened(silent=False) as shown:
            [sight] = follower.follow([landed], timeout=TIMEOUT_SECONDS, show=shown.show)
        self.seen.append(sight)
        return sight

    def await_release(self) -> None:
        """Wait until no release is under way. Raises ServiceError when one still is after the story's patience."""
        from tasks import control

        deadline = time.monotonic() + TIMEOUT_SECONDS
        while (record := control.read(self.here.bucket, self.product).record).rollout or record.release:
            if time.monotonic() > deadline:
                reasons = "; ".join(str(reason) for reason in record.rollout.reasons) if record.rollout else ""
                raise ServiceError(
                    f"The release of {self.product} is still under way after {TIMEOUT_SECONDS:.0f} s.",
                    detail=f"The challenger has {record.weight:.0%} of the requests. {reasons}".strip(),
                    resolution=f"Look with `tropism status {self.product}`.",
                )
            time.sleep(follow.POLL_SECONDS)

    def answers(self) -> str | None:
        """Ask the endpoint which model answers."""
        from tasks import endpoint

        found = endpoint.serving(self.here.settings, self.product)
        return found.model_version if found else None


@dataclass(frozen=True)
class Step:
    """One step: a title, why it matters, and the act, which returns what came of it."""

    title: str
    why: str
    act: Callable[[Stage], list[str]]


def month(number: int) -> Callable[[Stage], list[str]]:
    """Return the act of dropping one month as it was published."""

    def act(stage: Stage) -> list[str]:
        return outcome(stage, stage.drop(stage.file(number)))

    return act


def damaged(stage: Stage) -> list[str]:
    """Drop a file whose upload stopped in the middle, and ask the endpoint before and after."""
    before = stage.answers()
    whole = stage.file(stage.damaged_month)
    sight = stage.drop(stage.file(stage.damaged_month, truncated=True), name=whole.name)
    after = stage.answers()
    if after != before:
        raise ReleaseError(f"A damaged file changed who answers: model {before} before it, model {after} after it.")
    return [*outcome(stage, sight, ask=False), f"Asked before and after, the endpoint answers as model {after}."]


def mended(stage: Stage) -> list[str]:
    """Drop the whole file under the same name, while callers ask: the release is judged on what they are answered."""
    from cli.callers import callers
    from cli.simulate import shares
    from tasks import ledger

    known = len(ledger.entries(stage.here.bucket, stage.product))
    with callers(stage.here, stage.product, None, per_second=CALLS_PER_SECOND) as asking:
        sight = stage.drop(stage.file(stage.damaged_month))
        stage.await_release()
    lines, asked = outcome(stage, sight), asking.tally
    if asked.failed:
        raise ReleaseError(f"{asked.failed} of {asked.asked} requests got no answer while the traffic moved.")
    steps = [entry.reason for entry in ledger.entries(stage.here.bucket, stage.product)[known:] if entry.action == STEP]
    return [
        *lines,
        *(f"  {step}" for step in steps),
        f"Meanwhile {asked.asked} requests were answered: {shares(asked)}.",
    ]


def again(stage: Stage) -> list[str]:
    """Drop the same bytes a second time, under another name."""
    whole = stage.file(stage.damaged_month)
    return outcome(stage, stage.drop(whole, name=f"{whole.stem}-again{whole.suffix}"))


def prediction(stage: Stage) -> list[str]:
    """Ask for one prediction, taken apart."""
    from cli import endpoint, predict

    sample = stage.here.settings.products / stage.product / "sample" / "request.json"
    answer = endpoint.predict(stage.here.settings, stage.product, predict.request(None, None, sample, explain=True))
    lines = [
        f"model {answer.model_version} says {predict.figure(answer.predictions[0])}, answer {answer.prediction_ids[0]}"
    ]
    for explanation in answer.explanations[0].values() if answer.explanations else ():
        lines += [f"  {line}" for line in predict.chart(explanation)]
    return lines


def step_back(stage: Stage) -> list[str]:
    """Give the traffic to a model that served before, and back what is said by the endpoint's own answer."""
    from cli.traffic import back
    from tasks import control, ledger

    record = control.read(stage.here.bucket, stage.product).record
    target = _earlier(stage)
    if record.champion is None or target is None:
        return ["Only one model ever served, so there is nothing to go back to."]
    before = stage.answers()
    done = back(stage.here, stage.product, "the demo shows that one can", target)
    [*_, entry] = ledger.entries(stage.here.bucket, stage.product)
    if done.endpoint != target:
        raise ReleaseError(f"The endpoint answers as model {done.endpoint} after going back to model {target}.")
    return [
        f"The endpoint answered as model {before}, and now answers as model {done.endpoint}.",
        f"Ledger entry {entry.seq}: {entry.action} by {entry.actor}: {entry.reason}.",
    ]


def outcome(stage: Stage, sight: Sight, *, ask: bool = True) -> list[str]:
    """Tell what became of a dropped file in the words of its own record, the ledger and the endpoint."""
    if sight.delivery is None:
        return []
    lines = [sight.delivery.message()]
    if sight.verdict is not None:
        lines += [sight.verdict.says, *_interval(sight.verdict)]
    if ask:
        version = stage.answers()
        lines.append(f"The endpoint answers as model {version}." if version else "The endpoint has no model yet.")
    return lines


def _interval(verdict: Verdict) -> list[str]:
    """Return both scores and the interval of their difference, where there was a champion to compare with."""
    told = verdict.evidence
    numbers = [told.get(name) for name in ("challenger", "champion", "improvement", "lower", "upper")]
    if not all(isinstance(number, int | float) for number in numbers):
        return []
    challenger, champion, gain, lower, upper = (float(str(number)) for number in numbers)
    scores = f"challenger {challenger:.4f}, champion {champion:.4f}"
    apart = f"difference {gain:+.4f}, interval [{lower:+.4f}, {upper:+.4f}]"
    return [f"{told.get('metric')} on the same {told.get('holdout_rows')} newest rows: {scores}; {apart}."]


def _earlier(stage: Stage) -> str | None:
    """Return the previous champion, or the newest other model that served."""
    from lifecycle.eligibility import served
    from tasks import control, ledger

    record = control.read(stage.here.bucket, stage.product).record
    if record.previous is not None:
        return record.previous.model_version
    champion = record.champion.model_version if record.champion else None
    known = served(ledger.entries(stage.here.bucket, stage.product))
    others = [version for version in known if version != champion]
    return max(others, key=int) if others else None


STEPS: tuple[Step, ...] = (
    Step(
        "January arrives",
        "A file in the bucket is all it takes: it is checked, a first model is trained, and the model serves.",
        month(1),
    ),
    Step(
        "February arrives, with a real defect in it",
        "One weather station reported 1,048 mph. Its rows go to quarantine; the rest goes on.",
        month(2),
    ),
    Step(
        "March arrives",
        "Every accepted month challenges the champion on the same newest days. Retraining is cheap; the gate decides.",
        month(3),
    ),
    Step(
        "April arrives",
        "A challenger replaces the champion only when the interval of the gain lies above zero.",
        month(4),
    ),
    Step(
        "A month arrives truncated",
        "An upload that stopped halfway looks like a smaller month. It must never be trained on.",
        damaged,
    ),
    Step(
        "The mended file arrives, while people ask",
        "Requests come in all the time now, so a new model takes them in steps and is watched at each.",
        mended,
    ),
    Step("The same file once more", "Everything may be delivered twice. The same bytes are the same batch.", again),
    Step("A prediction, with its reasons", "Asked over HTTP like any caller; taken apart by TreeSHAP.", prediction),
    Step("A step back", "Traffic goes back in seconds, to a version that is proven first.", step_back),
)
