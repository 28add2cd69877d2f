#!/bin/sh
# SPDX-License-Identifier: MIT
# How much longer a program takes under `quire run` than under plain QEMU, with one machine and with the four default
# ones: ratios of the medians of 3 runs each, taken in turn, beside the bars that they are held to. Wall-clock time, on
# two cores or more: the simulator is a process of its own. Run it on an idle machine.
# usage: run.sh BUILD-FOLDER
set -eu

build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C
sql="create table t(a integer primary key, b text);
with recursive c(x) as (select 1 union all select x+1 from c where x < 60000)
insert into t select x, hex(x * 7919 % 100003) from c;
select count(distinct b), sum(length(b)) from t;
create index i on t(b);
select count(*) from t a join t b on a.b = b.b where a.a < 20000;"

# timed FILE COMMAND...: runs it and adds its time to FILE, in milliseconds.
timed() {
	file=$1
	shift
	begin=$(date +%s%N)
	"$@" > /dev/null 2> "$work/err" || { cat "$work/err" >&2; exit 1; }
	end=$(date +%s%N)
	echo $(((end - begin) / 1000000)) >> "$work/$file"
}

median() {
	sort -n "$work/$1" | sed -n 2p
}

# row NAME BAR-OF-ONE BAR-OF-FOUR PROGRAM ARG...
row() {
	name=$1 one_bar=$2 four_bar=$3
	shift 3
	program=$(command -v "$1") || { echo "  $name: no $1 here, skipped"; return 0; }
	shift
	rm -f "$work/plain" "$work/one" "$work/four"
	for i in 1 2 3; do
		timed plain qemu-x86_64 "$program" "$@"
		timed one "$build/cli/quire" run --machine 4k -- "$program" "$@"
		timed four "$build/cli/quire" run -- "$program" "$@"
	done
	awk -v name="$name" -v one_bar="$one_bar" -v four_bar="$four_bar" -v plain="$(median plain)" \
	    -v one="$(median one)" -v four="$(median four)" 'BEGIN {
		printf "  %-26s %7.2f s %9.2fx %6s %12.2fx %6s\n", name, plain / 1000, one / plain, one_bar,
			four / plain, four_bar
	}'
}

command -v qemu-x86_64 > /dev/null || { echo "run: no qemu-x86_64 here, skipped"; exit 0; }
seq 300000 | awk '{ print ($1 * 7919) % 1000003, "line", $1 }' > "$work/lines"
echo "quire run, time against plain QEMU   plain   one machine   bar   four machines   bar"
row 'sqlite3, 60000 rows' 2.5 6 sqlite3 :memory: "$sql"
row 'sort, 300000 lines' 2.5 6 sort "$work/lines"
row 'random reads in 256 MiB' - 10 "$build/test/programs/random"
