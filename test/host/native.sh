#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test/host/native.sh BUILD_DIR: real programs' page faults, under `quire run` and natively, side by side. TAP output.
#
# The machine compared is the one that is as the probes find this host. Natively: getrusage's minor faults, median of
# 5 runs without address-space randomisation (faults.c). Equal means within 2 % or 20 faults; within 5 % where malloc asks for huge
# pages. A program that this host does not have is skipped, and so is everything where the comparison cannot be made.
build=$1
. "${0%/*}/../programs.sh"
here=$build/test/host
like_this_linux

# compare PERCENT NAME PROGRAM ARG...
compare() {
	percent=$1 name=$2
	shift 2
	n=$((n + 1))
	command -v "$1" >/dev/null || { echo "ok $n - $name # SKIP no $1"; return; }
	native=$("$faults" -- "$@" 2>/dev/null | cut -d' ' -f1)
	"$quire" run --machine "$machine" --json "$tmp/json" -o "$tmp/report" -- "$@" >/dev/null 2>"$tmp/err"
	ours=$(number minflt)
	verdict=$(awk -v a="${ours:-0}" -v b="${native:-0}" -v p="$percent" 'BEGIN {
		d = a > b ? a - b : b - a
		print (b && (d <= 20 || d * 100 <= b * p)) ? "ok" : "not ok" }')
	[ "$verdict" = ok ] || { bad=1; sed 's/^/# /' "$tmp/err"; }
	printf '%s %d - %s: %s faults, natively %s (%s)\n' "$verdict" "$n" "$name" "${ours:-none}" "${native:-none}" \
		"$(awk -v a="${ours:-0}" -v b="${native:-1}" 'BEGIN { printf "%+.2f %%", (a - b) * 100 / b }')"
}

awk 'BEGIN { srand(1); for (i = 0; i < 100000; i++) print int(rand() * 1e9), i }' >"$tmp/lines"
sql='create table t(a integer primary key, b text);
with recursive c(x) as (select 1 union all select x + 1 from c where x < 20000)
insert into t select x, hex(x * 7919 % 100003) from c;
select count(distinct b), sum(length(b)) from t;'

compare 2 'true' true
compare 2 'sort FILE' sort "$tmp/lines"
compare 2 'sqlite3 :memory:' sqlite3 :memory: "$sql"
compare 2 'python3 -c' /usr/bin/python3 -c 'import json; print(len(json.dumps(list(range(200000)))))'
compare 2 'gzip -k FILE' gzip -kf "$tmp/lines"
compare 2 'a forking program' "$here/forks"
compare 2 'a shell with children' sh -c '(for i in 1 2 3; do (echo $i); done)'
compare 2 'a threaded program' "$here/arenas"
compare 2 'a program that locks memory' "$here/locks"
compare 2 'mallocs of a few MiB' "$here/blocks"

GLIBC_TUNABLES=glibc.malloc.hugetlb=1
export GLIBC_TUNABLES
compare 5 'mallocs of a few MiB, hugetlb=1' "$here/blocks"
compare 5 "threads' arenas, hugetlb=1" "$here/arenas"
compare 5 'python3, hugetlb=1' /usr/bin/python3 -c 'x = [i for i in range(3000000)]; print(len(x))'
finish
