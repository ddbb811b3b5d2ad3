"""Which path does what: MLflow's routes and the few of Open Inference v2."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from functions.predict import invocations, open_inference, shadow
from functions.predict.answer import Answer, Asked, answer
from functions.predict.carried import Carried, Units, place
from functions.predict.invocations import Given, Params, read_params
from functions.predict.model import Served, Unready
from functions.predict.record import Record
from functions.predict.refusals import RefusalError
from functions.predict.request import Request, Response, read_json


@dataclass(frozen=True)
class Call:
    """One request with what is needed to answer it. `started`: time.perf_counter() when it began."""

    request: Request
    model: Carried | Unready
    record: Record
    started: float

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
    names = call.served().column_names
    body = read_json(call.request)
    params = _params(call, body.get("params"), "params")
    served, made = _predict(call, invocations.parse(body, names), params)
    return Response(200, made.body(served.model_version))


def _infer(call: Call) -> Response:
    names = call.served().column_names
    body = read_json(call.request)
    params = _params(call, body.get("parameters"), "parameters")
    # The protocol has no verb for explanations, and leaves unknown parameters to the server.
    served, made = _predict(call, open_inference.parse(body, names), replace(params, explain=False, ignored=()))
    return Response(200, open_inference.render(made, body, served.bundle.contract, served.model_version))


def _params(call: Call, given: object, where: str) -> Params:
    """Read the parameters first: a request that is refused after them is still marked as what it is."""
    params = read_params(given, where)
    call.record.synthetic = params.synthetic
    return params


def _predict(call: Call, given: Given, params: Params) -> tuple[Served, Answer]:
    """Return the model that answers and its answer, and note both; then ask the shadow, which answers nobody."""
    carried, record = call.carried(), call.record
    record.rows = max(map(len, given.values()), default=0)
    experiment = carried.serving.experiment
    units = Units(0) if experiment is None else place(experiment, given, params.unit)
    served = carried.pick(units.assigned)
    if experiment is not None and units.assigned is not None:
        record.experiment, record.arm, record.unit = experiment.name, units.assigned.arm.name, units.assigned.unit
        identify(record, served)
    made = answer(served, Asked(given, params.explain, params.ignored, units.found), record.request_id)
    # Only declared columns are told: what a caller sends beside them, nobody asked for.
    record.columns = [name for name in served.column_names if name in given]
    record.asked = list(zip(*(given[name] for name in record.columns), strict=True))
    record.told = carried.serving.features == "full"
    record.scores = made.predictions.tolist()
    record.violations = made.oddities() or None
    if carried.shadow is not None and carried.serving.shadow is not None:
        record.shadow = shadow.score(carried.shadow, carried.serving.shadow, given, record.request_id, call.started)
    return served, made


def identify(record: Record, served: Served) -> None:
    """Note which model a request is answered by."""
    record.product, record.bundle = served.bundle.contract.product, served.bundle.digest
    record.model_version, record.engine = served.model_version, served.engine.name


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
