"""`python -m deployments` brings the Prefect server to the manifest; `--plan` only says what it would change."""

from __future__ import annotations

import argparse
import sys

from deployments.plan import apply, plan
from lifecycle.errors import TropismError
from lifecycle.settings import Settings


def main(arguments: list[str]) -> int:
    """Print each difference on a line, and return the exit code: 0, with `--plan` 1 when there is a difference."""
    parser = argparse.ArgumentParser(prog="python -m deployments", description=__doc__)
    parser.add_argument("--plan", action="store_true", help="change nothing")
    asked = parser.parse_args(arguments)
    try:
        found = (plan if asked.plan else apply)(Settings())
    except TropismError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write("".join(f"{difference}\n" for difference in found.differences) or "No difference.\n")
    return int(bool(asked.plan and found))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
