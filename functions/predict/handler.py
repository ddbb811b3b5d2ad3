"""The predict function's entry point for the Lambda runtime: `functions.predict.handler.handler`.

One event in, one answer out, one record. The model is opened at the first request and kept; nothing
happens at import. There is deliberately no web framework: the runtime is the server.
"""

import os
import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from functions.predict import journal
from functions.predict.answer import ScoreError
from functions.predict.carried import Carried, open_all
from functions.predict.model import Unready
from functions.predict.record import Record
from functions.predict.refusals import RefusalError, error_body
from functions.predict.request import Request, Response, read_event, write_response
from functions.predict.routes import Call, identify, respond


def handler(event: object, context: object) -> dict[str, object]:
    """Answer one function URL event (payload 2.0) or one direct invoke with a body of POST /invocations."""
    started = time.perf_counter()
    opened_before = _model.cache_info().misses
    record = Record(
        request_id=str(getattr(context, "aws_request_id", None) or _new_id()),
        function_version=str(getattr(context, "function_version", None) or "local"),
    )
    request, response = _answer(event, record, started)
    record.status = response.status
    record.cold = _model.cache_info().misses > opened_before
    record.latency_ms = round((time.perf_counter() - started) * 1000, 3)
    _keep(record)
    return write_response(replace(response, headers={**response.headers, **_identity(record)}), request)


def _answer(event: object, record: Record, started: float) -> tuple[Request | None, Response]:
    request: Request | None = None
    try:
        request = read_event(event)
        record.method, record.path, record.direct = request.method, request.path, request.direct
        model = _model(_root(), os.environ.get("XGBOOST_LIBRARY"))
        if isinstance(model, Carried):
            identify(record, model.served)
        response = respond(Call(request, model, record, started))
    except RefusalError as refusal:
        record.reason = refusal.reason
        body = error_body(refusal.status, refusal.reason, refusal.sentence)
        response = Response(refusal.status, body, refusal.headers)
    except ScoreError as error:
        response = _fault(record, error_body(500, "score_not_finite", f"{error} {_quote(record)}"), error)
    except Exception as error:  # noqa: BLE001  the last resort: the caller gets no internals, the log gets the place
        response = _fault(record, error_body(500, "internal", f"An internal fault. {_quote(record)}"), error)
    return request, response


def _fault(record: Record, body: dict[str, object], error: Exception) -> Response:
    record.reason = str(body["reason"])
    journal.write("request.failed", {"request_id": record.request_id, **journal.where(error)})
    return Response(500, body)


def _quote(record: Record) -> str:
    return f"Quote the request id {record.request_id} when you report it."


def _keep(record: Record) -> None:
    """Write the record. The answer goes out even when that fails, and the log says that it did."""
    try:
        for line in record.lines():
            journal.send(line)
    except Exception as error:  # noqa: BLE001  whatever it is, the caller is owed the answer
        journal.write("record.failed", {"request_id": record.request_id, **journal.where(error)})


def _new_id() -> str:
    """Return an id for a call from outside Lambda."""
    from uuid import uuid4  # noqa: PLC0415  Lambda always brings an id of its own

    return str(uuid4())


@lru_cache(maxsize=1)
def _model(root: Path, library: str | None) -> Carried | Unready:
    return open_all(root, library, journal.write)


def _root() -> Path:
    return Path(os.environ.get("LAMBDA_TASK_ROOT") or Path.cwd())


def _identity(record: Record) -> dict[str, str]:
    return {
        "x-model-version": record.model_version,
        "x-function-version": record.function_version,
        "x-request-id": record.request_id,
        "x-engine": record.engine,
    }
