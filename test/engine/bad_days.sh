#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test/engine/bad_days.sh BUILD_DIR: what happens to a program under the engine when somebody is killed, a disk is full, a
# limit is low, or quire runs quire. TAP output.
build=$(cd "$1" && pwd)
QUIRE_FRONT=engine
export QUIRE_FRONT
. "${0%/*}/../programs.sh"
run="$quire run -m 4k -o $tmp/report"
cd "$tmp" || exit 1

# gone NAME: no process with this name in its arguments is left, or soon none
gone() {
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		grep -lsz "^$1\$" /proc/[0-9]*/cmdline >/dev/null || return 0
		sleep 0.3
	done
	return 1
}

# killed NAME SCRIPT: quire is killed while the script, whose first argument is NAME, runs
killed() {
	$run -- sh -c "$2" "$1" >"$tmp/out" 2>"$tmp/err" &
	pid=$!
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		[ -s "$tmp/out" ] && break
		sleep 0.3
	done
	kill -9 $pid
	wait $pid 2>/dev/null
	gone "$1"
	verdict $? "quire is killed: the program ends ($1)"
}
killed "spins$$" 'echo; while :; do :; done'
killed "starts$$" 'echo; (while :; do /bin/true; done) & wait'

: >"$tmp/err"
$run -- sh -c 'kill -9 $$' 2>"$tmp/err"
[ $? = 137 ] && grep -q 'killed by SIGKILL' "$tmp/report"
verdict $? 'the program is killed'
$run -- sh -c '/bin/sh -c "kill -9 \$\$"; echo $?' >"$tmp/out" 2>"$tmp/err"
[ "$(cat "$tmp/out")" = 137 ]
verdict $? 'a child is killed'
$run -- sh -c '(sleep 0.3; kill -CONT $$) & kill -STOP $$; echo went on' >"$tmp/out" 2>"$tmp/err"
grep -q 'went on' "$tmp/out"
verdict $? 'stopped and continued'

$run -- "$build/test/engine/exceptions" gs >"$tmp/out" 2>"$tmp/err"
[ $? = 125 ] && grep -q 'sets gs' "$tmp/err"
verdict $? 'what sets gs is refused, in words'
$run -- "$build/test/engine/own" over >"$tmp/out" 2>"$tmp/err"
[ $? = 125 ] && grep -q 'where the engine is' "$tmp/err"
verdict $? 'memory where the engine is is refused, in words'

$run -- echo word >/dev/full 2>"$tmp/err"
[ $? = 1 ]
verdict $? 'output to a full disk'
$run -- sh -c 'echo one >one & echo two >two & wait' & $run -- sh -c 'echo three >three'
wait
[ "$(cat one two three | tr '\n' ' ')" = 'one two three ' ]
verdict $? 'two runs at once'
$run -- unshare -rpf echo word >"$tmp/out" 2>"$tmp/err"
if unshare -rpf true 2>/dev/null; then
	grep -q 'PID namespace' "$tmp/err" && ! grep -q word "$tmp/out"
	verdict $? 'a PID namespace is refused, in words'
fi
$run -- "$quire" run -m 4k -- echo word >"$tmp/out" 2>"$tmp/err"
grep -q '^word$' "$tmp/out" && grep -q 'left the simulation' "$tmp/report" && grep -q '^quire run: echo word' "$tmp/err"
verdict $? 'quire runs quire, whose program leaves'
finish
