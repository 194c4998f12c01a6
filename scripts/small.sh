#!/bin/sh
# Prints the flag with which Go builds a runtime whose lists of spans begin small, which saves
# every number's process 1.4 MiB; see docs/adr/0013-small-runtime.md. Prints nothing, and says
# why, where this version of Go has other lines there: then everything works, and is larger.
set -eu
cd "$(dirname "$0")/.."
case " ${GOFLAGS-}" in *" -overlay="*) exit 0 ;; esac
command -v go >/dev/null || exit 0
source=$(go env GOROOT)/src/runtime/mspanset.go
dir=$PWD/.tools/small
case $dir in *[[:space:]]*) exit 0 ;; esac # GOFLAGS has no quotes
entries='spanSetBlockEntries = 512 ' cap='spanSetInitSpineCap = 256 '
if ! grep -q "$entries" "$source" || ! grep -q "$cap" "$source"; then
	echo "$0: $(go env GOVERSION) is not known, so that numbers take more memory than they have to." >&2
	exit 0
fi
mkdir -p "$dir"
draft=$dir/draft.$$
sed "s/$entries/spanSetBlockEntries = 32 /; s/$cap/spanSetInitSpineCap = 8 /" "$source" >"$draft"
mv "$draft" "$dir/mspanset.go"
printf '{"Replace": {"%s": "%s"}}\n' "$source" "$dir/mspanset.go" >"$draft"
mv "$draft" "$dir/overlay.json"
echo "-overlay=$dir/overlay.json"
