#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test/cli/cures.sh BUILD_DIR: machines that show what a remedy does, against the programs that apply it. TAP output.
build=$1
. "${0%/*}/../programs.sh"

# figures OPTIONS... -- PROGRAM...: into $faults, $walks, $brk, $madvise, of the first machine.
figures() {
	"$quire" run --json "$tmp/json" -o "$tmp/report" "$@" >/dev/null 2>"$tmp/err"
	faults=$(number minflt)
	walks=$(awk '/"walks": {/ && !seen { getline; gsub(/[^0-9]/, ""); print; seen = 1 }' "$tmp/json")
	brk=$(number brk)
	madvise=$(number madvise)
}
# near A B PERCENT
near() { awk -v a="$1" -v b="$2" -v p="$3" 'BEGIN { d = a > b ? a - b : b - a; exit !(b > 0 && d * 100 <= b * p) }'; }

# glibc's malloc under its tunable, and a machine that does as if: the heap grows in the same steps and asks as often.
GLIBC_TUNABLES=glibc.malloc.hugetlb=1 figures -m madvise -- "$programs/heap" 16
tuned="$faults faults, $walks walks, $brk brk, $madvise madvise"
tuned_faults=$faults tuned_walks=$walks tuned_brk=$brk tuned_madvise=$madvise
figures -m madvise,malloc-thp=on -- "$programs/heap" 16
shown="$faults faults, $walks walks, $brk brk, $madvise madvise"
if [ "${tuned_madvise:-0}" -lt 4 ]; then
	n=$((n + 1)); echo "ok $n - malloc that asks for huge pages # SKIP this C library does not"
else
	[ "$brk" = "$tuned_brk" ] && [ "$madvise" = "$tuned_madvise" ] && near "$faults" "$tuned_faults" 1 &&
		near "$walks" "$tuned_walks" 20
	verdict $? "malloc that asks for huge pages: $shown; the program whose malloc does: $tuned"
fi

# The standard machines have it beside them, and the advice its figures: for who needs it, and for nobody else.
"$quire" run --json "$tmp/json" -o "$tmp/report" -- "$programs/heap" 16 >/dev/null 2>"$tmp/err"
grep -q '"remedy": "malloc"' "$tmp/json" && grep -q "huge pages for malloc's memory would leave" "$tmp/json" &&
	grep -q 'Run it with GLIBC_TUNABLES=glibc.malloc.hugetlb=1' "$tmp/json"
verdict $? "a heap that no page size helps gets malloc's setting"
"$quire" run --json "$tmp/json" -o "$tmp/report" -m 4k -m thp -- "$programs/heap" 16 x >/dev/null 2>"$tmp/err"
! grep -q '"remedy"' "$tmp/json"
verdict $? '--machine: no others'
"$quire" run --json "$tmp/json" -o "$tmp/report" --kpti on --pcid off --ram 512M -- "$programs/heap" 1 >/dev/null 2>"$tmp/err"
[ "$(grep -c '"remedy": "\(malloc\|kpti\|pcid\|ram\)"' "$tmp/json")" = 4 ]
verdict $? 'one each without KPTI, with PCIDs, with more RAM'

# What the advice says of posix_spawn, and what it does: forks, copies and the faults of copy-on-write, at least.
copies() { for row in forks copy faults_cow; do sed -n "/\"$row\": {/{n;s/[^0-9]//g;p;q}" "$tmp/json"; done | awk '{ n += $1 } END { print n }'; }
"$quire" run -m 4k --json "$tmp/json" -o "$tmp/report" -- "$programs/costly" posix >/dev/null 2>"$tmp/err"
spawned=$(copies)
"$quire" run -m 4k --json "$tmp/json" -o "$tmp/report" -- "$programs/costly" spawn >/dev/null 2>"$tmp/err"
said=$(grep -o 'Use posix_spawn.*' "$tmp/json" | grep -o 'That saves [0-9.]*M' | head -n 1 | tr -dc '0-9.')
really=$(awk -v a="$(copies)" -v b="$spawned" 'BEGIN { print (a - b) / 1e6 }')
near "${said:-0}" "$really" 3
verdict $? "posix_spawn for fork: $said M cycles said, $really M saved"

# What it says of MAP_POPULATE, and what madvise(MADV_POPULATE_WRITE) does: faults, and what populates.
touches() { for row in faults_zero populate; do sed -n "/\"$row\": {/{n;s/[^0-9]//g;p;q}" "$tmp/json"; done | awk '{ n += $1 } END { print n }'; }
"$quire" run -m 4k --json "$tmp/json" -o "$tmp/report" -- "$programs/costly" populated >/dev/null 2>"$tmp/err"
populated=$(touches)
"$quire" run -m 4k --json "$tmp/json" -o "$tmp/report" -- "$programs/costly" once >/dev/null 2>"$tmp/err"
said=$(grep -o 'MADV_POPULATE_WRITE.*' "$tmp/json" | grep -o 'That saves [0-9.]*M' | head -n 1 | tr -dc '0-9.')
really=$(awk -v a="$(touches)" -v b="$populated" 'BEGIN { print (a - b) / 1e6 }')
near "${said:-0}" "$really" 3
verdict $? "MAP_POPULATE: $said M cycles said, $really M saved"
finish
