#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test/cost/allocators.sh BUILD_DIR: programs on other allocators than glibc's: the advice gives that one's own setting, and
# what it says of the setting comes true where the setting is applied. TAP.
build=$1
. "${0%/*}/../programs.sh"

# report OPTIONS... -- PROGRAM...: its advice into $tmp/advice on one line, its figures into $tmp/json
report() {
	"$quire" run --json "$tmp/json" -o "$tmp/report" "$@" >"$tmp/out" 2>"$tmp/err" || return 1
	sed '1,/^Advice/d' "$tmp/report" | tr -s ' \n' ' ' >"$tmp/advice"
}
# advised SENTENCE: the settings, NAME=VALUE, that follow it
advised() { sed -n "s/.*$1 \([A-Z_]*=[^ ]*\).*/\1/p" "$tmp/advice" | sed 's/\.$//'; }
near() { awk -v a="$1" -v b="$2" -v p="$3" 'BEGIN { d = a > b ? a - b : b - a; exit !(b > 0 && d * 100 <= b * p) }'; }
skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# huge NAME ENVIRONMENT: its setting for huge pages leaves as many page faults as the column thp said
huge() {
	report -m 4k -m thp -- env "$2" "$programs/heap" 64
	setting=$(advised 'Run it with') said=$(number minflt 2)
	! grep -qE 'GLIBC_TUNABLES|MAP_POPULATE|[Ff]ork' "$tmp/advice" && [ -n "$setting" ] &&
		report -m madvise -- env "$2" "$setting" "$programs/heap" 64 && near "$(number minflt)" "$said" 5
	verdict $? "$1, huge pages: $setting: $said faults said, $(number minflt) with it"
}

# keep NAME ENVIRONMENT: its setting that keeps memory takes most page faults away, and little more memory
keep() {
	# shellcheck disable=SC2086 # none, or one
	report -m 4k -- env $2 "$programs/costly" churn
	setting=$(advised 'Keep memory[^:]*:' | tail -n 1) faults=$(number minflt) peak=$(number peak_rss_bytes)
	# shellcheck disable=SC2086
	[ -n "$setting" ] && report -m 4k -- env $2 "$setting" "$programs/costly" churn &&
		[ "$(number minflt)" -lt $((faults / 2)) ] && [ "$(number peak_rss_bytes)" -lt $((peak / 2 * 3)) ]
	verdict $? "$1, memory kept: $setting: $faults faults without, $(number minflt) with it; $((peak >> 20)) and $(($(number peak_rss_bytes) >> 20)) MiB"
}

keep glibc ''
for name in jemalloc mimalloc tcmalloc_minimal; do
	library=$(ldconfig -p 2>/dev/null | awk -v name="lib$name.so." 'index($1, name) == 1 { print $NF; exit }')
	if [ -z "$library" ]; then
		skip "$name" "lib$name is not installed"
	elif [ $name = tcmalloc_minimal ]; then
		report -m 4k -m thp -- env LD_PRELOAD="$library" "$programs/heap" 64
		grep -q 'TCMALLOC_MEMFS_MALLOC_PATH=' "$tmp/advice" && ! grep -qE 'GLIBC_TUNABLES|visit memory in order' "$tmp/advice"
		verdict $? 'tcmalloc, whose heap has no room for huge pages'
	else
		huge $name LD_PRELOAD="$library"
		[ $name = mimalloc ] || keep $name LD_PRELOAD="$library" # which gives back by the clock
	fi
done

heap='-Xms192m -Xmx192m -XX:+AlwaysPreTouch'
if java $heap -version >/dev/null 2>&1; then
	# shellcheck disable=SC2086 # words of a command
	report -m 4k -m thp -- java $heap -version
	said=$(number minflt 2)
	# shellcheck disable=SC2086
	grep -q 'Run java with -XX:+UseTransparentHugePages' "$tmp/advice" && ! grep -qE 'GLIBC_TUNABLES|MAP_POPULATE' "$tmp/advice" &&
		report -m madvise -- java $heap -XX:+UseTransparentHugePages -version && [ "$(number minflt)" -lt "$said" ]
	verdict $? "java, huge pages: $said faults said, $(number minflt) with them"
else
	skip java 'java is not installed'
fi

work='d = {i: str(i) for i in range(200000)}'
if python=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null); then
	report -m 4k -m thp -- "$python" -c "$work"
	setting=$(sed -n 's/.*Run it with \(PYTHONMALLOC=[a-z]* [A-Z_]*=[^ ]*\).*/\1/p' "$tmp/advice" | sed 's/\.$//') faults=$(number minflt)
	# shellcheck disable=SC2086 # two words
	[ -n "$setting" ] && ! grep -q MAP_POPULATE "$tmp/advice" && report -m madvise -- env $setting "$python" -c "$work" &&
		[ "$(number minflt)" -lt $((faults / 2)) ]
	verdict $? "python: $setting: $faults faults without, $(number minflt) with it"
else
	skip python 'python3 is not installed'
fi
finish
