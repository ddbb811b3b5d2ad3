"""How a product's model is trained: the policy, the split by event time, the candidates.

It decides which rows train and which judge; fitting itself is `tasks/training.py`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class TrainingPolicy(BaseModel):
    """What is fitted, on what, with which seeds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    holdout_days: Annotated[float, Field(gt=0)] = 7.0
    early_stopping_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    min_rows: Annotated[int, Field(gt=0)] = 1_000
    recent_days: Annotated[float | None, Field(gt=0)] = None
    max_rounds: Annotated[int, Field(gt=0, le=5_000)] = 400
    early_stopping_rounds: Annotated[int, Field(gt=0)] = 20
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.1
    max_depth: Annotated[int, Field(gt=0, le=16)] = 6
    min_child_weight: Annotated[float, Field(ge=0)] = 20.0
    subsample: Annotated[float, Field(gt=0, le=1)] = 0.8
    column_sample: Annotated[float, Field(gt=0, le=1)] = 0.8
    threads: Annotated[int, Field(gt=0)] = 1
    seed: int = 17
