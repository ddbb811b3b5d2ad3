"""Shares the release tests' functions and registry."""

from tests.release.conftest import bundles, house, listener, registry_uri, settled, two

__all__ = ["bundles", "house", "listener", "registry_uri", "settled", "two"]
