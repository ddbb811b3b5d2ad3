"""How a model is judged on a frozen holdout: metrics, slices, and what cannot be computed.

Champion and challenger go through the same functions on the same rows.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Metric = Literal["auc", "log_loss", "brier", "rmse", "mae"]


class EvaluationPolicy(BaseModel):
    """Which metric decides, which floors bind, which slices are looked at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: Metric
    floors: dict[Metric, float] = Field(description="Worst value allowed, in the metric's own direction.")
    slices: tuple[str, ...] = ()
    min_slice_rows: Annotated[int, Field(gt=0)] = 500
    slice_margin: Annotated[float, Field(gt=0)] = 0.02
    leak_threshold: Annotated[float, Field(gt=0.5, le=1)] = 0.98
