#!/bin/sh
# Runs golangci-lint with .golangci.yml. Its cache is inside the clone like the tool.
set -eu
cd "$(dirname "$0")/.."
scripts/tools.sh lint
GOFLAGS=$(printf %s "${GOFLAGS-}" | sed 's/-modfile=[^ ]*//') # it also loads packages outside of the module
export GOFLAGS
GOLANGCI_LINT_CACHE="$PWD/.tools/cache" exec .tools/golangci-lint run "$@"
