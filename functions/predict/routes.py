"""Which path does what: MLflow's routes and the few of Open Inference v2."""

from collections.abc import Callable
from dataclasses import dataclass

from functions.predict import invocations, open_inference
from functions.predict.answer import Answer, Asked, answer
from functions.predict.invocations import Params, read_params
from functions.predict.model import Carried, Served, Unready
from functions.predict.record import Record
from functions.predict.refusals import RefusalError
from functions.predict.request import Request, Response, read_json


@dataclass(frozen=True)
class Call:
    """One request with what is needed to answer it."""

    request: Request
    model: Carried | Unready
    record: Record

    def carried(self) -> Carried:
        """Return what this version carries. Raises RefusalError, 503 with the reason, when that is no model."""
        if isinstance(self.model, Unready):
            raise RefusalError(503, self.model.code, self.model.sentence)
        return self.model

    def served(self) -> Served:
        """Return the model that answers unless an experiment says otherwise. Raises RefusalError."""
        return self.carried().served


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
    body = read_json(call.request)
    params = _params(call, body.get("params"), "params")
    given = invocations.parse(body, served.column_names)
    made = _predict(call, served, Asked(given, params.explain, params.ignored))
    return Response(200, made.body(served.model_version))


def _infer(call: Call) -> Response:
    served = call.served()
    body = read_json(call.request)
    _params(call, body.get("parameters"), "parameters")
    made = _predict(call, served, Asked(open_inference.parse(body, served.column_names)))
    return Response(200, open_inference.render(made, body, served.bundle.contract, served.model_version))


def _params(call: Call, given: object, where: str) -> Params:
    """Read the parameters first: a request that is refused after them is still marked as what it is."""
    params = read_params(given, where)
    call.record.synthetic = params.synthetic
    return params


def _predict(call: Call, served: Served, asked: Asked) -> Answer:
    record = call.record
    record.rows = max(map(len, asked.columns.values()), default=0)
    made = answer(served, asked, record.request_id)
    # Only declared columns are told: what a caller sends beside them, nobody asked for.
    record.columns = [name for name in served.column_names if name in asked.columns]
    record.asked = list(zip(*(asked.columns[name] for name in record.columns), strict=True))
    record.told = call.carried().serving.features == "full"
    record.scores = made.predictions.tolist()
    record.violations = made.oddities() or None
    return made


def _ping(call: Call) -> Response:
    return Response(200, {"status": "ready", "model_version": call.served().model_version})


def _live(_: Call) -> Response:
    return Response(200, {"live": True})


def _ready(call: Call) -> Response:
    call.served()
    return Response(200, {"ready": True})


def _server(call: Call) -> Response:
    return Response(200, {"name": "tropism-predict", "version": call.record.function_version, "extensions": []})


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
            "function_version": call.record.function_version,
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
