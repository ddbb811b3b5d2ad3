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
from collections.abc import Callable
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
    tables: str = ""
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


def bring_stack(cloud: LocalCloud, progress: Progress) -> None:
    """Bring the emulator to the template and the code of this checkout; objects and queues in it stay."""
    path, wanted = _done_file(cloud), _wanted_stack(cloud)
    done = Done.read(path)
    lacking = missing(cloud) if done else ()
    if done is not None and done.stack == wanted and not lacking:
        return
    begun = (done or Done()).model_copy(update={"stack": "", "deployments": ""})
    begun.write(path)
    if lacking:
        _forget(cloud, lacking, progress)
    progress("Bringing the emulator to the stack")
    pairs = [word for name, value in stack_parameters(cloud).items() for word in ("--parameter", f"{name}={value}")]
    arguments = ["--stack", cloud.function_prefix, "--python", sys.executable, "--poll", "0.2", *pairs]
    _step(cloud, "The emulator could not be brought to the stack.", ["-m", _STACK, *arguments])
    if still := missing(cloud):
        raise LocalCloudError(
            "The stack is not what the template says.",
            detail=f"The emulator has no {', no '.join(still)}.",
            resolution="Run: tropism up --fresh",
        )
    begun.model_copy(update={"stack": wanted}).write(path)


def make_tables(cloud: LocalCloud, progress: Progress) -> None:
    """Make MLflow's tables before anybody needs them: two runs that make them at once would fail."""
    path, wanted = _done_file(cloud), digest(["uv.lock"])
    done = Done.read(path) or Done()
    if done.tables == wanted and (cloud.home.path / "mlflow.db").exists():
        return
    progress("Making MLflow's tables")
    _step(cloud, "MLflow's tables could not be made.", ["-c", _TABLES])
    done.model_copy(update={"tables": wanted}).write(path)


def deploy_flows(cloud: LocalCloud, progress: Progress) -> None:
    """Bring the Prefect server to `prefect.yaml`, pools and automations of this checkout."""
    path, wanted = _done_file(cloud), digest(_DEPLOYED_CODE)
    done = Done.read(path) or Done()
    if done.deployments == wanted and health.has_pools(cloud):
        return
    progress("Deploying the flows to Prefect")
    _step(cloud, "The flows could not be deployed to Prefect.", ["-c", _DEPLOY])
    done.model_copy(update={"deployments": wanted}).write(path)


def _done_file(cloud: LocalCloud) -> Path:
    return cloud.home.path / "bootstrap.json"


def _wanted_stack(cloud: LocalCloud) -> str:
    return f"{digest(_STACK_CODE)} {json.dumps(stack_parameters(cloud), sort_keys=True)}"


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
