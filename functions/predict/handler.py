"""The predict function: one event in, one answer out, one record.

The model is opened once and kept: by `functions/predict/entry.py`, which the Lambda runtime imports, else at the first
request. Nothing happens at import. There is deliberately no web framework: the runtime is the server.
"""

import os
import time
from dataclasses import dataclass, replace
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
    record = Record(
        request_id=str(getattr(context, "aws_request_id", None) or _new_id()),
        function_version=str(getattr(context, "function_version", None) or "local"),
    )
    request, response = _answer(event, record, started)
    record.status = response.status
    record.latency_ms = round((time.perf_counter() - started) * 1000, 3)
    _keep(record)
    return write_response(replace(response, headers={**response.headers, **_identity(record)}), request)


def _answer(event: object, record: Record, started: float) -> tuple[Request | None, Response]:
    request: Request | None = None
    try:
        request = read_event(event)
        record.method, record.path, record.direct = request.method, request.path, request.direct
        model, record.cold = _open().asked()
        if isinstance(model, Carried):
            identify(record, model.served)
        response = respond(Call(request, model, record, started))
    except RefusalError as refusal:
        record.reason = refusal.reason
        body = error_body(refusal.status, refusal.reason, refusal.sentence)
        response = Response(refusal.status, body, refusal.headers)
    except ScoreError as error:
        response = _fault(record, error_body(500, "score_not_finite", f"{error} {_quote(record)}"), error)
    except (Exception, SystemExit) as error:  # noqa: BLE001  the caller gets no internals, the log gets the place
        response = _fault(record, error_body(500, "internal", f"An internal fault. {_quote(record)}"), error)
    return request, response


def _fault(record: Record, body: dict[str, object], error: BaseException) -> Response:
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


@dataclass
class _Opened:
    """What this process carries, and whether a request has asked for it yet."""

    model: Carried | Unready
    cold: bool = True

    def asked(self) -> tuple[Carried | Unready, bool]:
        """Return the model, and whether this is the first request to ask for it."""
        cold, self.cold = self.cold, False
        return self.model, cold


def warm_up() -> None:
    """Open the model before the first request; a second call does nothing.

    It never raises: whatever goes wrong with a bundle is the answer to the requests, 503 or 500 with its reason, and
    none to a process that ends before it can say so.
    """
    try:
        _open()
    except (Exception, SystemExit) as error:  # noqa: BLE001  a bundle brings code of its own
        journal.write("start.failed", journal.where(error))


def _open() -> _Opened:
    return _model(Path(os.environ.get("LAMBDA_TASK_ROOT") or Path.cwd()), os.environ.get("XGBOOST_LIBRARY"))


@lru_cache(maxsize=1)
def _model(root: Path, library: str | None) -> _Opened:
    return _Opened(open_all(root, library, journal.write))


def _identity(record: Record) -> dict[str, str]:
    return {
        "x-model-version": record.model_version,
        "x-function-version": record.function_version,
        "x-request-id": record.request_id,
        "x-engine": record.engine,
    }
