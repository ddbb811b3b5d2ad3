"""The predict function's entry point for the Lambda runtime: `functions.predict.handler.handler`.

One event in, one answer out, one line of log. The model is opened at the first request and kept; nothing
happens at import. There is deliberately no web framework: the runtime is the server.
"""

import os
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from functions.predict import journal
from functions.predict.model import Served, Unready, open_model
from functions.predict.refusals import RefusalError, error_body
from functions.predict.request import Request, Response, read_event, write_response
from functions.predict.routes import Call, respond


@dataclass(frozen=True)
class Invocation:
    """Who asks and who answers. `function_version` is "local" outside Lambda."""

    request_id: str
    function_version: str


def handler(event: object, context: object) -> dict[str, object]:
    """Answer one function URL event (payload 2.0) or one direct invoke with a body of POST /invocations."""
    started = time.perf_counter()
    opened_before = _model.cache_info().misses
    invocation = Invocation(
        request_id=str(getattr(context, "aws_request_id", None) or _new_id()),
        function_version=str(getattr(context, "function_version", None) or "local"),
    )
    request, response = _answer(event, invocation)
    _log(
        request,
        response,
        {
            "latency_ms": round((time.perf_counter() - started) * 1000, 3),
            "cold": _model.cache_info().misses > opened_before,
        },
    )
    return write_response(response, request)


def _answer(event: object, invocation: Invocation) -> tuple[Request | None, Response]:
    request: Request | None = None
    model: Served | Unready | None = None
    try:
        request = read_event(event)
        model = _model(_root(), os.environ.get("XGBOOST_LIBRARY"))
        response = respond(Call(request, model, invocation.request_id, invocation.function_version))
    except RefusalError as refusal:
        body = error_body(refusal.status, refusal.reason, refusal.sentence)
        response = Response(refusal.status, body, refusal.headers, noted={"reason": refusal.reason})
    except Exception as error:  # noqa: BLE001  the last resort: the caller gets no internals, the log gets the place
        sentence = f"An internal fault. Quote the request id {invocation.request_id} when you report it."
        response = Response(500, error_body(500, "internal", sentence), noted=journal.where(error))
    return request, replace(response, headers={**response.headers, **_identity(model, invocation)})


def _log(request: Request | None, response: Response, measured: dict[str, object]) -> None:
    names = ("request_id", "model_version", "function_version", "engine")
    identity = {name: response.headers[f"x-{name.replace('_', '-')}"] for name in names}
    asked = {"method": request.method, "direct": request.direct} if request else {}
    journal.write("prediction.answered", {**identity, **asked, "status": response.status, **response.noted, **measured})


def _new_id() -> str:
    """Return an id for a call from outside Lambda."""
    from uuid import uuid4  # noqa: PLC0415  Lambda always brings an id of its own

    return str(uuid4())


@lru_cache(maxsize=1)
def _model(root: Path, library: str | None) -> Served | Unready:
    return open_model(root, library, journal.write)


def _root() -> Path:
    return Path(os.environ.get("LAMBDA_TASK_ROOT") or Path.cwd())


def _identity(model: Served | Unready | None, invocation: Invocation) -> dict[str, str]:
    served = model if isinstance(model, Served) else None
    return {
        "x-model-version": served.model_version if served else "none",
        "x-function-version": invocation.function_version,
        "x-request-id": invocation.request_id,
        "x-engine": served.engine.name if served else "none",
    }
