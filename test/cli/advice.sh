#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test/cli/advice.sh BUILD_DIR: programs with one costly thing each, and the advice that they get: each kind of advice is
# given to who needs it, and to nobody else of them. TAP output.
build=$1
. "${0%/*}/../programs.sh"

# A line a program: how it is called, | what the advice must say.
table='costly once|MADV_POPULATE_WRITE
costly again|memory is given back and faulted again
costly spawn|Use posix_spawn
costly work|madvise(MADV_DONTFORK)
costly copies|nobody forked
costly protect|protection keys
costly calls|Ask for more with each call
costly shoot|interrupted other CPUs
costly signals|Faults that end in signals
costly shared|MAP_HUGETLB
heap 16|glibc.malloc.hugetlb=1
costly compute|Nothing to gain'

echo "$table" | cut -d'|' -f2 >"$tmp/said"
while IFS='|' read -r program wanted; do
	# shellcheck disable=SC2086 # words of a command
	"$quire" run -o "$tmp/report" -- "$programs"/$program "$tmp/file" >/dev/null 2>"$tmp/err"
	sed '1,/^Advice/d' "$tmp/report" | tr '\n' ' ' | tr -s ' ' >"$tmp/advice"
	grep -qF "$wanted" "$tmp/advice"
	verdict $? "$program: $wanted"
	while read -r other; do
		[ "$other" != "$wanted" ] || continue
		! grep -qF "$other" "$tmp/advice" || echo "$program: $other" >>"$tmp/too"
	done <"$tmp/said"
done <<END
$table
END
# But that is theirs, too: system calls that do little, memory that is touched first and given back.
cat >"$tmp/allowed" <<'END'
costly protect: Ask for more with each call
costly shoot: memory is given back and faulted again
costly signals: Ask for more with each call
costly spawn: MADV_POPULATE_WRITE
costly work: MADV_POPULATE_WRITE
END
sort -u "$tmp/too" 2>/dev/null | diff "$tmp/allowed" - >"$tmp/err"
verdict $? 'nobody gets advice that is for another'
finish
