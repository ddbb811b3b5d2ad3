"""What can go wrong between a flow run and an accepted invocation. The sentence becomes the run's Crashed state.

LambdaPoolError
├── FunctionNotFoundError    the function, or the version or alias of it, does not exist
├── FunctionTooSmallError    the run asks for more memory or time than the function has
├── FunctionThrottledError   Lambda kept refusing for its rate or concurrency limits
├── PayloadTooLargeError     the invocation would not fit into an asynchronous payload
└── InvocationRefusedError   anything else: no permission, no credentials, no answer
"""


class LambdaPoolError(RuntimeError):
    """The root: a flow run could not be handed to its function."""


class FunctionNotFoundError(LambdaPoolError):
    """The function, or the version or alias of it, does not exist."""


class FunctionTooSmallError(LambdaPoolError):
    """The run asks for more memory or time than the function has."""


class FunctionThrottledError(LambdaPoolError):
    """Lambda kept refusing the invocation for its rate or concurrency limits."""


class PayloadTooLargeError(LambdaPoolError):
    """The invocation would not fit into an asynchronous payload."""


class InvocationRefusedError(LambdaPoolError):
    """Lambda did not accept the invocation for another reason."""
