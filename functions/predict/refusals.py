"""Why a request gets no prediction, as an HTTP status with one sentence. A caller's mistake is never a 5xx."""

from collections.abc import Mapping

from lifecycle.refusal import ContractError


class RefusalError(Exception):
    """A request that is answered with an error. `reason` is stable; the sentence is for people."""

    def __init__(self, status: int, reason: str, sentence: str, *, headers: Mapping[str, str] | None = None) -> None:
        """Keep the parts the answer is made of."""
        super().__init__(sentence)
        self.status = status
        self.reason = reason
        self.sentence = sentence
        self.headers = dict(headers or {})


# MLflow's error codes, so that its clients read ours.
_ERROR_CODES = {
    400: "BAD_REQUEST",
    404: "ENDPOINT_NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
}


def malformed(sentence: str) -> RefusalError:
    """Return the refusal of a body that does not follow its protocol."""
    return RefusalError(400, "malformed", sentence)


def broken_contract(error: ContractError) -> RefusalError:
    """Return the refusal of rows that follow the protocol and break the contract."""
    return RefusalError(413 if error.code == "too_many_rows" else 400, error.code, str(error))


def error_body(status: int, reason: str, sentence: str) -> dict[str, object]:
    """Return the body of an error: MLflow clients read `message`, Open Inference clients read `error`."""
    return {"error_code": _ERROR_CODES[status], "reason": reason, "message": sentence, "error": sentence}
