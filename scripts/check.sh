#!/bin/bash
# Everything that CI runs, the cheap and telling things first. Stops at the first failure.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }

step "formatting"
unformatted=$(git ls-files -z '*.go' | xargs -0 gofmt -l)
if [ -n "$unformatted" ]; then
	printf 'Not formatted, run gofmt -w on:\n%s\n' "$unformatted" >&2
	exit 1
fi

step "build and vet"
go build -buildvcs=false -o bin/switchboard ./cmd/switchboard
go vet ./...

step "generated files are current"
scripts/generate.sh
if ! git diff --exit-code --stat -- views static; then
	echo "Generated files are not what their sources say: run make generate and commit." >&2
	exit 1
fi

step "lint"
scripts/lint.sh

step "benchmarks, short"
scripts/bench.sh short

# whatsmeow has data races of its own (in its socket, group cache and QR channel), so the
# tests that run it inside their process are built without the race detector only.
step "an S3 store for the tests"
scripts/tools.sh s3
scripts/tools.sh acme

step "tests without the race detector, where it cannot be used"
mapfile -t norace < <(git ls-files -co --exclude-standard -z '*_test.go' | xargs -0 grep -lE '^//go:build !race' | xargs -r grep -l '^func Test' | xargs -r -n1 dirname | sort -u | sed 's,^,./,')
if [ ${#norace[@]} -gt 0 ]; then
	go test -shuffle=on -timeout 10m "${norace[@]}"
fi

step "protobuf's own tests, on the copy that numbers have"
go test google.golang.org/protobuf/{internal/{filedesc,impl,reflection_test},proto,encoding/...,reflect/...,testing/prototest,types/...}
go test -race google.golang.org/protobuf/internal/race_test/...

step "fuzzing, short"
scripts/fuzz.sh 2s

step "known vulnerabilities"
scripts/vulnerabilities.sh

# What others wrote to compute something, in one goroutine, takes most of the time when every access
# of it is watched for races; with so much of it, five times as long.
unwatched=()
for those in image/... compress/... hash/... golang.org/x/crypto/... golang.org/x/image/... github.com/makiuchi-d/gozxing/... github.com/HugoSmits86/nativewebp/...; do
	unwatched+=("-gcflags=$those=-race=false")
done

step "tests"
go test -race "${unwatched[@]}" -shuffle=on -timeout 15m ./...
