"""Starts ministack with the project's patches: `python -m localcloud.emulator`, in the isolated environment.

Configured by ministack's own environment variables; see `localcloud/services.py` for the ones set.
"""
# ruff: noqa: PLC0415 - importing ministack reads the environment and configures logging

from __future__ import annotations

from importlib.metadata import version


def main() -> None:
    """Apply the patches and serve until a SIGTERM."""
    import ministack.app as gateway

    from localcloud.patches import (
        alarms,
        aliases,
        durability,
        ecs_tasks,
        failures,
        latency,
        log_delivery,
        log_lines,
        metrics,
        object_versions,
        provisioned,
        subscriptions,
    )
    from localcloud.patches.registry import apply_all

    modules = (
        *(aliases, ecs_tasks, latency, failures, durability, object_versions, metrics, alarms, provisioned),
        *(log_lines, log_delivery, subscriptions),
    )
    apply_all([module.patch() for module in modules], version("ministack"))
    gateway.main()


if __name__ == "__main__":
    main()
