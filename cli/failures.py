"""How a failure becomes one paragraph and one exit code.

Vendor errors are told by the name of their module, so that no vendor is imported to say that a command was
misspelt. What is not recognised stays a traceback: it is a fault of ours.
"""

from __future__ import annotations

from typer.exceptions import TyperException

from lifecycle.errors import ServiceError, TropismError, UsageError

_LOOK = "Run `tropism doctor`; if nothing is running here, `tropism up`."


def translate(error: BaseException) -> TropismError | None:
    """Return the error a person can act on, or None when this is not one."""
    if isinstance(error, TropismError):
        return error
    if isinstance(error, TyperException):
        return _usage(error)
    vendor = type(error).__module__.partition(".")[0]
    if vendor in {"botocore", "boto3", "s3transfer"}:
        return ServiceError("AWS does not answer as it should.", detail=_sentence(error), resolution=_LOOK)
    if vendor in {"httpx", "httpcore"}:
        return ServiceError(f"{_asked(error)} does not answer as it should.", detail=_sentence(error), resolution=_LOOK)
    if vendor == "mlflow":
        return ServiceError("MLflow does not answer as it should.", detail=_sentence(error), resolution=_LOOK)
    return None


def _usage(error: TyperException) -> UsageError:
    """Return a misused command line with the command whose help to read."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "tropism"
    message = error.format_message()
    summary = message if message.endswith((".", "?")) else f"{message}."
    return UsageError(summary, resolution=f"Run `{command} --help`.")


def _asked(error: BaseException) -> str:
    """Name the address an HTTP error is about."""
    try:
        url = error.request.url  # type: ignore[attr-defined]
    except (AttributeError, RuntimeError):  # httpx raises RuntimeError when the error carries no request
        return "A service"
    return f"{url.scheme}://{url.netloc.decode()}"


def _sentence(error: BaseException) -> str:
    """Return the first line of a vendor's message, ended by a full stop."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return line if line.endswith(".") else f"{line}."
