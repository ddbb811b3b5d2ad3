"""The worker: one flow run in, one accepted asynchronous invocation out.

It does not wait for the run. What happens afterwards is reported by the function, which sets the run's states
through Prefect's own engine, or, when the function dies without a word, by its on-failure destination.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import anyio
import anyio.abc
import anyio.to_thread
from prefect.exceptions import InfrastructureNotAvailable
from prefect.workers.base import BaseWorker, BaseWorkerResult

from worker.configuration import LambdaJobConfiguration, LambdaVariables
from worker.invocation import RunRequest

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun


class LambdaWorkerResult(BaseWorkerResult):
    """Lambda accepted the invocation; the run itself has yet to begin."""


class LambdaWorker(BaseWorker[LambdaJobConfiguration, LambdaVariables, LambdaWorkerResult]):
    """Run flow runs of up to fifteen minutes in AWS Lambda."""

    type = "lambda"
    job_configuration = LambdaJobConfiguration
    job_configuration_variables = LambdaVariables
    _display_name: ClassVar[str] = "AWS Lambda"
    _description = "Execute flow runs of up to 15 minutes by asynchronously invoking an AWS Lambda function."
    _documentation_url = "https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html"

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the command line passes Prefect's own
        """Take what every Prefect worker takes."""
        from worker.lambda_api import Functions  # noqa: PLC0415 - listing worker types must not load boto3

        super().__init__(*args, **kwargs)
        self._functions = Functions()

    async def run(
        self,
        flow_run: FlowRun,
        configuration: LambdaJobConfiguration,
        task_status: anyio.abc.TaskStatus[Any] | None = None,
    ) -> LambdaWorkerResult:
        """Invoke the function and return once Lambda has the request.

        A repeated call is a repeated delivery: the function executes only the first of one submission.
        Prefect makes a Crashed state of whatever this raises, with its sentence.

        Raises:
            LambdaPoolError: when Lambda did not accept the request.

        """
        pid = await anyio.to_thread.run_sync(partial(self._submit, flow_run, configuration))
        if task_status is not None:
            task_status.started(pid)
        return LambdaWorkerResult(identifier=pid, status_code=0)

    async def kill_infrastructure(
        self,
        infrastructure_pid: str,
        configuration: LambdaJobConfiguration,  # noqa: ARG002 - Prefect's signature
        grace_seconds: int = 30,  # noqa: ARG002
    ) -> None:
        """Say why an invocation cannot be killed; the function ends a cancelled run by itself."""
        raise InfrastructureNotAvailable(
            f"AWS has no call that stops the Lambda invocation {infrastructure_pid}. The function looks for a "
            "cancellation before it begins and while it runs, and ends the run as Cancelled itself."
        )

    def _submit(self, flow_run: FlowRun, configuration: LambdaJobConfiguration) -> str:
        target = configuration.target
        request = RunRequest(
            flow_run_id=flow_run.id,
            run_count=flow_run.run_count,
            timeout=configuration.timeout,
            env={name: value for name, value in configuration.env.items() if value is not None},
            labels=configuration.labels,
            payload=configuration.payload,
        )
        body = request.to_json()
        self._functions.require(target, memory=configuration.memory, timeout=configuration.timeout)
        return f"{target}::{self._functions.invoke(target, body)}"
