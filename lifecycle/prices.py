"""What AWS asks for what is used: one reviewed table with its date, region and sources. Change it in a pull request.

On-demand list prices without free tiers, tiers of volume, savings plans or an account's own agreements.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Dollars = Annotated[float, Field(ge=0)]


class Prices(BaseModel):
    """US dollars for Linux on x86 in a region, as of a day.

    `always_on`: an instance of the kind `instance`, the smallest that holds a service and its orchestration.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    on: date = date(2026, 3, 1)
    region: str = "us-east-1"
    lambda_gb_second: Dollars = 0.0000166667
    lambda_request: Dollars = 0.0000002
    fargate_vcpu_hour: Dollars = 0.04048
    fargate_gb_hour: Dollars = 0.004445
    storage_gb_month: Dollars = 0.023
    logs_gb: Dollars = 0.50
    delivery_gb: Dollars = 0.029
    instance: str = "t3.medium, 2 vCPU, 4 GB"
    instance_hour: Dollars = 0.0416


PRICES = Prices()
SOURCES: Mapping[str, str] = {
    "lambda_gb_second": "https://aws.amazon.com/lambda/pricing/",
    "lambda_request": "https://aws.amazon.com/lambda/pricing/",
    "fargate_vcpu_hour": "https://aws.amazon.com/fargate/pricing/",
    "fargate_gb_hour": "https://aws.amazon.com/fargate/pricing/",
    "storage_gb_month": "https://aws.amazon.com/s3/pricing/ (S3 Standard, first 50 TB)",
    "logs_gb": "https://aws.amazon.com/cloudwatch/pricing/ (custom logs, collected)",
    "delivery_gb": "https://aws.amazon.com/firehose/pricing/ (first 500 TB; AWS counts a record in steps of 5 KB)",
    "instance_hour": "https://aws.amazon.com/ec2/pricing/on-demand/",
}
