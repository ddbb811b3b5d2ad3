#!/bin/sh
# In Lambda the arguments name a handler, which AWS's own runtime client serves; elsewhere they are a command.
set -eu
if [ -n "${AWS_LAMBDA_RUNTIME_API:-}" ]; then
    exec python -m awslambdaric "$@"
fi
exec "$@"
