#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test/cli/run.sh BUILD_DIR: `quire run` from outside, with real programs: what they print, how they end, what the report
# and the JSON say, and what is said of programs that cannot run. TAP output.
build=$1
. "${0%/*}/../programs.sh"

# run PROGRAM ARG...: output in out, err, report and json; exit status in $status. One machine, all checks of level 1.
run() {
	"$quire" run --machine 4k --check 1 --json "$tmp/json" -o "$tmp/report" -- "$@" >"$tmp/out" 2>"$tmp/err"
	status=$?
}

# is NAME WANTED_STATUS WANTED_OUTPUT: of the last run; standard error must be empty.
is() {
	[ "$status" = "$2" ] && [ "$(cat "$tmp/out")" = "$3" ] && [ ! -s "$tmp/err" ] && [ -s "$tmp/report" ]
	verdict $? "$1"
}

# sound NAME: the streams kept the rules, and our kernel agreed with Linux about every call
sound() {
	[ "$(number malformed)" = 0 ] && grep -q '"dropped": {}' "$tmp/json" && [ "$(number mismatches)" = 0 ] &&
		[ "$(number segv_accerr)" = 0 ]
	verdict $? "$1: no malformed stream, no event that made no sense, no disagreement"
}

# ---- output, input, exit status ----
run echo 'a  b' c
is 'words pass' 0 'a  b c'
run sh -c 'exit 7'
is 'exit status' 7 ''
echo in >"$tmp/in"
run cat <"$tmp/in"
is 'standard input' 0 in
run sh -c 'echo oops >&2; echo fine'
[ "$status $(cat "$tmp/out") $(cat "$tmp/err")" = '0 fine oops' ]
verdict $? 'standard error is the program'"'"'s'
run sh -c 'echo "${QUIRE_HUB-none} ${QUIRE_PROGRAM-none} ${LD_PRELOAD-none}"'
is 'the environment is the program'"'"'s' 0 "none none ${LD_PRELOAD-none}"
ls /proc/self/fd >"$tmp/fds" 2>"$tmp/err"
run ls /proc/self/fd
is 'the descriptors, too' 0 "$(cat "$tmp/fds")"

# ---- ends ----
run "$programs/crash" exit 3
is 'exit' 3 ''
sound 'exit'
[ "$(number zero_write)" -ge 100 ]
verdict $? 'its 100 pages were counted'
for how in 'segv 139' 'abort 134' 'kill 137'; do
	set -- $how
	run "$programs/crash" "$1"
	is "$1" "$2" ''
	sound "$1"
	[ "$(number zero_write)" -ge 100 ]
	verdict $? "$1: what ran before is in the report"
done
run "$programs/crash" stack
is 'stack overflow' 139 ''
[ "$(number threads)" = 1 ] && grep -q '"stack": 20[0-9][0-9]' "$tmp/json"
verdict $? 'the stack grew to its 8 MiB, a page a fault'
run "$programs/crash" group 9
is 'exit_group by a thread while another spins' 9 ''
sound 'exit_group'
[ "$(number threads)" = 3 ] && [ "$(number threads_lost)" = 0 ]
verdict $? 'three threads, none lost'

# ---- families ----
run "$programs/family"
is 'children of every kind' 0 'fork: exit 3
vfork: exit 4
vfork, exec: exit 0
clone: exit 3
posix_spawn: exit 0
exec that fails: exit 5
killed: signal 9'
sound 'children'
left=0 # a program that QEMU runs leaves when it executes another
[ "${QUIRE_FRONT-engine}" != qemu ] || left=2
[ "$(number processes)" = 8 ] && [ "$(number execs_left)" = $left ] && [ "$(number threads_lost)" = 1 ]
verdict $? "eight processes, $left left by exec, one was killed"
run "$programs/threads"
is 'threads that map, unmap and fork' 0 9000
sound 'threads'
[ "$(number threads)" = 46 ] && [ "$(number processes)" = 6 ] && [ "$(number segv_maperr)" = 0 ]
verdict $? '41 threads and 5 children, and every access found its area'
run "$programs/shared"
is 'two threads after shared memory' 0 ''
[ "$(number instructions)" -ge 120000000 ] && [ "$(number instructions)" -lt 121000000 ]
verdict $? 'every instruction is counted, once'
run sh -c '(while kill -0 $$ 2> /dev/null; do sleep 0.05; done; echo late) & echo main; exit 2'
is 'a child that outlives the program is waited for' 2 'main
late'

