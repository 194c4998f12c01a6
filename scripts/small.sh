#!/bin/sh
# Prints the flag with which Go builds a runtime whose lists and tables begin small, which saves
# every number's process 1.6 MiB; see docs/adr/0013-small-runtime.md. Prints nothing, and says
# why, where this version of Go has other lines there: then everything works, and is larger.
set -eu
cd "$(dirname "$0")/.."
case " ${GOFLAGS-}" in *" -overlay="*) exit 0 ;; esac
command -v go >/dev/null || exit 0
runtime=$(go env GOROOT)/src/runtime
dir=$PWD/.tools/runtime
case $dir in *[[:space:]]*) exit 0 ;; esac # GOFLAGS has no quotes
entries='spanSetBlockEntries = 512 ' cap='spanSetInitSpineCap = 256 ' bits='gcBitsChunkBytes = uintptr(64 << 10)'
if ! grep -q "$entries" "$runtime/mspanset.go" || ! grep -q "$cap" "$runtime/mspanset.go" || ! grep -q "$bits" "$runtime/mheap.go"; then
	echo "$0: $(go env GOVERSION) is not known, so that numbers take more memory than they have to." >&2
	exit 0
fi
mkdir -p "$dir"
draft=$dir/draft.$$
sed "s/$entries/spanSetBlockEntries = 32 /; s/$cap/spanSetInitSpineCap = 8 /" "$runtime/mspanset.go" >"$draft"
mv "$draft" "$dir/mspanset.go"
sed "s/$bits/gcBitsChunkBytes = uintptr(8 << 10)/" "$runtime/mheap.go" >"$draft"
mv "$draft" "$dir/mheap.go"
printf '{"Replace": {"%s": "%s", "%s": "%s"}}\n' "$runtime/mspanset.go" "$dir/mspanset.go" "$runtime/mheap.go" "$dir/mheap.go" >"$draft"
mv "$draft" "$dir/overlay.json"
echo "-overlay=$dir/overlay.json"
