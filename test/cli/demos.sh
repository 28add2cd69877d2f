#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test/cli/demos.sh BUILD_DIR: the demonstrations of docs/demos.md on a smaller scale, each figure against what
# arithmetic expects of it. TAP output.
build=$1
. "${0%/*}/../programs.sh"
unset MALLOC_PERTURB_ # Meson sets it: the programs' memory would be filled once more

# between NAME LOW VALUE HIGH: numbers, or expressions of them
between() {
	awk "BEGIN { exit !(($2) <= ($3) && ($3) <= ($4)) }"
	verdict $? "$1: $2 <= $3 <= $4"
}

# ---- too little RAM ----
# N pages read at random while F frames hold some of them: a read misses with 1 - F/N, whatever the policy, since the next
# page does not depend on the past. F is at most RAM, and at least 85 % of it: the rest is struct pages, page tables,
# watermarks and the program's other pages. Five standard deviations either way.
accesses=200000 pages=16384 frames=4096
"$programs/random" 64 $accesses >"$tmp/native"
"$quire" run --ram 16M -m 4k,reclaim=lru2 -m 4k,reclaim=mglru -m 4k,reclaim=clock --check 1 --json "$tmp/json" \
	-o "$tmp/report" -- "$programs/random" 64 $accesses >"$tmp/out" 2>"$tmp/err"
[ $? = 0 ] && [ ! -s "$tmp/err" ] && cmp -s "$tmp/out" "$tmp/native"
verdict $? 'random reads in 64 MiB, 16 MiB of RAM: the right output'
for i in 1 2 3; do
	policy=$(echo lru2 mglru clock | cut -d' ' -f$i)
	major=$(number major_faults $i)
	between "$policy, major faults" \
		"$accesses * (1 - $frames / $pages) - 5 * sqrt($accesses / 4)" "$major" \
		"$accesses * (1 - 0.85 * $frames / $pages) + 5 * sqrt($accesses / 4)"
	# An NVMe drive: 85 us a request, 3.2 GB/s. A request brings one page to eight (read-ahead).
	between "$policy, waiting for reads" "$major * (85000 + 1280)" "$(number io_wait_ns $i)" \
		"$major * (85000 + 8 * 1280)"
	grep -Eq "^reclaim .*\b$policy\b" "$tmp/report"
	verdict $? "$policy: it is over its column"
done

# ---- fork ----
# Each page that the parent overwrites while the child lives is copied once, 4K at a time: Linux splits a huge page
# first. So both machines copy what the program counts, and a few pages of stack and libc of either process.
few=60
"$quire" run -m 4k -m thp --check 1 --json "$tmp/json" -o "$tmp/report" -- "$programs/server" 32 >"$tmp/out" 2>"$tmp/err"
status=$?
read -r copied _ total _ _ _ blocks _ <"$tmp/out"
[ $status = 0 ] && [ ! -s "$tmp/err" ] && [ "$total" = 8192 ] && [ "$copied" -gt 700 ]
verdict $? "a server of 32 MiB saves itself: $copied pages overwritten in $blocks blocks"
for i in 1 2; do
	machine=$(echo 4k thp | cut -d' ' -f$i)
	between "$machine, copies" "$copied" "$(number cow_copy $((2 * i - 1)))" "$copied + $few"
	between "$machine, frames copied" "$copied" "$(number frames_copied $i)" "$copied + $few"
	# libc's data and text, some of it from files: under 4 MiB
	between "$machine, memory" "($total + $copied) * 4096" "$(number peak_rss_bytes $i)" \
		"($total + $copied) * 4096 + 4 * 1048576"
done
between 'thp, huge pages split' "$blocks" "$(number thp_split 2)" "$blocks"
between '4k, huge pages split' 0 "$(number thp_split 1)" 0
# And as this Linux does it, where it gives huge pages to who asks.
for flag in '' -h; do
	"$programs/server" $flag -f 32 >"$tmp/native" 2>"$tmp/err"
	set -- $(sed -n 's/^here: \([0-9]*\) faults, \(-*[0-9]*\) KiB.*/\1 \2/p' "$tmp/native")
	between "this Linux${flag:+, huge pages}, faults" "$copied" "$1" "$copied + $few"
	[ "$2" = 0 ] || between "this Linux${flag:+, huge pages}, KiB more" "$copied * 4 - 256" "$2" "$copied * 4 + 256"
done

finish
