#!/bin/bash
# SPDX-License-Identifier: MIT
# How much longer programs take under `quire run` than natively: medians of ROUNDS runs (3), all kinds of run in turn.
# With one machine, wall-clock time and CPU time (user and system, the simulator's too, which is a process of its own);
# with the four default ones; beside it the bar, QEMU as the front end, plain QEMU, and valgrind without a tool, where
# they are there. Run it on an idle machine of two cores or more; the line at the end says how busy it was.
# usage: run.sh BUILD-FOLDER [NAME...]     rows whose names begin so
set -eu

build=$1
shift
only=" $* "
rounds=${ROUNDS:-3}
quire=$build/cli/quire
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C TIMEFORMAT='%R %U %S'

# timed KIND COMMAND...: runs it; adds its wall-clock and its CPU time to files, in milliseconds. A kind that fails once
# is left out of the row; one that takes longer than five seconds is run once.
timed() {
	local kind=$1
	shift
	[ ! -e "$work/$kind.failed" ] || return 0
	[ ! -e "$work/$kind.wall" ] || awk '$1 > 5000 { exit 1 }' "$work/$kind.wall" || return 0
	{ time "$@" > /dev/null 2> "$work/err"; } 2> "$work/time" || { : > "$work/$kind.failed"; return 0; }
	awk '{ print $1 * 1000 }' "$work/time" >> "$work/$kind.wall"
	awk '{ print ($2 + $3) * 1000 }' "$work/time" >> "$work/$kind.cpu"
}

# median KIND.WHAT: of what was timed; nothing when it was not.
median() {
	[ ! -e "$work/${1%.*}.failed" ] && [ -e "$work/$1" ] || return 0
	sort -n "$work/$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# row NAME BAR PROGRAM ARG...; a bar in ms is for what is over at once natively.
row() {
	local name=$1 bar=$2 program i
	shift 2
	[ "$only" = '  ' ] || case $only in *" ${name%% *} "*) ;; *) return 0 ;; esac
	program=$(command -v "$1") || { echo "$name: no $1 here, skipped"; return 0; }
	shift
	rm -f "$work"/*.wall "$work"/*.cpu "$work"/*.failed
	for ((i = 0; i < rounds; i++)); do
		timed native "$program" "$@"
		timed one "$quire" run --front engine --machine 4k -o "$work/report" -- "$program" "$@"
		timed four "$quire" run --front engine -o "$work/report" -- "$program" "$@"
		timed front "$quire" run --front qemu --machine 4k -o "$work/report" -- "$program" "$@"
		timed qemu qemu-x86_64 "$program" "$@"
		timed valgrind valgrind --tool=none -q "$program" "$@"
	done
	awk -v name="$name" -v bar="$bar" -v native="$(median native.wall)" -v cpu="$(median native.cpu)" \
	    -v one="$(median one.wall)" -v one_cpu="$(median one.cpu)" -v four="$(median four.wall)" \
	    -v front="$(median front.wall)" -v qemu="$(median qemu.wall)" -v valgrind="$(median valgrind.wall)" '
		function times(t, of) {
			return t == "" ? "-" : bar ~ /ms/ ? sprintf("%.0f ms", t) : sprintf("%.1fx", t / of)
		}
		BEGIN {
			printf "%-20s %7.0f ms %8s %8s %6s %8s %8s %8s %8s\n", name, native, times(one, native),
				times(one_cpu, cpu), bar, times(four, native), times(front, native),
				times(qemu, native), times(valgrind, native)
		}'
}

cc=${CC:-cc}
"$cc" -O3 -o "$work/dgemm" "${0%/*}/programs/dgemm.c"
"$cc" -O3 -mavx2 -mfma -o "$work/dgemm-avx" "${0%/*}/programs/dgemm.c"
"$cc" -O2 -o "$work/tree" "${0%/*}/programs/tree.c"
seq 300000 | awk '{ print ($1 * 7919) % 1000003, "line", $1 }' > "$work/lines"
cat "$work/lines" "$work/lines" > "$work/lines2"
echo 'my (%h, $s); $h{"k$_"} = $_ for 1 .. 300000; $s += $h{"k$_"} for 1 .. 300000; print "$s\n";' > "$work/hash.pl"
echo 'd = {"k%d" % i: i for i in range(300000)}
print(sum(d["k%d" % i] for i in range(300000)))' > "$work/dict.py"
printf '#include <stdio.h>\nint main(int c, char **v)\n{\n\tfor (; c--; v++)\n\t\tputs(*v);\n}\n' > "$work/small.c"
"$cc" -E "$work/small.c" -o "$work/small.i"

echo 'quire run, times natively     native  machine   (cpu)    bar     four    by QEMU     QEMU valgrind'
row 'dgemm SSE2' 5x "$work/dgemm"
grep -qw fma /proc/cpuinfo && row 'dgemm-avx FMA' 3x "$work/dgemm-avx"
row 'tree insert' 2.5x "$work/tree"
row 'gzip' 4x gzip -c "$work/lines2"
row 'xz -2' 3x xz -2 -T1 -c "$work/lines"
row 'perl hash' 3x /usr/bin/perl "$work/hash.pl"
row 'python3 dict' 4x /usr/bin/python3 "$work/dict.py"
row 'sort' 5x sort --parallel=1 "$work/lines"
row 'awk sums' 12x awk '{ s[$1 % 1000] += $3 } END { print length(s) }' "$work/lines"
row 'cc1 -O2' 8x "$("$cc" -print-prog-name=cc1)" -quiet -O2 -fpreprocessed "$work/small.i" -o /dev/null
row 'random reads' - "$build/test/programs/random"
row 'true' "50 ms" /bin/true
awk '{ print "load of this machine, of 1, 5, 15 minutes: " $1, $2, $3 }' /proc/loadavg
