#!/bin/bash
# Runs the benchmarks: `bench.sh` for numbers to compare, `bench.sh short` to see that they
# run and to print a first impression.
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t packages < <(git ls-files -co --exclude-standard -z '*_test.go' | xargs -0 grep -l '^func Benchmark' | xargs -r -n1 dirname | sort -u | sed 's,^,./,')
[ ${#packages[@]} -gt 0 ] || exit 0
if [ "${1-}" = short ]; then
	go test -run '^$' -bench . -benchtime 2x -timeout 5m "${packages[@]}"
else
	go test -run '^$' -bench . -benchmem -benchtime 10x -count 3 -timeout 30m "${packages[@]}"
fi
