#!/bin/sh
# SPDX-License-Identifier: MIT
# A key and a counter are a field and a row: in a copy of the sources one of each is added, and must be found wherever
# keys and counters are shown. TAP.
# usage: rows.sh SOURCE-ROOT
set -eu
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cd "$1"
tar -cf - --exclude='./build*' --exclude=./.git . | tar -xf - -C "$copy"
cd "$copy"

sed -i 's/^	bool kernel; .*/&\n	bool scratch;/' machine/config.h
sed -i '/^const struct machine_key machine_keys/,/^};/s/^    {0},/    {"scratch-key", KEY_SWITCH, FIELD(scratch), KEY_RUN | KEY_SCRIPT, .standard = "on", .help = "scratch help"},\n&/' \
	machine/config.c
sed -i 's/^	u64 mismatches; .*/&\n	u64 scratch;/' machine/counters.h
sed -i '/^const struct counter_row machine_counter_rows/,/^};/s/^    {0},/    {AT(scratch), .json = "scratch_count", .unit = "times", .sentence = "scratch sentence", .label = "Scratch label", .script = "scratch-count"},\n&/' \
	machine/counters.c
unset MAKEFLAGS MESON_BUILD_ROOT MESON_SOURCE_ROOT
meson setup -Doptimization=0 -Dwerror=true build >log 2>&1 &&
	ninja -C build cli/quire tools/docs test/report/print-report >>log 2>&1 || { sed 's/^/# /' log; exit 1; }
build/tools/docs docs/json.md docs/quire.1 docs/scripts.md

out=$copy/shown n=0 bad=0
mkdir "$out"
# found WHAT FILE TEXT
found() {
	n=$((n + 1))
	if grep -q -e "$3" "$2"; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1: no '$3'"
		bad=1
	fi
}
build/cli/quire run --help >"$out/help"
found '--help has the key' "$out/help" '--scratch-key=VALUE *scratch help'
build/cli/quire run -m 4k,scratch-key=maybe -- true 2>"$out/error" || :
found 'the parser checks it' "$out/error" "scratch-key: 'maybe' is not one of: off, on"
build/cli/quire run --scratch-key=maybe -- true 2>"$out/error" || :
found 'the option, too' "$out/error" "scratch-key: 'maybe' is not one of: off, on"
found 'the man page has it' docs/quire.1 'scratch\\-key'
found 'docs/scripts.md has it' docs/scripts.md '`scratch-key` | off, on; on | scratch help'
found 'docs/json.md has it' docs/json.md '`machines\[\].scratch_key` | boolean'
build/test/report/print-report json >"$out/json"
found 'the JSON has the key' "$out/json" '"scratch_key": true'
found 'the JSON has the counter' "$out/json" '"scratch_count": 1'
build/test/report/print-report text >"$out/text"
found 'the text report has it' "$out/text" '^Scratch label  *1$'
found 'docs/json.md has it' docs/json.md '`machines\[\].scratch_count` | integer | times | scratch sentence'
found 'docs/scripts.md has it' docs/scripts.md '`scratch-count` | scratch sentence'
printf '# name: scratch\n# expect: pass\n# machine: scratch-key=off\n$a = mmap 4K rw\nexpect counter scratch-count 0\n' >"$out/scratch.vm"
build/cli/quire play "$out/scratch.vm" >"$out/play" 2>&1 || :
found 'scripts take both' "$out/play" 'as expected'
echo "1..$n"
exit "$bad"
