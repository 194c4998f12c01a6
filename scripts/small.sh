#!/bin/sh
# Prints the flags with which Go builds numbers' processes that take 2.5 MiB less memory each: lists
# of Go's runtime that begin small (docs/adr/0013-small-runtime.md), and a protobuf library that
# keeps of what it knows only what is used (docs/adr/0016-descriptors.md). Leaves out a flag, and
# says why, where the source that it is about has other lines: then everything works, and is larger.
set -eu
cd "$(dirname "$0")/.."
case " ${GOFLAGS-}" in *" -overlay="* | *" -modfile="*) exit 0 ;; esac
command -v go >/dev/null || exit 0
dir=$PWD/.tools/small
case $dir in *[[:space:]]*) exit 0 ;; esac # GOFLAGS has no quotes
mkdir -p "$dir"
draft=$dir/draft.$$
trap 'rm -rf "$draft"' EXIT

# keep NAME: standard input becomes that file, unless it is that already
keep() {
	cat >"$draft"
	if cmp -s "$draft" "$dir/$1"; then rm "$draft"; else mv "$draft" "$dir/$1"; fi
}

# runtime: two of its files with three constants changed
runtime() {
	src=$(go env GOROOT)/src/runtime
	entries='spanSetBlockEntries = 512 ' cap='spanSetInitSpineCap = 256 ' bits='gcBitsChunkBytes = uintptr(64 << 10)'
	if ! grep -q "$entries" "$src/mspanset.go" || ! grep -q "$cap" "$src/mspanset.go" || ! grep -q "$bits" "$src/mheap.go"; then
		echo "$0: $(go env GOVERSION) is not known, so that numbers take more memory than they have to." >&2
		return
	fi
	sed "s/$entries/spanSetBlockEntries = 32 /; s/$cap/spanSetInitSpineCap = 8 /" "$src/mspanset.go" | keep mspanset.go
	sed "s/$bits/gcBitsChunkBytes = uintptr(8 << 10)/" "$src/mheap.go" | keep mheap.go
	printf '{"Replace": {"%s": "%s", "%s": "%s"}}\n' "$src/mspanset.go" "$dir/mspanset.go" "$src/mheap.go" "$dir/mheap.go" | keep overlay.json
	echo "-overlay=$dir/overlay.json"
}

# protobuf: a copy of the library with scripts/protobuf.patch, and a go.mod that names it
protobuf() {
	version=$(go list -m -f '{{.Version}}' google.golang.org/protobuf)
	copy=$dir/protobuf-$version-$(cksum <scripts/protobuf.patch | cut -d ' ' -f 1)
	if ! [ -d "$copy" ]; then
		go mod download google.golang.org/protobuf >&2 || return 0
		cp -R "$(go list -m -f '{{.Dir}}' google.golang.org/protobuf)" "$draft"
		chmod -R u+w "$draft"
		if ! (cd "$draft" && GIT_CEILING_DIRECTORIES=$dir git apply "$OLDPWD/scripts/protobuf.patch"); then
			echo "$0: protobuf $version is not known, so that numbers take more memory than they have to." >&2
			return
		fi
		[ -d "$copy" ] || mv "$draft" "$copy"
	fi
	{ cat go.mod && echo "replace google.golang.org/protobuf => ./${copy#"$PWD/"}"; } | keep go.mod
	keep go.sum <go.sum
	echo "-modfile=$dir/go.mod"
}

echo "$(runtime) $(protobuf) -gcflags=go.mau.fi/whatsmeow/proto/...=-d=wrapglobalmapctl=2"
