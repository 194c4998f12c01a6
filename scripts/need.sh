#!/bin/sh
# Makes sure that what a step needs is there: `need.sh build` or `need.sh test`.
# What is missing is installed through apt as root or with a sudo that asks no password;
# otherwise one message names all of it. Nothing is installed when nothing is missing.
set -eu

missing=
packages=
want() { # NAME PACKAGES: note a missing piece
	missing="$missing
  $1"
	packages="$packages $2"
}

has() { command -v "$1" >/dev/null 2>&1; }

has go || { echo "Go 1.26 or newer is missing: see https://go.dev/doc/install" >&2; exit 1; }
has git || want "git" git
has cc && echo '#include <stdlib.h>' | cc -E - >/dev/null 2>&1 ||
	want "a C compiler with its headers (gcc, libc6-dev)" "gcc libc6-dev"

if [ "${1-build}" = test ]; then
	has initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ||
		want "PostgreSQL (postgresql)" postgresql
	has pgbouncer || [ -x /usr/sbin/pgbouncer ] || want "PgBouncer (pgbouncer)" pgbouncer
	has rabbitmq-server || [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || want "RabbitMQ (rabbitmq-server)" rabbitmq-server
	has nats-server || [ -x /usr/sbin/nats-server ] || want "NATS (nats-server)" nats-server
	has ffmpeg || want "ffmpeg (ffmpeg)" ffmpeg
	[ -n "${CHROME-}" ] || has chromium || has chromium-headless-shell || has google-chrome ||
		want "Chromium (chromium)" chromium
	# A headless browser without any font would draw no text.
	has chromium && ! fc-list 2>/dev/null | grep -q . && want "a font (fonts-dejavu-core)" "fontconfig fonts-dejavu-core" || true
	has npm || want "Node.js with npm (nodejs, npm)" "nodejs npm"
fi

[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
	sudo=
elif has sudo && sudo -n true 2>/dev/null; then
	sudo=sudo
else
	echo "Missing:$missing" >&2
	echo "Install with: sudo apt-get install --no-install-recommends$packages" >&2
	exit 1
fi
if ! has apt-get; then
	echo "Missing, and there is no apt to install it with:$missing" >&2
	exit 1
fi

echo "Installing:$packages"
log=$(mktemp)
trap 'rm -f "$log"; [ -z "${quiet-}" ] || $sudo rm -f "$quiet"' EXIT
trap 'exit 1' INT TERM
# Tests start servers of their own, so none of the system's has to start now.
if [ ! -e /usr/sbin/policy-rc.d ]; then
	quiet=/usr/sbin/policy-rc.d
	printf '#!/bin/sh\nexit 101\n' | $sudo tee $quiet >/dev/null
	$sudo chmod 755 $quiet
fi
# shellcheck disable=SC2086 # $packages is a list
if ! { $sudo apt-get -q update && $sudo env DEBIAN_FRONTEND=noninteractive \
	apt-get -q -y --no-install-recommends install $packages; } >"$log" 2>&1 </dev/null; then
	tail -n 20 "$log" >&2
	echo "apt could not install:$packages" >&2
	exit 1
fi