# ---- calls with lengths and addresses that cannot be ----
run "$programs/refused"
is 'what the kernel refuses' 0 12
sound 'refused'
[ "$(number zero_write)" -ge 1000 ]
verdict $? 'and all that came after is in the report'

# ---- what x86 takes one fault for ----
native=$("$programs/counters")
run "$programs/counters"
sound 'counters'
[ "$(number minflt)" -ge $((native * 98 / 100)) ] && [ "$(number minflt)" -le $((native * 102 / 100)) ]
verdict $? "a page first touched by a read-modify-write instruction is one fault ($(number minflt), here $native)"

# ---- system calls that the machines have to know of ----
run "$programs/calls" idle
sound 'threads that wait'
[ "$(number ipis)" -lt 100 ]
verdict $? "threads that wait in a futex are not interrupted for 500 flushes ($(number ipis) times)"
run "$programs/calls" busy
[ "$(number ipis)" -ge 2000 ]
verdict $? "threads that compute are ($(number ipis) times)"
run "$programs/calls" grow "$tmp/grown"
[ "$status" = 77 ] || {
	is 'a file that grows, shrinks and gets a hole' 0 ''
	[ "$(number sigbus)" = 0 ] && [ "$(number file)" -ge 2009 ] && [ "$(number file)" -lt 2200 ]
	verdict $? "its pages are faulted in as on Linux, 1,000, 999 and 10 ($(number file) of files in all)"
}
run "$programs/calls" advise
sound 'MADV_COLLAPSE and MADV_PAGEOUT'
[ "$(number thp_collapse) $(number swap_outs) $(number swap)" = '2 1024 1024' ] # faults: a disk's pages still are in the swap cache
verdict $? 'they act on the machines'

# ---- placement ----
head -c 8388608 /dev/zero >"$tmp/file"
if [ -x "$programs/layout" ] && setarch -R true 2>/dev/null; then
	setarch -R "$programs/layout" "$tmp/file" >"$tmp/native"
	run "$programs/layout" "$tmp/file"
	is 'maps land where Linux puts them' 0 "$(cat "$tmp/native")"
fi

# ---- scripts ----
printf '#! /bin/sh -e\necho "$0 $*"; false; echo not reached\n' >"$tmp/script"
chmod +x "$tmp/script"
run "$tmp/script" a 'b c'
is 'a script with an argument for its interpreter' 1 "$tmp/script a b c"
printf '#!%s\n' "$tmp/script" >"$tmp/nested"
chmod +x "$tmp/nested"
run "$tmp/nested" x
is 'a script whose interpreter is a script' 1 "$tmp/script $tmp/nested x"

# ---- what cannot run: status and one line ----
refused() { # NAME STATUS PATTERN
	[ "$status" = "$2" ] && [ "$(wc -l <"$tmp/err")" = 1 ] && grep -q "$3" "$tmp/err"
	verdict $? "$1"
}
run /no/such/file
refused 'no such file' 127 'not found'
run no-such-command
refused 'not in PATH' 127 'not found'
run "$tmp"
refused 'a folder' 126 'directory'
run "$tmp/in"
refused 'not executable' 126 'not executable'
: >"$tmp/empty"
head -c 300 "$programs/crash" >"$tmp/short"
printf '\177ELF\001\001\001' >"$tmp/elf32"
head -c 64 "$programs/crash" | sed 's/\x3e\x00/\xb7\x00/' >"$tmp/arm"
printf '#!/no/such/interpreter\n' >"$tmp/orphan"
chmod +x "$tmp/empty" "$tmp/short" "$tmp/elf32" "$tmp/arm" "$tmp/orphan"
run "$tmp/empty"
refused 'an empty file' 126 'empty'
run "$tmp/short"
refused 'a truncated ELF file' 126 'truncated'
run "$tmp/elf32"
refused 'a 32-bit program' 126 '32-bit'
run "$tmp/arm"
refused 'a program for another processor' 126 'another processor'
run "$tmp/orphan"
refused 'an interpreter that is missing' 127 '/no/such/interpreter'
QUIRE_FRONT=qemu QUIRE_QEMU=/no/such/qemu
export QUIRE_FRONT QUIRE_QEMU
run true
refused 'no QEMU' 125 'not found'
QUIRE_QEMU=/bin/cat
run true
refused 'a QEMU without plugins' 125 'without plugins'
QUIRE_FRONT=engine QUIRE_ENGINE=/no/such/engine
export QUIRE_ENGINE
run true
refused 'no engine' 125 'QUIRE_ENGINE'
QUIRE_FRONT=neither
run true
refused 'a front end that there is not' 125 'engine or qemu'

finish
