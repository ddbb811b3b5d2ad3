"""A traced prediction for people: the answer, who gave it, why, and what it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli import output
from cli.predict import chart, figure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.traced import Origin, Served, TracedPrediction

_SHOWN = 5


def tell(found: TracedPrediction) -> None:
    """Print it, the verdict of the re-scoring last."""
    from cli.endpoint import Explanation

    said = "no prediction" if found.score is None else figure(found.score)
    output.say(f"Prediction {found.id} of {found.product}: {said}")
    output.facts(list(_facts(found)), indent=2)
    for part in found.explanation:
        output.say(f"  why{f' ({part.class_})' if part.class_ else ''}, on the margin; base {part.base:+.3f}")
        for line in chart(Explanation(part.base, part.contributions)):
            output.say(f"    {line}")
    if found.origin is not None:
        output.facts(list(_origin(found.origin)), indent=2)
    word = {"same": "re-scored", "differs": "DIFFERS", "impossible": "not re-scored"}[found.rescored.verdict]
    output.say(f"  {word}: {found.rescored.reason}")


def _facts(found: TracedPrediction) -> Iterator[tuple[str, str]]:
    yield "at", found.at
    yield "answer", f"{found.status}{f', {found.reason}' if found.reason else ''}"
    yield "model", f"version {found.model_version or 'none'}, bundle {output.short(found.bundle or 'none')}"
    yield "served", _by(found.served)
    if found.features is not None:
        yield "features", ", ".join(f"{name}={value}" for name, value in found.features.items())
    elif found.features_sha256:
        yield "features", f"only their digest is kept: {found.features_sha256}"
    if found.gate is not None:
        yield "gate", f"{found.gate.seq}. {found.gate.at} by {found.gate.actor}: {found.gate.reason}"


def _by(served: Served) -> str:
    version = f"function version {served.function_version}"
    arm = f", arm {served.experiment_arm} of experiment {served.experiment}" if served.experiment else ""
    if served.arm is None or served.weight is None:
        return f"{version}{arm}, which the ledger did not let answer then"
    moving = ", while the traffic was being moved" if served.moving else ""
    return f"{version}{arm}, {served.arm} with {served.weight:.0%} of the requests{moving}"


def _origin(origin: Origin) -> Iterator[tuple[str, str]]:
    yield "snapshot", f"{output.short(origin.snapshot)}, {len(origin.sources) + len(origin.missing)} batches"
    for source in origin.sources[:_SHOWN]:
        yield "source", f"{source.key} version {source.object_version or 'none'}, {source.rows:,} rows"
    if len(origin.sources) > _SHOWN:
        yield "", f"and {len(origin.sources) - _SHOWN} more; `--json` lists them all"
    if origin.missing:
        yield "missing", ", ".join(map(output.short, origin.missing))
    yield "code", f"commit {origin.commit or 'unknown'}, deciding modules {output.short(origin.code) or 'unknown'}"
    yield "MLflow run", origin.mlflow_run or "unknown"
