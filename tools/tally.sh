#!/bin/sh
# SPDX-License-Identifier: MIT
# Counts what a meson test log (testlog.json) tells. Its last two lines: what was skipped for want of which property, and
# "N passed, N failed, N skipped".
# usage: tally.sh TESTLOG.JSON
set -eu

# One JSON object a line; a line of a test's output ends where its text has the characters \n, or with the quote.
awk '
# "[  PASSED  ] 5 test(s)."; since cmocka 1.1.7 with the name of the group: "[  FAILED  ] tests: 2 test(s), listed below:"
function summary(what, text) {
	if (text !~ "^\\[  " what " *\\] " || !match(text, /[0-9]+ test\(s\)/))
		return 0
	return substr(text, RSTART, RLENGTH) + 0
}
# "# SKIP ... needs NAME NAME, why": the properties that are lacking. Other skips say why in their own words.
function skip_reason(text,   n, word, i) {
	sub(/.*# SKIP /, " ", text)
	if (!match(text, / needs /))
		return
	text = substr(text, RSTART + RLENGTH)
	sub(/[,:].*/, "", text)
	with_name++
	n = split(text, word, / +/)
	for (i = 1; i <= n; i++)
		if (lacking[word[i]]++ == 0)
			name[++names] = word[i]
}
{
	match($0, /"result": "[A-Z]+"/)
	result = substr($0, RSTART + 11, RLENGTH - 12)
	good = bad = left = 0
	n = split($0, line, "\\\\n|\"")
	for (i = 1; i <= n; i++) {
		good += summary("PASSED", line[i]) + (line[i] ~ /^ok [0-9]+/ && line[i] !~ /# SKIP/)
		bad += summary("FAILED", line[i]) + (line[i] ~ /^not ok [0-9]+/)
		left += summary("SKIPPED", line[i]) + (line[i] ~ /^ok [0-9]+.*# SKIP/)
		if (line[i] ~ /^(ok [0-9].*|1\.\.0.*)?# SKIP/)
			skip_reason(line[i])
	}
	skipped += left
	passed += good
	failed += bad
	if (result == "SKIP")
		skipped += left ? 0 : 1
	else if (result == "OK" || result == "EXPECTEDFAIL")
		passed += good + left ? 0 : 1
	else
		failed += bad ? 0 : 1
}
END {
	printf "skipped for want of:"
	for (i = 1; i <= names; i++)
		printf " %s (%d)", name[i], lacking[name[i]]
	printf "%s; for other reasons: %d\n", names ? "" : " nothing", skipped - with_name
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
}' "$1"
