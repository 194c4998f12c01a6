#!/bin/bash
# Lets every fuzz target run for a while with inputs of its own: fuzz.sh [TIME for each, 2s].
set -euo pipefail
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Before version 1.27, Go now and then takes the end of the time for a failure
# (https://go.dev/issue/75804): then it has no input that failed.
outOfTime() { grep -q '^ *context deadline exceeded$' "$log" && ! grep -q 'Failing input written' "$log"; }

git ls-files -co --exclude-standard -z '*_test.go' | xargs -0 grep -HoE '^func Fuzz[A-Za-z]+' | sed 's/:func / /' | sort |
	while read -r file target; do
		printf '%s in %s\n' "$target" "$(dirname "$file")"
		for try in 1 2 3; do
			go test "./$(dirname "$file")" -run '^$' -fuzz "^$target\$" -fuzztime "${1:-2s}" </dev/null >"$log" 2>&1 && break
			if [ "$try" = 3 ] || ! outOfTime; then
				cat "$log"
				exit 1
			fi
		done
	done
