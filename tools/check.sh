#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the tests of a build folder and ends with "N passed, N failed, N skipped": real counts, of single cases where a
# test program reports them (cmocka's summary, TAP lines), of programs where it does not.
# usage: check.sh BUILD-FOLDER [MESON-TEST-ARGUMENT...]
set -eu

build=$1
shift
log=$build/meson-logs/testlog.json
rm -f "$log"
status=0
meson test -C "$build" --print-errorlogs "$@" || status=$?
[ -s "$log" ] || { echo "check: no test ran" >&2; exit 1; }

# One JSON object a line; a line of a test's output ends where its text has the characters \n, or with the quote.
awk '
# How many lines of output match; with sum: the sum of the first numbers in them.
function count(pattern, sum,   n, line, i, total) {
	n = split($0, line, "\\\\n|\"")
	for (i = 1; i <= n; i++) {
		if (line[i] !~ pattern)
			continue
		match(line[i], /[0-9]+/)
		total += sum ? substr(line[i], RSTART, RLENGTH) : 1
	}
	return total + 0
}
{
	match($0, /"result": "[A-Z]+"/)
	result = substr($0, RSTART + 11, RLENGTH - 12)
	good = count("^\\[  PASSED  \\] [0-9]+ test", 1) + count("^ok [0-9]+", 0) - count("^ok .*# SKIP", 0)
	bad = count("^\\[  FAILED  \\] [0-9]+ test", 1) + count("^not ok [0-9]+", 0)
	if (result == "SKIP")
		skipped++
	else if (result == "OK" || result == "EXPECTEDFAIL")
		passed += good ? good : 1
	else {
		passed += good
		failed += bad ? bad : 1
	}
}
END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped }' "$log"
exit "$status"
