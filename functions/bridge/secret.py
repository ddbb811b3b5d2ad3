"""The password of the Prefect API, from the function's environment or from AWS Secrets Manager.

On AWS the environment names the secret, so that nobody who may read the function's configuration reads the
password. It is fetched once per environment, and again when it was refused: secrets are rotated.
"""

from __future__ import annotations

import os
from functools import lru_cache


def auth_string() -> str:
    """Return `user:password`, or an empty text when the server asks for none."""
    arn = os.environ.get("PREFECT_API_AUTH_SECRET_ARN", "")
    return _fetched(arn) if arn else os.environ.get("PREFECT_API_AUTH_STRING", "")


def renewed() -> str:
    """Forget what was fetched and return what holds now."""
    _fetched.cache_clear()
    return auth_string()


@lru_cache(maxsize=1)
def _fetched(arn: str) -> str:
    import boto3  # noqa: PLC0415  # Lambda's runtime brings it; 0.3 s that a server without a password never pays

    answer = boto3.session.Session().client("secretsmanager").get_secret_value(SecretId=arn)
    return str(answer["SecretString"])
