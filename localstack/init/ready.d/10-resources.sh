#!/bin/sh
# Run by LocalStack when it is ready: what a dispatcher needs before it starts. Doing it twice does no harm.
set -eu
cd /opt/spillway-localstack 2>/dev/null || true
exec python -m spillway_localstack resources --endpoint "${AWS_ENDPOINT_URL:-http://127.0.0.1:4566}"
