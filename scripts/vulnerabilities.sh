#!/bin/bash
# Runs govulncheck against the vulnerability database that VULNDB names (file:///dir for a
# local copy, https://vuln.go.dev for the public one). Without one it says so and skips.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -z "${VULNDB:-}" ]; then
	echo "SKIPPED: no vulnerability database. Set VULNDB=file:///dir or VULNDB=https://vuln.go.dev to look for known vulnerabilities." >&2
	exit 0
fi
# Without the flags of make, which name a copy of protobuf that no database knows.
GOFLAGS='' exec go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 -db "$VULNDB" ./cmd/switchboard
