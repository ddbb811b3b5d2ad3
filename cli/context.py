"""Where this command works: an account somebody configured, or the cloud on this machine.

An environment that names a bucket is used as it is. Otherwise the local cloud's address record fills it in.
It starts nothing and asks no service.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lifecycle.errors import LocalCloudError, SpecError, UsageError

if TYPE_CHECKING:
    from cli.orchestrator import Orchestrator
    from lifecycle.settings import Settings
    from lifecycle.spec import Product

BUCKET = "TROPISM_BUCKET"
_ROOT = "TROPISM_ROOT"
_FOREIGN = ("AWS_PROFILE", "AWS_SESSION_TOKEN")  # they name an account; the local cloud is none of theirs


@dataclass(frozen=True)
class Here:
    """The settings in force, and whether they are the local cloud's."""

    settings: Settings
    local: bool

    @property
    def bucket(self) -> str:
        """Return the one bucket."""
        return self.settings.bucket

    def products(self) -> tuple[str, ...]:
        """Return the names of the products there are."""
        from lifecycle import spec

        return tuple(spec.names(self.settings.products))

    def check(self, product: str) -> str:
        """Return the name of a product there is. Raises UsageError with the nearest name."""
        if product not in self.products():
            self._refuse(product)
        return product

    def product(self, name: str) -> Product:
        """Return a product as its file says it. Raises UsageError when there is none, SpecError when it is at fault."""
        from lifecycle import spec

        return spec.load(self.settings.products, self.check(name))

    def prefect(self) -> Orchestrator:
        """Return Prefect. Raises ServiceError when no address is configured."""
        from cli import orchestrator

        return orchestrator.connect(self.settings.prefect_api_url)

    def _refuse(self, product: str) -> None:
        from lifecycle import spec

        try:
            spec.load(self.settings.products, product)
        except SpecError as error:
            raise UsageError(error.summary, detail=error.detail, resolution=error.resolution) from error


def here(product: str | None = None) -> Here:
    """Return where this command works, the product checked when one is given.

    Raises LocalCloudError when nothing is configured and nothing runs here, UsageError for an unknown product.
    """
    local = _use_local_cloud() if BUCKET not in os.environ else False
    from pydantic import ValidationError

    from lifecycle.settings import Settings

    try:
        found = Here(Settings(), local)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"The setting {'.'.join(map(str, first['loc']))} cannot be used.", detail=f"{first['msg']}."
        ) from error
    if product is not None:
        found.check(product)
    return found


def home() -> Path:
    """Return the folder where the local cloud keeps everything."""
    from localcloud.address import Home

    return Home.chosen().path


def _use_local_cloud() -> bool:
    """Fill the environment of this process from the address record."""
    from localcloud import address

    found = address.find()
    if found is None:
        raise LocalCloudError(
            "Nothing is running here and no account is configured.",
            detail=f"There is no local cloud in {home()} and {BUCKET} is not set.",
            resolution="Run `tropism up`, or set TROPISM_BUCKET and the AWS, Prefect and MLflow addresses.",
        )
    for name in _FOREIGN:
        os.environ.pop(name, None)
    root = os.environ.get(_ROOT)
    os.environ.update(found.environment())
    if root is not None:
        os.environ[_ROOT] = root
    return True
