"""Everything that can go wrong, as one tree. Vendor errors are translated into it once, at the edge.

TropismError
├── UsageError            2   the command or its arguments
├── ProductError          10  a product's own files: product.yaml, features.py, suites
│   ├── SpecError
│   ├── SuiteError
│   ├── ColumnError          (lifecycle/columns.py)
│   ├── HookError            (lifecycle/hook.py)
│   └── FeatureError         (lifecycle/encoding.py)
│       └── InfiniteFeatureError
├── BatchError            11  a delivery that cannot be read or was refused
├── TrainingError         12  training or evaluation could not be carried out
├── ContractError             a prediction request that is refused: the caller's 4xx (lifecycle/refusal.py)
├── BundleError           13  a bundle that is missing, incomplete or tampered with
├── ReleaseError          14  traffic could not be moved, or the endpoint disagrees
│   └── ConflictError     15  somebody else changed the same record first
├── ServiceError          16  a service we depend on does not answer as it should
└── LocalCloudError       17  the cloud on this machine could not be started or stopped

Each error reads in three parts: what happened to what (summary), what was found against what was expected
(detail), and what to run next (resolution). The number is the exit code of the command line.
"""

from __future__ import annotations

from typing import ClassVar


class TropismError(Exception):
    """The root: an error a person can act on."""

    exit_code: ClassVar[int] = 1

    def __init__(self, summary: str, *, detail: str = "", resolution: str = "") -> None:
        """Keep the three parts apart, so that a page or JSON can show them on their own."""
        super().__init__(summary)
        self.summary = summary
        self.detail = detail
        self.resolution = resolution

    def __str__(self) -> str:
        """Join the parts into one readable paragraph."""
        return " ".join(part for part in (self.summary, self.detail, self.resolution) if part)


class UsageError(TropismError):
    """The command or its arguments cannot be used."""

    exit_code = 2


class ProductError(TropismError):
    """A product's own files are at fault."""

    exit_code = 10


class SpecError(ProductError):
    """`product.yaml` is missing, misspelt or contradicts itself."""


class SuiteError(ProductError):
    """An expectation suite is missing, empty, or holds something that would be silently dropped."""


class BatchError(TropismError):
    """A delivery cannot be read or was refused."""

    exit_code = 11


class TrainingError(TropismError):
    """Training or evaluation could not be carried out."""

    exit_code = 12


class BundleError(TropismError):
    """A bundle is missing, incomplete or tampered with."""

    exit_code = 13


class ReleaseError(TropismError):
    """Traffic could not be moved, or the endpoint does not answer what it should."""

    exit_code = 14


class ConflictError(ReleaseError):
    """Somebody else changed the same record first; nothing was changed."""

    exit_code = 15


class ServiceError(TropismError):
    """A service we depend on does not answer as it should."""

    exit_code = 16


class LocalCloudError(TropismError):
    """The cloud on this machine could not be started or stopped."""

    exit_code = 17
