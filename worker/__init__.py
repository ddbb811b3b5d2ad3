"""A Prefect worker type, `lambda`: it runs flow runs by asynchronously invoking an AWS Lambda function.

Importing this package registers the type: Prefect finds it by the entry point group `prefect.collections`.
It imports nothing of the project around it, so that it could be a package of its own, and it never executes
a flow: the function that it invokes does.
"""

from worker.lambda_worker import LambdaWorker

__all__ = ["LambdaWorker"]
