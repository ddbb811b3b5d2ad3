"""`tropism predict`: ask the endpoint, over HTTP, as any caller would."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import context, output
from lifecycle.errors import UsageError

if TYPE_CHECKING:
    from cli.endpoint import Explanation, Predicted

STRONGEST = 8
BAR = 24
FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")


@dataclass(frozen=True)
class Prediction:
    """`predict`: one prediction and one id per row, and the model version that answered."""

    predictions: tuple[float | tuple[float, ...], ...]
    model_version: str
    prediction_ids: tuple[str, ...]


@dataclass(frozen=True)
class Contributions:
    """What one row's margin is made of: a base and one number per feature."""

    base: float
    contributions: Mapping[str, float]


@dataclass(frozen=True)
class ExplainedPrediction(Prediction):
    """`predict --explain`: the same and one explanation per row (and class, where there are several)."""

    explanations: tuple[Contributions | Mapping[str, Contributions], ...]


def predict(
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="The product.")],
    rows: Annotated[str | None, typer.Option(help="Rows as JSON: a list of records, or a whole request.")] = None,
    file: Annotated[Path | None, typer.Option(help="A file with the same JSON.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Take each prediction apart by TreeSHAP.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the predictions as an object.")] = False,
) -> None:
    """Ask the endpoint for predictions; without rows, for the product's own sample request.

    Example: tropism predict flights --explain
    """
    here = context.here(product)
    body = request(rows, file, here.settings.products / product / "sample" / "request.json", explain=explain)
    from cli import endpoint

    answer = endpoint.predict(here.settings, product, body)
    if as_json:
        output.emit(shape(answer))
    else:
        tell(answer)


def request(rows: str | None, file: Path | None, sample: Path, *, explain: bool) -> dict[str, object]:
    """Return the body to send. Raises UsageError when what was given is no request."""
    if rows is not None and file is not None:
        raise UsageError("Rows were given twice.", detail="Found --rows and --file.", resolution="Give one of them.")
    source = "--rows" if rows is not None else str(file or sample)
    text = rows if rows is not None else _read(file or sample)
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{source} is not JSON.", detail=f"{error}.") from error
    body = _body(given, source)
    if explain:
        params = body.get("params")
        body["params"] = {**(params if isinstance(params, dict) else {}), "explain": True}
    return body


def shape(answer: Predicted) -> Prediction:
    """Return an answer as scripts see it."""
    if not answer.explanations:
        return Prediction(answer.predictions, answer.model_version, answer.prediction_ids)
    return ExplainedPrediction(
        answer.predictions,
        answer.model_version,
        answer.prediction_ids,
        tuple(_contributions(explained) for explained in answer.explanations),
    )


def tell(answer: Predicted) -> None:
    """Print predictions, who made them and what weighed most."""
    for row, prediction in enumerate(answer.predictions):
        output.facts(
            [
                ("prediction", figure(prediction)),
                ("model version", answer.model_version),
                ("prediction id", answer.prediction_ids[row]),
            ]
        )
        for label, explanation in answer.explanations[row].items() if answer.explanations else ():
            output.say(f"why{f' ({label})' if label else ''}, on the margin; base {explanation.base:+.3f}")
            for line in chart(explanation):
                output.say(f"  {line}")


def chart(explanation: Explanation) -> list[str]:
    """Draw the strongest contributions as bars, against lowers to the left and raises to the right."""
    strongest = explanation.strongest(STRONGEST)
    longest = max((abs(value) for _, value in strongest), default=0.0) or 1.0
    width = max((len(name) for name, _ in strongest), default=0)
    lines = []
    for name, value in strongest:
        bar = "█" * max(1, round(abs(value) / longest * BAR)) if value else ""
        lines.append(f"{name.ljust(width)}  {value:+.3f}  {'raises' if value > 0 else 'lowers'} {bar}".rstrip())
    return lines


def _body(given: object, source: str) -> dict[str, object]:
    if isinstance(given, list):
        return {"dataframe_records": given}
    if isinstance(given, dict) and any(name in given for name in FORMATS):
        return dict(given)
    if isinstance(given, dict):
        return {"dataframe_records": [given]}
    raise UsageError(
        f"{source} is no rows.",
        detail=f"Found a {type(given).__name__}, expected a record, a list of records or a request with one of "
        f"{', '.join(FORMATS)}.",
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} cannot be read.", detail=f"{error}.", resolution="Give rows with --rows JSON or --file FILE."
        ) from error


def _contributions(explained: Mapping[str, Explanation]) -> Contributions | Mapping[str, Contributions]:
    made = {label: Contributions(part.base, part.contributions) for label, part in explained.items()}
    return made[""] if set(made) == {""} else made


def figure(prediction: float | tuple[float, ...]) -> str:
    """Return a prediction for people: four decimals, one number per class where there are several."""
    return ", ".join(f"{part:.4f}" for part in prediction) if isinstance(prediction, tuple) else f"{prediction:.4f}"
