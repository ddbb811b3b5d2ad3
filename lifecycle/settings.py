"""Where things are, read from the environment once per entry point.

An environment (laptop, staging, production) is values of this one type, never a copy of a file. Nothing
is read at import; `functions/predict` reads its two variables itself and never imports this.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, HttpUrl
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The addresses and names that differ between a laptop and an account."""

    model_config = SettingsConfigDict(env_prefix="TROPISM_", frozen=True, extra="ignore")

    bucket: str = Field(min_length=3, max_length=63, description="The one bucket that holds every zone.")
    function_prefix: str = Field(
        default="tropism", pattern=r"^[a-z][a-z0-9-]{0,30}$", description="First part of every function name."
    )
    root: Path = Field(default=Path(), description="Folder that holds `products/` and `expectations/`.")
    prefect_api_url: HttpUrl | None = Field(
        default=None, validation_alias="PREFECT_API_URL", description="Prefect's API, up to and with `/api`."
    )
    aws_endpoint_url: HttpUrl | None = Field(
        default=None, validation_alias="AWS_ENDPOINT_URL", description="Set on a laptop only: the local cloud."
    )
    mlflow_tracking_uri: str | None = Field(
        default=None, validation_alias="MLFLOW_TRACKING_URI", description="MLflow's store."
    )

    @property
    def products(self) -> Path:
        """The folder with one folder per product."""
        return self.root / "products"

    @property
    def expectations(self) -> Path:
        """The folder with the reviewed suites."""
        return self.root / "expectations"

    def predict_function(self, product: str) -> str:
        """Name the function that answers for a product."""
        return f"{self.function_prefix}-predict-{product}"
