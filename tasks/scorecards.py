"""What people look at after a training: three small plots, and the scorecard as a page of the flow run.

Numbers are only shown here, never computed. Matplotlib is used without its global state and without a display.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from prefect.artifacts import create_markdown_artifact

from lifecycle.challenge import Challenge
from lifecycle.evaluation import Scorecard
from lifecycle.metrics import CALIBRATION_BINS, Floats, TaskKind, confidence
from tasks.evaluation import Judged

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN_FEATURES, _POINTS, _BARS, _INCHES, _DPI = 20, 400, 40, (5.0, 3.6), 80


def write_plots(folder: Path, kind: TaskKind, judged: Judged, gains: Mapping[str, float]) -> None:
    """Draw into `folder` as PNG: how good the scores are, how they are spread, which features gain most.

    Of many classes the likeliest one of each row is drawn: whether it came, and its chance. A second call writes the
    same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    models = {"challenger": confidence(judged.labels, judged.scores)}
    if judged.champion_scores is not None:
        models["champion"] = confidence(judged.labels, judged.champion_scores)
    chances = kind in ("binary", "multiclass")
    with _Page(folder / ("calibration.png" if chances else "residuals.png")) as axes:
        for name, (happened, said) in models.items():
            (_calibration if chances else _residuals)(axes, name, happened, said)
    if kind == "binary":
        with _Page(folder / "roc.png") as axes:
            for name, (happened, said) in models.items():
                _roc(axes, name, happened, said)
    with _Page(folder / "scores.png") as axes:
        low, high = np.quantile(np.concatenate([said for _, said in models.values()]), [0.001, 0.999])
        bins = np.linspace(float(low), float(high), _BARS + 1).tolist()
        for name, (_, said) in models.items():
            axes.hist(said, bins=bins, histtype="step", label=name)
        axes.set(title="Scores on the holdout", xlabel="score", ylabel="rows")
    with _Page(folder / "gain.png") as axes:
        shown = list(gains.items())[:_SHOWN_FEATURES][::-1]
        axes.barh([name for name, _ in shown], [gain for _, gain in shown])
        axes.set(title="Share of the total gain", xlabel="share")


def show_scorecard(challenge: Challenge, model_version: str | None, markdown: str) -> None:
    """Attach the scorecard to the flow run as a page. A second call adds a newer edition of the same page."""
    title = f"Challenge of {challenge.product}" + (f", model {model_version}" if model_version else "")
    create_markdown_artifact(markdown, key=f"challenge-{challenge.product}", description=title)


def scorecard_page(challenge: Challenge, model_version: str | None, judged: Judged | None) -> str:
    """Return the scorecard as Markdown; `judged` is None when the decision was made by an earlier run."""
    lines = [f"# {challenge.verdict}: {challenge.product}", "", challenge.summary(model_version), ""]
    if judged is not None:
        lines += _table(judged.challenger, judged.champion)
    told, held = challenge.judgement, challenge.holdout
    if told.improvement is not None and told.lower is not None and told.upper is not None:
        between = f"interval [{told.lower:+.4f}, {told.upper:+.4f}] at {told.confidence or 0:.0%}"
        lines += [f"Improvement of {told.metric}: **{told.improvement:+.4f}**, {between}.", ""]
    if held is not None:
        lines += [f"Holdout: {held}.", ""]
    made = f"candidate `{challenge.candidate}`, {challenge.rows_trained:,} rows trained on"
    lines += [
        f"- snapshot `{challenge.snapshot[:12]}` of {len(challenge.batches)} batches",
        f"- MLflow run `{challenge.mlflow_run}`",
        f"- bundle `{challenge.bundle[:12]}`, {made}" if challenge.bundle else "- no model was made",
    ]
    return "\n".join(lines) + "\n"


def _table(challenger: Scorecard, champion: Scorecard | None) -> list[str]:
    rows = [
        (metric, value, champion.metrics[metric] if champion else None) for metric, value in challenger.metrics.items()
    ]
    theirs = champion.calibration_error if champion else None
    cells = [(str(name), mine, other) for name, mine, other in rows]
    cells.append(("calibration error", challenger.calibration_error, theirs))
    before = {(one.column, one.level): one.value for one in champion.slices} if champion else {}
    cells += [
        (f"{one.column} = {one.level}", one.value, before.get((one.column, one.level))) for one in challenger.slices
    ]
    text = [
        f"| {_plain(name)} | {mine:.4f} | {'' if other is None else f'{other:.4f}'} |" for name, mine, other in cells
    ]
    return ["| on the holdout | challenger | champion |", "|---|---|---|", *text, ""]


def _plain(text: str) -> str:
    """Keep a level's text from breaking out of its table cell."""
    return "".join(" " if one in "|\n\r`<>" else one for one in text)[:80]


class _Page:
    """One plot: a figure on entering, a PNG on leaving."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Axes:
        """Return the axes to draw on."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  # heavy
        from matplotlib.figure import Figure  # noqa: PLC0415

        self._figure = Figure(figsize=_INCHES, dpi=_DPI, layout="tight")
        FigureCanvasAgg(self._figure)
        return self._figure.add_subplot()

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        """Write the file unless drawing failed. No version in it: the same plot is the same bytes."""
        if failed is None:
            axes = self._figure.axes[0]
            if axes.get_legend_handles_labels()[1]:
                axes.legend(fontsize="small")
            self._figure.savefig(self._path, metadata={"Software": None})


def _roc(axes: Axes, name: str, labels: Floats, scores: Floats) -> None:
    order = np.argsort(-scores, kind="stable")
    hits = np.concatenate(([0], np.cumsum(labels[order]))) / labels.sum()
    false = np.concatenate(([0], np.cumsum(1 - labels[order]))) / (1 - labels).sum()
    step = max(1, len(hits) // _POINTS)
    axes.plot(np.append(false[::step], 1), np.append(hits[::step], 1), label=name)
    axes.set(title="ROC on the holdout", xlabel="false positive rate", ylabel="true positive rate")


def _calibration(axes: Axes, name: str, labels: Floats, scores: Floats) -> None:
    parts = [part for part in np.array_split(np.argsort(scores, kind="stable"), CALIBRATION_BINS) if len(part)]
    axes.plot([scores[part].mean() for part in parts], [labels[part].mean() for part in parts], "o-", label=name)
    axes.axline((0, 0), slope=1, color="grey", linewidth=0.8)
    axes.set(title="Calibration on the holdout", xlabel="mean score", ylabel="share that happened")


def _residuals(axes: Axes, name: str, labels: Floats, scores: Floats) -> None:
    step = max(1, len(scores) // _POINTS)
    axes.plot(scores[::step], (labels - scores)[::step], ".", markersize=3, label=name)
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set(title="Residuals on the holdout", xlabel="score", ylabel="outcome - score")
