#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test/cost/costs.sh QUIRE: `quire costs`, and `quire run --costs` with files that are wrong. TAP.
quire=$1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0 bad=0

check() { # NAME COMMAND...
	name=$1
	shift
	n=$((n + 1))
	if "$@" >"$tmp/said" 2>&1; then echo "ok $n - $name"; else
		echo "not ok $n - $name"
		sed 's/^/# /' "$tmp/said"
		bad=1
	fi
}

# refused LINE ARG...: status 125, nothing on standard output, and LINE (with how much follows it) on standard error
refused() {
	line=$1
	shift
	"$quire" "$@" >"$tmp/out" 2>"$tmp/err"
	[ $? -eq 125 ] && [ ! -s "$tmp/out" ] && head -n 1 "$tmp/err" | grep -qF -- "$line" || { cat "$tmp/err"; return 1; }
}

rows() { "$quire" costs --cpu skylake >"$tmp/out" && [ "$(grep -c 'source: ' "$tmp/out")" -eq "$(grep -c ' on: ' "$tmp/out")" ] &&
	grep -qE '^walk-l3 +74 \.\. 79 cycles +on: Skylake-X$' "$tmp/out"; }
narrow() { "$quire" costs | awk 'length > 79 { print; bad = 1 } END { exit bad }'; }
json() { "$quire" costs --json | tr -d ' \n' | grep -qF '{"name":"exception","unit":"cycles","least":1050,"most":1150,'; }
replaced() { "$quire" costs --costs "$tmp/good" | grep -A 3 '^tick ' | tr -s ' \n' ' ' | grep -qF "tick 7 .. 9 cycles on: - into the kernel and out by an interrupt source: $tmp/good"; }
full() { "$quire" costs >/dev/full; [ $? -eq 125 ]; }

echo 'tick = 7 9' >"$tmp/good"
printf 'tick = 7 9\nwalks = 1 2\n' >"$tmp/unknown"
check "every row has a source and a CPU" rows
check "in 79 columns" narrow
check "as JSON" json
check "a file replaces a row, and is its source" replaced
check "a full device is an error" full
check "an unknown CPU" refused "no such CPU: z80" costs --cpu z80
check "an unknown row, with its line" refused "quire costs: $tmp/unknown:2: there is no cost 'walks'" costs --costs "$tmp/unknown"
check "a file that is not there" refused "quire costs: $tmp/none: No such file" costs --costs "$tmp/none"
check "the command itself as a file" refused "quire costs: $quire:" costs --costs "$quire"
# says LINE ARG...: quire run with ARG before /bin/cat of a file; LINE is the beginning of its report's first line
says() {
	line=$1
	shift
	"$quire" run -o "$tmp/report" -m 4k "$@" </dev/null >"$tmp/out" 2>"$tmp/err" &&
		head -n 1 "$tmp/report" | grep -q -- "^$line" || { cat "$tmp/err" "$tmp/report"; return 1; }
}
# The program runs twice, with the same standard input, and Quire says so before.
twice() {
	printf 'one\ntwo\n' >"$tmp/in"
	"$quire" run --native -o "$tmp/report" -m 4k -- /bin/cat <"$tmp/in" >"$tmp/out" 2>"$tmp/err" &&
		[ "$(cat "$tmp/out" | tr '\n' ' ')" = 'one two one two ' ] &&
		grep -q '^quire: --native: first a run of /bin/cat without simulation$' "$tmp/err" &&
		grep -q 'measured in one' "$tmp/report" || { cat "$tmp/err" "$tmp/report"; return 1; }
}
piped() { echo x | refused "--native runs the program twice, and standard input is a pipe" run --native -- /bin/cat; }
killed() {
	"$quire" run --native -- /bin/sh -c 'kill -9 $$' </dev/null >"$tmp/out" 2>"$tmp/err"
	[ $? -eq 137 ] && grep -q 'the native run was ended by SIGKILL' "$tmp/err" || { cat "$tmp/err"; return 1; }
}
# Prices change the bill and no count.
prices() {
	printf 'walk-%s = 1000 1000\n' l2 l3 memory >"$tmp/dear"
	"$quire" run -j "$tmp/a" -o /dev/null --cpu zen3 -m 4k -- /bin/true && "$quire" run -j "$tmp/b" -o /dev/null --cpu zen3 --costs "$tmp/dear" -m 4k -- /bin/true &&
		steps=$(tr -d ' \n' <"$tmp/b" | sed 's/.*"walk_steps":{"all":\([0-9]*\).*/\1/') &&
		tr -d ' \n' <"$tmp/b" | grep -q "\"walks\":{\"least\":$((steps * 1000 / 6)),\"most\":$((steps * 1000))}" &&
		tr -d ' \n' <"$tmp/a" | grep -q "\"walk_steps\":{\"all\":$steps"
}

check "run refuses it too, before the program" refused "--costs $tmp/unknown:2: there is no cost 'walks'" run --costs "$tmp/unknown" -- /bin/echo ran
for wrong in 0 -1 x 1e3 1. '' 99999999999 0.00; do
	check "--time '$wrong'" refused "--time is seconds above 0" run --time "$wrong" -- /bin/true
done
check "--time and --native" refused "one of them" run --time 1 --native -- /bin/true
check "a pipe cannot be read twice" piped
check "a native run that is killed ends the matter" killed
if "$quire" run -o /dev/null -- /bin/true >/dev/null 2>&1; then
	check "without a time the answer is in cycles" says 'Virtual memory costs .* cycles (' -- /bin/true
	check "a known time makes shares" says 'Virtual memory takes .* of this program.s time with' --time 0.5 -- /bin/true
	check "the native run is said, and reads the same input" twice
	check "prices change the bill and no count" prices
else
	for name in cycles shares native prices; do
		n=$((n + 1)); echo "ok $n - $name # SKIP no front end runs here"
	done
fi
echo "1..$n"
exit $bad
