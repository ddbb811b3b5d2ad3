"""What a product's endpoint answers, asked over HTTP like any caller does.

The answers are its own words: nothing here looks at the control record to know who serves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lifecycle.errors import BundleError, ReleaseError, ServiceError, TropismError, UsageError

if TYPE_CHECKING:
    import httpx

    from lifecycle.settings import Settings

TIMEOUT_SECONDS = 30.0  # a cold start of the function is a second at most; the rest is patience with a busy laptop
_OK, _NO_MODEL, _FAULT = 200, 503, 500


@dataclass(frozen=True)
class Explanation:
    """One prediction taken apart: base plus contributions is the margin."""

    base: float
    contributions: Mapping[str, float]

    def strongest(self, count: int) -> tuple[tuple[str, float], ...]:
        """Return the contributions furthest from zero, the furthest first."""
        return tuple(sorted(self.contributions.items(), key=lambda item: -abs(item[1]))[:count])


@dataclass(frozen=True)
class Predicted:
    """An answer to POST /invocations; a multiclass prediction is one probability per class."""

    predictions: tuple[float | tuple[float, ...], ...]
    model_version: str
    prediction_ids: tuple[str, ...]
    explanations: tuple[Mapping[str, Explanation], ...]


def predict(settings: Settings, product: str, body: Mapping[str, object]) -> Predicted:
    """Ask for predictions. Raises UsageError for rows it refuses, ReleaseError when nothing serves yet."""
    url = f"{address(settings, product)}invocations"
    answer = _post(url, json.dumps(body).encode())
    if answer.status_code != _OK:
        raise _refused(product, url, answer)
    made = answer.json()
    return Predicted(
        predictions=tuple(tuple(row) if isinstance(row, list) else row for row in made["predictions"]),
        model_version=made["model_version"],
        prediction_ids=tuple(made["prediction_ids"]),
        explanations=tuple(_explanation(item) for item in made.get("explanations", ())),
    )


def address(settings: Settings, product: str) -> str:
    """Return where a product answers, with a slash at the end. Raises ReleaseError when it has no endpoint yet."""
    from tasks import endpoint

    public = endpoint.public_url(settings.predict_function(product))
    if public is None:
        raise ReleaseError(f"Nothing serves {product} yet.", detail="It has no endpoint.", resolution=_bring(product))
    return endpoint.reachable(settings, public)


def _explanation(item: Mapping[str, Any]) -> Mapping[str, Explanation]:
    """Return one explanation per class; a single one has no name."""
    parts = item.get("classes", {"": item})
    return {label: Explanation(part["base"], part["contributions"]) for label, part in parts.items()}


def _refused(product: str, url: str, answer: httpx.Response) -> TropismError:
    said = _sentence(answer)
    if answer.status_code == _NO_MODEL:
        return ReleaseError(f"Nothing serves {product} yet.", detail=said, resolution=_bring(product))
    if answer.status_code < _FAULT:
        return UsageError("The endpoint refuses these rows.", detail=said)
    return BundleError(f"The endpoint {url} failed.", detail=said, resolution=f"Look with `tropism verify {product}`.")


def _bring(product: str) -> str:
    return f"Bring data: `tropism drop {product} FILE --wait`."


def _sentence(answer: httpx.Response) -> str:
    try:
        said = str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        said = answer.text[:200]
    return f"It answered {answer.status_code}: {said}"


def _post(url: str, body: bytes) -> httpx.Response:
    import httpx

    from tasks.endpoint import signed

    headers = {"content-type": "application/json"}
    try:
        return httpx.post(url, content=body, headers={**headers, **signed("POST", url, body)}, timeout=TIMEOUT_SECONDS)
    except httpx.HTTPError as error:
        raise ServiceError(
            f"The endpoint {url} does not answer.",
            detail=f"{type(error).__name__}: {error}.",
            resolution="Run `tropism doctor`.",
        ) from error
