"""What `product.yaml` may say about answers: the section `predictions:`. Pure.

It says what a product wants; what one function version does is `lifecycle/serving.py`, made from it when that
version is packed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from lifecycle.durations import Duration
from lifecycle.serving import LoggedFeatures, Serving, Shadow

_CLOSED = ConfigDict(frozen=True, extra="forbid")
_MILLISECOND = timedelta(milliseconds=1)


class ShadowPolicy(BaseModel):
    """Whether a new version also scores requests with the model it is to replace.

    50 ms is a sixth of what a release takes as slow by default, so a shadow alone makes no answer slow. Every
    request by default: pairs are what finds a slightly worse model, and a second XGBoost model costs tenths of a
    millisecond a row.
    """

    model_config = _CLOSED

    share: Annotated[float, Field(gt=0, le=1, description="Share of requests, 0 to 1.")] = 1.0
    budget: Annotated[Duration, Field(gt=timedelta(0), description="From the request's start.")] = timedelta(
        milliseconds=50
    )


class PredictionsPolicy(BaseModel):
    """What is kept of every prediction, and what is computed beside it."""

    model_config = _CLOSED

    features: Annotated[
        LoggedFeatures, Field(description="`full`: records hold the rows asked; `digest`: only their sha256.")
    ] = "full"
    shadow: ShadowPolicy | None = None

    def serving(self, shadow_bundle: str | None = None) -> Serving:
        """Return how a version serves that carries this bundle beside its own, or none."""
        wanted = self.shadow
        if wanted is None or shadow_bundle is None:
            return Serving(self.features)
        return Serving(self.features, Shadow(shadow_bundle, wanted.share, wanted.budget / _MILLISECOND))
