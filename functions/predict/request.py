"""What arrives and what leaves: Lambda events to requests, responses to what the invoker expects.

Two kinds of event: a function URL's (payload format 2.0) and a direct invoke, whose event is itself the body of
POST /invocations. It deliberately reads no other event source's format.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from functions.predict.refusals import RefusalError, malformed

# What AWS Lambda takes in one synchronous request.
MAX_BODY = 6 * 1024 * 1024
JSON = "application/json"


@dataclass(frozen=True)
class Request:
    """One request. `direct`: not HTTP, so there are no headers to answer with."""

    method: str
    path: str
    body: bytes
    content_type: str | None = None
    content_encoding: str | None = None
    direct: bool = False


@dataclass(frozen=True)
class Response:
    """One answer: a JSON body, and headers where the way back has room for them."""

    status: int
    body: Mapping[str, object]
    headers: Mapping[str, str] = field(default_factory=dict)


def read_event(event: object) -> Request:
    """Return the request an event stands for. Raises RefusalError when a function URL's event is broken."""
    if not isinstance(event, dict) or not isinstance(event.get("requestContext"), dict):
        return Request("POST", "/invocations", json.dumps(event).encode(), JSON, direct=True)
    http = event["requestContext"].get("http")
    if not isinstance(http, dict):
        raise malformed("The event is not a function URL's: requestContext has no http part.")
    sent = event.get("headers") or {}
    if not isinstance(sent, dict):
        raise malformed("The event is not a function URL's: headers is no object.")
    headers = {str(name).lower(): str(value) for name, value in sent.items()}
    return Request(
        method=str(http.get("method", "")).upper(),
        path=str(event.get("rawPath") or http.get("path") or "/"),
        body=_body(event),
        content_type=headers.get("content-type"),
        content_encoding=headers.get("content-encoding"),
    )


def read_json(request: Request) -> dict[str, object]:
    """Return the JSON object in the body. Raises RefusalError: 413 too large, 415 another type, 400 no JSON object."""
    if len(request.body) > MAX_BODY:
        raise RefusalError(413, "body_too_large", f"The body has {len(request.body)} bytes; {MAX_BODY} are allowed.")
    _check_type(request)
    try:
        body = json.loads(request.body)
    except UnicodeDecodeError:
        raise malformed("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise malformed(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    except (RecursionError, ValueError):
        raise malformed("The body is JSON that nests too deep or holds a number with too many digits.") from None
    if not isinstance(body, dict):
        raise malformed(f"The body is a JSON {_json_kind(body)}; expected an object.")
    return body


def write_response(response: Response, request: Request | None) -> dict[str, object]:
    """Return what the Lambda runtime sends back: an HTTP answer, or for a direct invoke the body with the headers."""
    if request is not None and request.direct:
        named = {name.removeprefix("x-").replace("-", "_"): value for name, value in response.headers.items()}
        return {**named, **response.body, "status": response.status}
    text = json.dumps(response.body, separators=(",", ":"), allow_nan=False)
    headers = {"content-type": JSON, "cache-control": "no-store", **response.headers}
    return {"statusCode": response.status, "headers": headers, "body": text, "isBase64Encoded": False}


def _body(event: Mapping[str, object]) -> bytes:
    text = event.get("body") or ""
    if not isinstance(text, str):
        raise malformed("The event's body is not text.")
    if not event.get("isBase64Encoded"):
        return text.encode("utf-8", errors="surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise malformed("The event's body is marked as base64 and is not.") from None


def _check_type(request: Request) -> None:
    kind, *parameters = [part.strip().lower() for part in (request.content_type or "").split(";")]
    if kind != JSON:
        found = f"found {kind!r}" if kind else "found none"
        raise RefusalError(415, "content_type", f"The content type must be {JSON}, {found}.")
    if any(parameter and parameter.replace('"', "") != "charset=utf-8" for parameter in parameters):
        raise RefusalError(415, "content_type", f"{JSON} may have no parameter but charset=utf-8.")
    if request.content_encoding not in (None, "", "identity"):
        raise RefusalError(415, "content_encoding", "Compressed bodies are not read; send plain JSON.")


def _json_kind(value: object) -> str:
    names: dict[type, str] = {list: "list", str: "string", bool: "boolean", int: "number", float: "number"}
    return names.get(type(value), "null")
