#!/bin/sh
# Runs golangci-lint with .golangci.yml. Its cache is inside the clone like the tool.
set -eu
cd "$(dirname "$0")/.."
scripts/tools.sh lint
GOLANGCI_LINT_CACHE="$PWD/.tools/cache" exec .tools/golangci-lint run "$@"
