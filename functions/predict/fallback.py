"""The same engine on XGBoost's Python package, for a machine where its library cannot be opened directly.

Slower to start by a second or more, equal in every number. Whoever uses it says so: in the log and in the
header `x-engine` of every answer.
"""

import numpy as np
from numpy.typing import NDArray

from functions.predict.engine import EngineError, Matrix


class PackageEngine:
    """A model loaded into xgboost.Booster."""

    def __init__(self, model: bytes) -> None:
        """Import xgboost and load `model` (the bytes of model.ubj). Raises EngineError."""
        try:
            import xgboost  # noqa: PLC0415  seconds of start-up that the usual path never pays
        except Exception as error:  # an import runs foreign code: anything may come out of it
            raise EngineError(f"The package xgboost cannot be imported: {type(error).__name__}.") from error
        self._xgboost = xgboost
        self._booster = xgboost.Booster({"nthread": 1})
        try:
            self._booster.load_model(bytearray(model))
        except xgboost.core.XGBoostError as error:
            raise EngineError(f"xgboost refuses the model: {str(error).strip().partition(chr(10))[0]}") from error
        self.name = f"xgboost-python/{xgboost.__version__}"
        self.features = int(self._booster.num_features())

    def predict(self, matrix: Matrix) -> NDArray[np.float32]:
        """Return predictions (n,), or (n, classes) for multiclass, of a matrix (n, k)."""
        return np.asarray(self._booster.inplace_predict(matrix, validate_features=False), dtype=np.float32)

    def contributions(self, matrix: Matrix) -> NDArray[np.float32]:
        """Return TreeSHAP contributions to the margin, (n, k + 1) or (n, classes, k + 1)."""
        data = self._xgboost.DMatrix(matrix, nthread=1)
        parts = self._booster.predict(data, pred_contribs=True, validate_features=False)
        return np.asarray(parts, dtype=np.float32)
