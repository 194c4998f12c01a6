#!/bin/bash
# Lets every fuzz target run for a while with inputs of its own: fuzz.sh [TIME for each, 2s].
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files -co --exclude-standard -z '*_test.go' | xargs -0 grep -HoE '^func Fuzz[A-Za-z]+' | sed 's/:func / /' | sort |
	while read -r file target; do
		printf '%s in %s\n' "$target" "$(dirname "$file")"
		go test "./$(dirname "$file")" -run '^$' -fuzz "^$target\$" -fuzztime "${1:-2s}" </dev/null >/tmp/fuzz.$$ 2>&1 || { cat /tmp/fuzz.$$; rm -f /tmp/fuzz.$$; exit 1; }
		rm -f /tmp/fuzz.$$
	done
