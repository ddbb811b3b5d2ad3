"""Which path does what: MLflow's routes and the few of Open Inference v2."""

from collections.abc import Callable
from dataclasses import dataclass

from functions.predict import invocations, open_inference
from functions.predict.answer import Answer, answer
from functions.predict.invocations import Asked
from functions.predict.model import Served, Unready
from functions.predict.refusals import RefusalError
from functions.predict.request import Request, Response, read_json


@dataclass(frozen=True)
class Call:
    """One request with what is needed to answer it."""

    request: Request
    model: Served | Unready
    request_id: str
    function_version: str

    def served(self) -> Served:
        """Return the model. Raises RefusalError, 503 with the reason, when there is none."""
        if isinstance(self.model, Unready):
            raise RefusalError(503, self.model.code, self.model.sentence)
        return self.model


def respond(call: Call) -> Response:
    """Return the answer of the path that was asked. Raises RefusalError."""
    segments = tuple(call.request.path.strip("/").split("/"))
    method, respond_to = _PATHS.get(segments) or _model_path(segments)
    if call.request.method != method:
        raise RefusalError(405, "method", f"This path answers {method} only.", headers={"allow": method})
    return respond_to(call)


def _model_path(segments: tuple[str, ...]) -> tuple[str, "Respond"]:
    name = ""
    version: str | None = None
    verb = segments
    match segments:
        case ("v2", "models", name, "versions", version, *rest):
            verb = tuple(rest)
        case ("v2", "models", name, *rest):
            verb = tuple(rest)
    if verb not in _VERBS:
        raise RefusalError(404, "path", "There is nothing at this path; predictions are at POST /invocations.")
    method, respond_to = _VERBS[verb]
    return method, lambda call: respond_to(_naming(call, name, version))


def _naming(call: Call, name: str, version: str | None) -> Call:
    """Return the call when the path names what is served here. Raises RefusalError."""
    served = call.served()
    if name != served.bundle.contract.product:
        raise RefusalError(404, "model", f"This endpoint serves the model {served.bundle.contract.product!r} only.")
    if version is not None and version != served.model_version:
        raise RefusalError(404, "model", f"This endpoint serves model version {served.model_version} only.")
    return call


def _invocations(call: Call) -> Response:
    served = call.served()
    names = [column.name for column in served.bundle.contract.columns]
    asked = invocations.parse(read_json(call.request), names)
    made = answer(served, asked, call.request_id)
    return Response(200, made.body(served.model_version), noted=_noted(made, explain=asked.explain))


def _infer(call: Call) -> Response:
    served = call.served()
    contract = served.bundle.contract
    body = read_json(call.request)
    columns = open_inference.parse(body, [column.name for column in contract.columns])
    made = answer(served, Asked(columns), call.request_id)
    rendered = open_inference.render(made, body, contract, served.model_version)
    return Response(200, rendered, noted=_noted(made, explain=False))


def _noted(made: Answer, *, explain: bool) -> dict[str, object]:
    return {"rows": len(made.prediction_ids), "explain": explain, **made.oddities()}


def _ping(call: Call) -> Response:
    return Response(200, {"status": "ready", "model_version": call.served().model_version})


def _live(_: Call) -> Response:
    return Response(200, {"live": True})


def _ready(call: Call) -> Response:
    call.served()
    return Response(200, {"ready": True})


def _server(call: Call) -> Response:
    return Response(200, {"name": "tropism-predict", "version": call.function_version, "extensions": []})


def _describe(call: Call) -> Response:
    served = call.served()
    return Response(200, open_inference.describe(served.bundle.contract, served.model_version))


def _version(call: Call) -> Response:
    served = call.served()
    return Response(
        200,
        {
            "product": served.bundle.contract.product,
            "model_version": served.model_version,
            "bundle": served.bundle.digest,
            "function_version": call.function_version,
            "engine": served.engine.name,
        },
    )


Respond = Callable[[Call], Response]

_PATHS: dict[tuple[str, ...], tuple[str, Respond]] = {
    ("invocations",): ("POST", _invocations),
    ("ping",): ("GET", _ping),
    ("health",): ("GET", _ping),
    ("version",): ("GET", _version),
    ("v2",): ("GET", _server),
    ("v2", "health", "live"): ("GET", _live),
    ("v2", "health", "ready"): ("GET", _ready),
}
_VERBS: dict[tuple[str, ...], tuple[str, Respond]] = {
    (): ("GET", _describe),
    ("ready",): ("GET", _ready),
    ("infer",): ("POST", _infer),
}
