"""Functions of a few lines that really run, in this Python, behind AWS's own runtime client."""

import io
import sys
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

Clients = Callable[[str], Any]
SOON = {"Delay": 0.1, "MaxAttempts": 300}


def zipped(source: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        bootstrap = zipfile.ZipInfo("bootstrap")
        bootstrap.external_attr = 0o100755 << 16
        program = f'#!/bin/sh\ncd "$LAMBDA_TASK_ROOT"\nexec "{sys.executable}" -m awslambdaric hello.handler\n'
        archive.writestr(bootstrap, program)
        archive.writestr("hello.py", source)
    return out.getvalue()


def function(clients: Clients, *sources: str, timeout: int = 10, name: str | None = None) -> str:
    """Make a function with one published version per source, numbered from 1."""
    name, functions = name or f"m{uuid.uuid4().hex[:8]}", clients("lambda")
    role = "arn:aws:iam::000000000000:role/any"
    functions.create_function(
        FunctionName=name,
        Runtime="provided.al2023",
        Handler="hello.handler",
        Role=role,
        Timeout=timeout,
        Code={"ZipFile": zipped(sources[0])},
    )
    for number, source in enumerate(sources, 1):
        functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=SOON)
        if number > 1:
            functions.update_function_code(FunctionName=name, ZipFile=zipped(source))
            functions.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=SOON)
        functions.publish_version(FunctionName=name)
    return name
