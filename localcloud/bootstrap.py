"""What `up` does once emulator and Prefect server answer: the stack, the code, MLflow's tables, the deployments.

Each step is skipped when nothing it depends on changed since it was last finished and what it made is still there.
Killed anywhere, the next `up` finishes. The steps run as processes of their own: they are the commands an account is
brought up with, and `up` need not import Prefect or MLflow.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from lifecycle.errors import LocalCloudError
from localcloud import health, supervision
from localcloud.address import REPO, LocalCloud
from localcloud.readback import missing
from localcloud.sources import digest

Progress = Callable[[str], None]
_REGISTRY = "000000000000.dkr.ecr.us-east-1.amazonaws.com"
"""The emulator's account; the engine looks at the last part of an image's name only."""
_FLOW_CODE = ("flows", "functions", "lifecycle", "tasks", "uv.lock")
_STACK_CODE = ("deployments/aws", "deployments/package.py", *_FLOW_CODE)
_DEPLOYED_CODE = ("deployments", "prefect.yaml", "products", "worker", *_FLOW_CODE)
_EMULATOR_SECONDS = 60
_STEP_SECONDS = 300
_STACK = "deployments.aws.apply"
_TABLES = "import mlflow; mlflow.MlflowClient().search_experiments(max_results=1)"
_DEPLOY = "from deployments.plan import apply; from lifecycle.settings import Settings; apply(Settings())"


class Done(BaseModel):
    """Which sources each step was last finished with; empty while a step is under way or was interrupted."""

    model_config = ConfigDict(extra="forbid")

    stack: str = ""
    deployments: str = ""

    @classmethod
    def read(cls, path: Path) -> Done | None:
        """Return what was finished, or None when nothing was ever begun."""
        try:
            return cls.model_validate_json(path.read_text())
        except FileNotFoundError:
            return None
        except ValidationError:
            return cls()

    def write(self, path: Path) -> None:
        """Write at once or not at all."""
        draft = path.with_suffix(".draft")
        draft.write_text(self.model_dump_json())
        draft.replace(path)


def bootstrap(cloud: LocalCloud, progress: Progress) -> None:
    """Bring emulator, MLflow and Prefect to this checkout; a second call with the same sources only looks."""
    path = cloud.home.path / "bootstrap.json"
    done = Done.read(path)
    parameters = stack_parameters(cloud)
    wanted = Done(
        stack=f"{digest(_STACK_CODE)} {json.dumps(parameters, sort_keys=True)}",
        deployments=digest(_DEPLOYED_CODE),
    )
    lacking = missing(cloud) if done else ()
    if done is None or done.stack != wanted.stack or lacking:
        Done().write(path)
        if lacking:
            _forget(cloud, lacking, progress)
        progress("Bringing the emulator to the stack")
        _apply_stack(cloud, parameters)
        if still := missing(cloud):
            raise LocalCloudError(
                "The stack is not what the template says.",
                detail=f"The emulator has no {', no '.join(still)}.",
                resolution="Run: tropism up --fresh",
            )
        done = Done(stack=wanted.stack)
        done.write(path)
    if not (cloud.home.path / "mlflow.db").exists():
        progress("Making MLflow's tables")
        _step(cloud, "MLflow's tables could not be made.", ["-c", _TABLES])
    if done.deployments != wanted.deployments or not health.has_pools(cloud):
        progress("Deploying the flows to Prefect")
        _step(cloud, "The flows could not be deployed to Prefect.", ["-c", _DEPLOY])
        Done(stack=wanted.stack, deployments=wanted.deployments).write(path)


def stack_parameters(cloud: LocalCloud) -> dict[str, str]:
    """Return what fills the template on this machine. An image's tag is the code's digest, as in an account."""
    tag = digest(_FLOW_CODE)[:12]
    return {
        "BucketName": cloud.bucket,
        "FunctionPrefix": cloud.function_prefix,
        "FunctionRuntime": "provided.al2023",
        "RunFlowImageUri": f"{_REGISTRY}/tropism/run-flow:{tag}",
        "FlowsImageUri": f"{_REGISTRY}/tropism/flows:{tag}",
        "PrefectApiUrl": cloud.prefect_api_url,
        "TrackingUri": cloud.mlflow_tracking_uri,
        # The bridge has 10 s; a laptop's Prefect server is back within half a minute.
        "EventsVisibilitySeconds": "12",
        "EventsMaxReceives": "100",
    }


def _apply_stack(cloud: LocalCloud, parameters: Mapping[str, str]) -> None:
    pairs = [word for name, value in parameters.items() for word in ("--parameter", f"{name}={value}")]
    arguments = ["-m", _STACK, "--stack", cloud.function_prefix, "--python", sys.executable, "--poll", "0.2", *pairs]
    _step(cloud, "The emulator could not be brought to the stack.", arguments)


def _forget(cloud: LocalCloud, lacking: tuple[str, ...], progress: Progress) -> None:
    """Let the emulator forget everything but its objects: what is half there cannot be completed by a template."""
    progress(f"The emulator lost its {', its '.join(lacking)}; making the stack again, objects stay")
    supervision.stop(cloud, "emulator")
    shutil.rmtree(cloud.home.state, ignore_errors=True)
    supervision.start(cloud, "emulator")
    health.wait(cloud, "emulator", _EMULATOR_SECONDS)


def _step(cloud: LocalCloud, failed: str, arguments: list[str]) -> None:
    """Run one step as a process; raises LocalCloudError with the end of what it said."""
    log = cloud.home.logs / "bootstrap.log"
    env = {**cloud.process_environment(), **cloud.environment(), "HOME": str(cloud.home.path / "client")}
    with log.open("ab") as out:
        begin = out.tell()
        try:
            done = subprocess.run(  # noqa: S603 - this Python, the project's own commands
                [sys.executable, *arguments],
                cwd=REPO,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                check=False,
                timeout=_STEP_SECONDS,
            )
            code = str(done.returncode)
        except subprocess.TimeoutExpired:
            code = f"no end within {_STEP_SECONDS} s"
    if code != "0":
        said = log.read_bytes()[begin:].decode(errors="replace").strip()[-3000:]
        raise LocalCloudError(failed, detail=f"Exit code {code}. It said:\n{said}\n", resolution=f"The log is {log}.")
