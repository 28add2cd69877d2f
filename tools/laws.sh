#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/laws.sh SOURCE_DIR MM_ARCHIVE MMU_ARCHIVE: the laws of the house, checked. TAP output; exit 1 when
# one is broken. (The sanitizers add symbols of their own: the symbol laws are skipped in such a build.)
#  1  mm/ includes only mm/ lib/ x86/ hw/hw.h; mmu/ only mmu/ lib/ x86/. No include cycles anywhere.
#  2  mm/ is one relocatable object that needs exactly the hw_* names of hw/hw.h plus memcpy, memmove, memset, memcmp.
#  3  No global mutable state in mm/ or mmu/.
#  4  It stays readable: mm/ + its lib/ 12,000 lines (8,000 until reclaim, swap and KPTI came, 10,000 until locks, compaction and hugetlb), mmu/ 2,500
#     without its table of CPUs (that with it, until the host's tables came), a file 800.
#  5  Every numbered invariant of vm_check has a test that breaks it and sees it caught.
#  6  C code is as clang-format 14 writes it with .clang-format (other versions of it write otherwise).
#  7  Cycles come from cost/: no other room gives a name or a field of them a number.
src=$1 mm=$(realpath -e "$2") mmu=$(realpath -e "$3") || exit 1
n=0 bad=0
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

ok() { n=$((n + 1)); echo "ok $n - $1"; }
fail() { n=$((n + 1)); bad=1; echo "not ok $n - $1"; sed 's/^/#   /' "$2"; }
# verdict NAME FILE: passes when FILE, the list of offences, is empty.
verdict() { if [ -s "$2" ]; then fail "$1" "$2"; else ok "$1"; fi; }

cd "$src" || exit 1

# Of every room, so of one that is new, too; a build folder is none.
for room in */; do
	[ -f "$room/build.ninja" ] || find "${room%/}" -name '*.[ch]'
done | sort >"$tmp/code"

# includes FOLDER ALLOWED_REGEX: the quoted includes of a folder that the regex does not allow.
includes() { grep -nE '^#include' "$1"/*.[ch] | grep -vE "#include \"($2)" | grep -vE '#include <(std(bool|def|int|arg)|limits)\.h>'; }
includes mm 'mm/|lib/|x86/|hw/hw\.h' >"$tmp/mm"
verdict "law 1: mm/ includes only mm/ lib/ x86/ hw/hw.h" "$tmp/mm"
includes mmu 'mmu/|lib/|x86/' | grep -vE '#include <string\.h>' >"$tmp/mmu"
verdict "law 1: mmu/ includes only mmu/ lib/ x86/" "$tmp/mmu"

includes engine 'engine/|trace/|lib/' | grep -vE '#include <' >"$tmp/engine"
verdict "law 1: engine/ includes only engine/ trace/ lib/ and the kernel's headers" "$tmp/engine"

# A cycle is what tsort complains of.
for f in */*.h hw/*/*.h; do
	[ -f "$f" ] && sed -nE 's/^#include "([^"]+)".*/\1/p' "$f" | sed "s|^|$f |"
done | tsort >/dev/null 2>"$tmp/cycles"
verdict "law 1: no include cycle" "$tmp/cycles"

nm -u "$mm" | awk 'NF == 2 && $1 == "U" { print $2 }' | sort -u >"$tmp/needs"
if grep -qE '__(asan|ubsan|tsan)_' "$tmp/needs"; then
	n=$((n + 1)); echo "ok $n - law 2: what mm/ needs # SKIP sanitizers are on"
	n=$((n + 1)); echo "ok $n - law 3: no global mutable state # SKIP sanitizers are on"
else
	cc -fpreprocessed -E -P -x c hw/hw.h | grep -oE '\bhw_[a-z0-9_]+\(' | tr -d '(' | sort -u >"$tmp/seam" # without comments
	grep -vE '^(memcpy|memmove|memset|memcmp)$' "$tmp/needs" | diff "$tmp/seam" - | grep '^[<>]' |
		sed -e 's/^</of the seam, unused by mm:/' -e 's/^>/needed, not in the seam:/' >"$tmp/diff"
	verdict "law 2: mm/ needs exactly the seam and mem*" "$tmp/diff"
	for a in "$mm" "$mmu"; do nm -f sysv "$a" | grep -E '\|(\.data|\.bss|\*COM\*)' | grep -v '|\.data\.rel\.ro'; done >"$tmp/state"
	verdict "law 3: no global mutable state in mm/ or mmu/" "$tmp/state"
fi

{
	cat mm/*.[ch] lib/gap.[ch] lib/types.h lib/errno.h lib/assert.h | wc -l | awk '$1 > 12000 { print "mm/ with lib/: " $1 " lines" }'
	find mmu -name '*.[ch]' ! -name presets.c -exec cat {} + | wc -l | awk '$1 > 2500 { print "mmu/: " $1 " lines" }'
	xargs wc -l <"$tmp/code" | awk '$2 != "total" && $1 > 800 { print $2 ": " $1 " lines" }'
} >"$tmp/size"
verdict "law 4: budgets of lines" "$tmp/size"

grep -ohE '\bINV\([0-9]+' mm/*.c | tr -dc '0-9\n' | sort -u >"$tmp/invariants"
grep -ohE '\bassert_caught\([0-9]+' test/mm/*.c | tr -dc '0-9\n' | sort -u >"$tmp/broken"
comm -23 "$tmp/invariants" "$tmp/broken" | sed 's/^/no test breaks invariant /' >"$tmp/untested"
verdict "law 5: every invariant of vm_check is broken by a test" "$tmp/untested"
sed -nE 's/.*INV\("([a-z._]+)", ([0-9]+),.*/sim\/\1: invariant \2 /p' sim/check.c | sort -u >"$tmp/invariants"
grep -oE 'sim/[a-z._]+: invariant [0-9]+ ' test/sim/check.c | sort -u >"$tmp/broken"
comm -23 "$tmp/invariants" "$tmp/broken" | sed 's/^/no test breaks /' >"$tmp/untested"
verdict "law 5: every invariant of sim_check is broken by a test" "$tmp/untested"

grep -vE '^(cost|test|bench)/' "$tmp/code" |
	xargs grep -nE '#define +[A-Z0-9_]*CYCLES[A-Z0-9_]* +\(?[0-9]|[a-z0-9_]*_cycles[a-z_]* *= *\{?[1-9][0-9]' >"$tmp/cost"
verdict "law 7: cycles come from cost/" "$tmp/cost"

format=
for f in clang-format-14 clang-format; do
	[ -z "$format" ] && "$f" --version 2>/dev/null | grep -q 'version 14\.' && format=$f
done
if [ -z "$format" ]; then
	n=$((n + 1)); echo "ok $n - law 6: code is as .clang-format has it # SKIP needs clang-format-14: it is not here"
else
	xargs "$format" --dry-run <"$tmp/code" 2>&1 | grep ' warning: ' >"$tmp/format"
	verdict "law 6: code is as .clang-format has it" "$tmp/format"
fi
echo "1..$n"
exit $bad
