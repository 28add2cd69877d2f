#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the tests of a build folder. Begins with what this Linux does where Linuxes differ; ends with what was skipped for
# want of which of these, and with "N passed, N failed, N skipped": real counts, of single cases where a test program
# reports them (cmocka's summary, TAP lines), of programs where it does not.
# usage: check.sh BUILD-FOLDER [MESON-TEST-ARGUMENT...]
set -eu

build=$1
shift
log=$build/meson-logs/testlog.json
rm -f "$log"
echo "== this Linux ($(uname -r)), docs/scripts.md: where Linuxes differ"
"$build/cli/quire" play --probe
for front in engine qemu; do
	if "$build/cli/quire" run --front $front -m 4k -o /dev/null -- true 2>/dev/null; then answer=yes; else answer=no; fi
	echo "front_$front=$answer"
done
status=0
meson test -C "$build" --print-errorlogs "$@" || status=$?
[ -s "$log" ] || { echo "check: no test ran" >&2; exit 1; }
"$(dirname "$0")/tally.sh" "$log"
exit "$status"
