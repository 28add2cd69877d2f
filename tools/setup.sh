#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what building, testing and running Quire needs on Debian (and Ubuntu), through apt-get, with sudo where
# we are not root. Does nothing when all is there; where there is no apt-get it only says what is needed.
# --all: also what only .ci/run needs. --bench: also what draws the curves of make bench.
# --kernels: also what make check-kernels boots kernels with.
set -eu

# build; libraries; tests; the emulator that programs run on; the demo's program
packages='gcc libc6-dev meson ninja-build pkg-config libjansson-dev libcmocka-dev libzydis-dev qemu-user sqlite3'
[ "${1-}" = --all ] && packages="$packages clang clang-format libc6-dbg python3-minimal"
[ "${1-}" = --bench ] && packages="$packages gnuplot-nox"
[ "${1-}" = --kernels ] && packages="$packages qemu-system-x86 busybox-static cpio e2fsprogs xz-utils debian-archive-keyring"

installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	echo "setup: no apt-get here; if the build misses something, it is one of: $packages" >&2
	exit 0
fi

# Debian builds its QEMU without plugins since Debian 13: `quire run` needs them, all else does not.
look_at_qemu() {
	qemu=$(command -v "${QUIRE_QEMU:-qemu-x86_64}") || return 0
	grep -q qemu_plugin_register_vcpu_syscall_ret_cb "$qemu" && return 0
	cat >&2 <<-END
		setup: $qemu takes no plugins, as Debian builds it since 13: 'quire run' and 'make demo' cannot work with it, and
		setup: tests that need them are skipped. All else works. Debian 12's takes them; as root:
		setup:   echo 'deb http://deb.debian.org/debian bookworm main' >/etc/apt/sources.list.d/bookworm.list
		setup:   apt-get update && apt-get install --allow-downgrades qemu-user/bookworm && apt-mark hold qemu-user
	END
}

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
look_at_qemu
