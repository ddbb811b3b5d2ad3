"""When a challenger may replace the champion. Pure: scores in, a verdict with reasons out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class PromotionPolicy(BaseModel):
    """How much better, and how sure."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: Literal["superior", "non_inferior"] = "superior"
    min_effect: Annotated[float, Field(ge=0)] = 0.005
    margin: Annotated[float, Field(gt=0)] = 0.005
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    resamples: Annotated[int, Field(ge=200, le=20_000)] = 1_000
    seed: int = 17
