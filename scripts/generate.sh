#!/bin/sh
# Rebuilds what is generated and committed: templ code and CSS.
set -eu
cd "$(dirname "$0")/.."
scripts/tools.sh node
PATH="$PWD/.tools/node:$PATH"
export PATH
go tool -modfile=tools.mod templ fmt views
go tool -modfile=tools.mod templ generate
npm run --silent vendor
npm run --silent css
