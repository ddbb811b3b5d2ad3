"""What the Lambda runtime imports: `functions.predict.entry.handler`. Importing it opens the model.

Everything outside a handler is Lambda's init phase: at full speed, before any request waits, once for a snapshot of
SnapStart, and ahead of traffic for provisioned concurrency. It is the one module here that acts when it is imported,
so nothing but the runtime imports it.
"""

from functions.predict.handler import handler, warm_up

__all__ = ["handler"]

warm_up()
