"""What excludes what when a function is to answer quickly from its first request."""

import pytest

from lifecycle.startup import SNAP_RUNTIMES, Startup, contradictions

SNAP = Startup(snap_start=True, runtime="python3.13")


@pytest.mark.parametrize(
    "startup",
    [
        Startup(),
        Startup(provisioned=3, runtime="provided.al2023", storage_mb=4096),
        *(Startup(snap_start=True, runtime=runtime) for runtime in SNAP_RUNTIMES),
    ],
)
def test_either_way_alone_is_possible(startup: Startup) -> None:
    assert contradictions(startup) == ()


@pytest.mark.parametrize(
    ("startup", "said"),
    [
        (Startup(snap_start=True, provisioned=1, runtime="python3.13"), "exclude each other"),
        (Startup(snap_start=True, runtime="provided.al2023"), "the runtime is provided.al2023"),
        (Startup(snap_start=True, runtime="python3.11"), "the runtime is python3.11"),
        (Startup(snap_start=True, runtime=""), "the runtime is none"),
        (
            Startup(snap_start=True, runtime="python3.13", storage_mb=513),
            "at most 512 MB of ephemeral storage, found 513",
        ),
        (Startup(provisioned=-1), "expected 0 or more"),
    ],
)
def test_what_aws_does_not_give_is_said_in_a_sentence(startup: Startup, said: str) -> None:
    (sentence,) = contradictions(startup)
    assert said in sentence
