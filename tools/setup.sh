#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what building, testing and running Quire needs on Debian (and Ubuntu), through apt-get, with sudo where
# we are not root. Does nothing when all is there; where there is no apt-get it only says what is needed.
# --all: also what only .ci/run needs, QEMU among it, to hold the engine against. --bench: also what draws the curves of make bench.
# --kernels: also what make check-kernels boots kernels with. --html: also what the page of quire run --html is made of
# (report/html), and a browser to test it.
set -eu

# build; libraries; tests; a program to try
packages='gcc libc6-dev meson ninja-build pkg-config libjansson-dev libcmocka-dev libzydis-dev sqlite3'
[ "${1-}" = --all ] && packages="$packages clang clang-format libc6-dbg python3-minimal qemu-user"
[ "${1-}" = --bench ] && packages="$packages gnuplot-nox"
[ "${1-}" = --kernels ] && packages="$packages qemu-system-x86 busybox-static cpio e2fsprogs xz-utils debian-archive-keyring"
if [ "${1-}" = --html ]; then
	packages="$packages chromium"
	command -v npm >/dev/null || packages="$packages nodejs npm"
fi

installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	echo "setup: no apt-get here; if the build misses something, it is one of: $packages" >&2
	exit 0
fi

missing=
for package in $packages; do
	installed "$package" || missing="$missing $package"
done
if [ -n "$missing" ]; then
	as_root=
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || {
			echo "setup: as root, run: apt-get update && apt-get install --no-install-recommends$missing" >&2
			exit 1
		}
		as_root=sudo
	fi
	echo "setup: installing$missing"
	$as_root apt-get update -q
	# shellcheck disable=SC2086 # a list of words
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
fi

# By the lock file, without running what packages bring; Meson looks for them anew.
if [ "${1-}" = --html ]; then
	cd "$(dirname "$0")/../report/html"
	npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --fetch-retries 1
	touch meson.build
fi
