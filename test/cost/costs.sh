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
	grep -qE '^walk-step +10 \.\. 59 cycles +on: Skylake-X$' "$tmp/out"; }
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
check "run refuses it too, before the program" refused "--costs $tmp/unknown:2: there is no cost 'walks'" run --costs "$tmp/unknown" -- /bin/echo ran
echo "1..$n"
exit $bad
