"""XGBoost through its own C library: predictions and TreeSHAP contributions, without the Python package.

The library comes from the installed package's folder, found without importing it, or from the path in
XGBOOST_LIBRARY (a Lambda layer). The numbers are the Python package's, bit for bit; importing that package
costs 30 to 50 times the start-up of this module. It deliberately offers nothing but what an answer needs.
"""

import ctypes
import importlib.util
import json
import math
import sys
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]

_LIBRARY_NAMES = {"darwin": "libxgboost.dylib", "win32": "xgboost.dll"}
_PREDICTIONS, _CONTRIBUTIONS = 0, 2
_THREADS = 1  # a function has one core or less; a second thread only waits
_SETTINGS = {"training": False, "iteration_begin": 0, "iteration_end": 0, "strict_shape": False}


class EngineError(RuntimeError):
    """The library cannot be opened, or refuses the model or the matrix."""


class Engine(Protocol):
    """What computes. `name` says which code and version does, for people and logs."""

    name: str
    features: int

    def predict(self, matrix: Matrix) -> NDArray[np.float32]:
        """Return predictions (n,), or (n, classes) for multiclass, of a matrix (n, k)."""
        ...

    def contributions(self, matrix: Matrix) -> NDArray[np.float32]:
        """Return margins taken apart, (n, k + 1) or (n, classes, k + 1); the last of k + 1 is the base."""
        ...


def find_library(given: str | None) -> Path:
    """Return the path of XGBoost's library. Raises EngineError when there is none."""
    if given:
        path = Path(given)
        if not path.is_file():
            raise EngineError("XGBOOST_LIBRARY names a file that does not exist.")
        return path
    name = _LIBRARY_NAMES.get(sys.platform, "libxgboost.so")
    spec = importlib.util.find_spec("xgboost")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder, "lib", name)).is_file():
            return path
    raise EngineError(f"{name} is not installed: no package xgboost holds it and XGBOOST_LIBRARY is not set.")


class LibraryEngine:
    """A model loaded into the C library. Not safe for several threads, as a function needs none."""

    def __init__(self, library: Path, model: bytes) -> None:
        """Open `library` and load `model` (the bytes of model.ubj). Raises EngineError.

        XGBoost's parser trusts its input: an empty or truncated model may end the process. The bundle's checksums
        are therefore checked before any byte gets here.
        """
        if not model:
            raise EngineError("The model is empty.")
        try:
            self._lib = ctypes.CDLL(str(library))
            self._lib.XGBGetLastError.restype = ctypes.c_char_p
        except (OSError, AttributeError) as error:
            raise EngineError(f"{library.name} cannot be opened: {type(error).__name__}.") from error
        self._booster = ctypes.c_void_p()
        self._call("XGBoosterCreate", None, ctypes.c_uint64(0), ctypes.byref(self._booster))
        self._call("XGBoosterSetParam", self._booster, b"nthread", str(_THREADS).encode())
        self._call("XGBoosterLoadModelFromBuffer", self._booster, model, ctypes.c_uint64(len(model)))
        self.name = f"libxgboost/{self._version()}"
        self.features = self._count_features()

    def __del__(self) -> None:
        """Give the model's memory back."""
        if getattr(self, "_booster", None):
            self._lib.XGBoosterFree(self._booster)

    def predict(self, matrix: Matrix) -> NDArray[np.float32]:
        """Return predictions (n,), or (n, classes) for multiclass, of a matrix (n, k). Raises EngineError."""
        matrix = np.ascontiguousarray(matrix, dtype=np.float32)
        config = {**_SETTINGS, "type": _PREDICTIONS, "missing": float("nan"), "cache_id": 0}
        return self._result(
            "XGBoosterPredictFromDense", self._booster, _interface(matrix), json.dumps(config).encode(), None
        )

    def contributions(self, matrix: Matrix) -> NDArray[np.float32]:
        """Return TreeSHAP contributions to the margin, (n, k + 1) or (n, classes, k + 1). Raises EngineError."""
        matrix = np.ascontiguousarray(matrix, dtype=np.float32)
        handle = ctypes.c_void_p()
        config = json.dumps({"missing": float("nan"), "nthread": _THREADS, "data_split_mode": 0}).encode()
        self._call("XGDMatrixCreateFromDense", _interface(matrix), config, ctypes.byref(handle))
        try:
            wanted = json.dumps({**_SETTINGS, "type": _CONTRIBUTIONS}).encode()
            return self._result("XGBoosterPredictFromDMatrix", self._booster, handle, wanted)
        finally:
            self._call("XGDMatrixFree", handle)

    def _result(self, function: str, *arguments: object) -> NDArray[np.float32]:
        shape, dimensions = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
        values = ctypes.POINTER(ctypes.c_float)()
        self._call(function, *arguments, ctypes.byref(shape), ctypes.byref(dimensions), ctypes.byref(values))
        sizes = shape[: dimensions.value]
        # The library reuses its buffer at the next call, so the numbers are copied out.
        copied = ctypes.string_at(values, math.prod(sizes) * ctypes.sizeof(ctypes.c_float))
        return np.frombuffer(copied, dtype=np.float32).reshape(sizes)

    def _call(self, function: str, *arguments: object) -> None:
        if getattr(self._lib, function)(*arguments) != 0:
            first = (self._lib.XGBGetLastError() or b"").decode(errors="replace").strip().partition("\n")[0]
            raise EngineError(f"{function} failed: {first}")

    def _version(self) -> str:
        parts = [ctypes.c_int() for _ in range(3)]
        self._lib.XGBoostVersion(*(ctypes.byref(part) for part in parts))
        return ".".join(str(part.value) for part in parts)

    def _count_features(self) -> int:
        count = ctypes.c_uint64()
        self._call("XGBoosterGetNumFeature", self._booster, ctypes.byref(count))
        return count.value


def _interface(matrix: Matrix) -> bytes:
    return json.dumps(matrix.__array_interface__).encode()
