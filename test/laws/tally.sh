#!/bin/sh
# SPDX-License-Identifier: MIT
# tools/tally.sh counts what the test programs wrote: every case, every skip, and what it was for want of. TAP output.
# usage: tally.sh SOURCE_DIR
tally=$1/tools/tally.sh
n=0 bad=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

# counts NAME WANTED: the log on standard input, a line a test
counts() {
	cat >"$log"
	n=$((n + 1))
	got=$("$tally" "$log")
	[ "$got" = "$2" ] && { echo "ok $n - $1"; return; }
	bad=1
	echo "not ok $n - $1"
	printf '%s\n' "$got" | sed 's/^/#   /'
}

counts 'TAP lines' 'skipped for want of: zero_page (2) !la57 (1); for other reasons: 1
2 passed, 1 failed, 3 skipped' <<'END'
{"name": "a", "stdout": "ok 1 - x\nok 2 - y # SKIP cannot be run: needs zero_page !la57, which this Linux lacks\nnot ok 3 - z\n", "result": "FAIL"}
{"name": "b", "stdout": "ok 1 - x\nok 2 - y # SKIP needs zero_page\nok 3 - z # SKIP no sqlite3\n1..3\n", "result": "OK"}
END
counts 'a whole program that is skipped' 'skipped for want of: plugins (1) !place_2m_any (1); for other reasons: 1
0 passed, 0 failed, 3 skipped' <<'END'
{"name": "a", "stdout": "1..0 # SKIP needs plugins: qemu-x86_64 has none, which Quire needs (README.md: so)\n", "result": "SKIP"}
{"name": "exits with 77", "stdout": "", "result": "SKIP"}
{"name": "and says why", "stdout": "# SKIP needs !place_2m_any\n", "result": "SKIP"}
END
counts 'cmocka 1.1.5' 'skipped for want of: nothing; for other reasons: 1
3 passed, 2 failed, 1 skipped' <<'END'
{"name": "c", "stdout": "[ RUN      ] x\n", "stderr": "[==========] 6 test(s) run.\n[  PASSED  ] 3 test(s).\n[  SKIPPED ] 1 test(s), listed below:\n[  SKIPPED ] x\n[  FAILED  ] 2 test(s), listed below:\n[  FAILED  ] y\n[  FAILED  ] z\n", "result": "FAIL"}
END
counts 'cmocka 1.1.7' 'skipped for want of: nothing; for other reasons: 1
3 passed, 2 failed, 1 skipped' <<'END'
{"name": "c", "stdout": "", "stderr": "[==========] tests: 6 test(s) run.\n[  PASSED  ] 3 test(s).\n[  SKIPPED ] tests: 1 test(s), listed below:\n[  SKIPPED ] x\n[  FAILED  ] tests: 2 test(s), listed below:\n[  FAILED  ] y\n[  FAILED  ] z\n", "result": "FAIL"}
END
counts 'programs that tell nothing' 'skipped for want of: nothing; for other reasons: 0
1 passed, 2 failed, 0 skipped' <<'END'
{"name": "good", "stdout": "4000 calls\n", "result": "OK"}
{"name": "bad", "stdout": "", "result": "FAIL"}
{"name": "hangs", "stdout": "", "result": "TIMEOUT"}
END
echo "1..$n"
exit $bad
