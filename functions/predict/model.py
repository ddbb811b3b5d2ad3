"""A model to predict with: a bundle beside the code, verified and opened once.

A function version is code and bundle together, so nothing is fetched and nothing changes while it lives.
Without a bundle, or with one whose bytes are not what was written, there is a reason instead of a model.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from functions.predict.engine import Engine, EngineError, LibraryEngine, find_library
from functions.predict.fallback import PackageEngine
from lifecycle.bundle import Bundle, load
from lifecycle.errors import TropismError

NO_CHAMPION = (
    "No model is released yet: this function version carries no bundle. Deliver data with "
    "`tropism drop PRODUCT FILE`; once a model passes its gate it is released here. "
    "Look how far it is with `tropism status PRODUCT`."
)

Note = Callable[[str, dict[str, object]], None]


@dataclass(frozen=True)
class Served:
    """A verified bundle in an engine. `model_version` is the registry's, or says that there is none."""

    bundle: Bundle
    engine: Engine

    @property
    def model_version(self) -> str:
        """The version release.json names, "unreleased" without one."""
        return self.bundle.release.model_version if self.bundle.release else "unreleased"

    @property
    def column_names(self) -> list[str]:
        """The contract's columns in their order."""
        return [column.name for column in self.bundle.contract.columns]


@dataclass(frozen=True)
class Unready:
    """Why there is nothing to predict with: a stable code and a sentence."""

    code: str
    sentence: str


def open_bundle(folder: Path, library: str | None, note: Note) -> Served | Unready:
    """Open one bundle, or say why it cannot be."""
    try:
        bundle = load(folder)
    except TropismError as error:
        return Unready("bundle_refused", f"The bundle of this function version is refused. {error.detail or error}")
    try:
        engine = _open_engine(bundle, library, note)
    except EngineError as error:
        return Unready("engine_failed", f"The model of this function version cannot be loaded. {error}")
    expected = len(bundle.features.feature_names)
    if engine.features != expected:
        return Unready("bundle_refused", f"The model takes {engine.features} features, features.json makes {expected}.")
    return Served(bundle, engine)


def _open_engine(bundle: Bundle, library: str | None, note: Note) -> Engine:
    try:
        path = find_library(library)
        engine: Engine = LibraryEngine(path, bundle.model)
    except EngineError as error:
        engine = PackageEngine(bundle.model)
        note("engine.fell_back", {"to": engine.name, "reason": str(error)})
    return engine
