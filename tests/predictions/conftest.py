"""A mould that names its roles, in a bucket of the test's own."""

import io
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lifecycle.settings import Settings
from tasks.clients import lambda_client
from tests.conftest import Aws

ROLES = {
    "tropism:delivery-role": "arn:aws:iam::000000000000:role/delivery",
    "tropism:subscription-role": "arn:aws:iam::000000000000:role/subscription",
}
BOOTSTRAP = f"""#!/bin/sh
export PYTHONPATH={Path(__file__).parent}
exec {Path(__file__).parents[2]}/.venv/bin/python -m awslambdaric talking.handler
"""


@pytest.fixture
def settings(aws: Aws) -> Iterator[Settings]:
    """A bucket and a mould whose functions tell one record per call."""
    prefix = f"t{uuid.uuid4().hex[:8]}"
    made = Settings.model_validate({"bucket": aws.bucket(), "function_prefix": prefix, "root": Path()})
    mould(f"{prefix}-predict", ROLES)
    yield made
    for function in lambda_client().list_functions()["Functions"]:
        if function["FunctionName"].startswith(prefix):
            lambda_client().delete_function(FunctionName=function["FunctionName"])


def mould(name: str, tags: dict[str, str]) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        info = zipfile.ZipInfo("bootstrap")
        info.external_attr = 0o100755 << 16
        archive.writestr(info, BOOTSTRAP)
    lambda_client().create_function(
        FunctionName=name,
        Role="arn:aws:iam::000000000000:role/predict",
        Runtime="provided.al2023",
        Handler="talking.handler",
        Code={"ZipFile": body.getvalue()},
        Tags=tags,
    )
