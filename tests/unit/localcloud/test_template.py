import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deployments.aws.apply import TEMPLATE, ZIPPED
from localcloud.address import Home, LocalCloud
from localcloud.bootstrap import stack_parameters

TEXT = TEMPLATE.read_text()


def test_the_template_is_clean_by_awss_own_linter() -> None:
    linter = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([str(linter), str(TEMPLATE)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("handler", sorted(set(re.findall(r"Handler: (\S+)", TEXT))))
def test_every_handler_the_template_names_exists(handler: str) -> None:
    module, _, name = handler.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


def test_every_parameter_a_laptop_or_the_code_gives_is_declared(tmp_path: Path) -> None:
    declared = set(re.findall(r"^  (\w+):\n    Type: (?:String|Number)", TEXT, flags=re.MULTILINE))
    cloud = LocalCloud(instance="0123abcd", home=Home(path=tmp_path), emulator_port=1, prefect_port=2)
    assert set(stack_parameters(cloud)) | set(ZIPPED) <= declared


def test_a_message_stays_hidden_longer_than_the_bridge_may_take(tmp_path: Path) -> None:
    cloud = LocalCloud(instance="0123abcd", home=Home(path=tmp_path), emulator_port=1, prefect_port=2)
    (bridge,) = re.findall(r"  Bridge:\n(.*?)\n\n", TEXT, flags=re.DOTALL)
    timeout = int(re.search(r"Timeout: (\d+)", bridge)[1])  # type: ignore[index]
    assert int(stack_parameters(cloud)["EventsVisibilitySeconds"]) > timeout


def test_everything_allowed_is_named_unless_aws_knows_no_name_for_it() -> None:
    wide = [line.strip() for line in TEXT.splitlines() if re.search(r'(Resource|Action): "?\*"?(\s|$)', line)]
    assert all("#" in line for line in wide), wide
