"""Shares the worker tests' Prefect server and the release tests' functions and registry."""

from tests.release.conftest import bundles, house, listener, registry_uri, settled, two
from tests.worker.conftest import prefect

__all__ = ["bundles", "house", "listener", "prefect", "registry_uri", "settled", "two"]
