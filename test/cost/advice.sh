#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test/cost/advice.sh BUILD_DIR: programs that pay for virtual memory in one way each: the report speaks of that way first,
# and of no way that the program does not go. TAP.
build=$1
. "${0%/*}/../programs.sh"

# expect WAY FIRST WITH WITHOUT: the first finding begins with FIRST, WITH is somewhere in the advice, WITHOUT nowhere
expect() {
	"$quire" run -o "$tmp/report" -m 4k -m thp -- "$programs/costly" "$1" >"$tmp/out" 2>"$tmp/err"
	status=$?
	sed -n '/^Advice/,$p' "$tmp/report" | sed 1d | tr -s ' \n' ' ' >"$tmp/advice"
	[ $status -eq 0 ] && grep -q "^ $2" "$tmp/advice" && grep -q "$3" "$tmp/advice" && ! grep -qE "$4" "$tmp/advice"
	verdict $? "$1 (status $status)"
}

expect walks 'Page walks' 'transparent huge pages leave' 'posix_spawn|Fork'
expect touches 'First touches of memory' 'transparent huge pages make that' 'posix_spawn|given back'
expect reads 'First touches of memory' '4,09[0-9] more of writes to what was only read before' 'posix_spawn|Copies'
expect refaults 'First touches of memory' 'memory is given back and faulted again' 'huge pages|posix_spawn'
expect forks 'Fork costs' 'None of the children executed a program' 'nobody forked|given back|posix_spawn'
expect data 'Copies of private pages' 'costly data; nobody forked' 'posix_spawn|Fork costs|tmpfs'
if [ "${QUIRE_FRONT-}" != qemu ]; then # which tells of no access that fails
	expect signals 'Faults that end in signals' '2,000 of them' 'posix_spawn|huge pages'
fi
expect protect 'Maps and unmaps' '5,0[0-9]* of them mprotect' 'posix_spawn|huge pages'
expect calls 'Ways into the kernel and out' '50,0[0-9]* system calls' 'posix_spawn|huge pages'
expect compute 'Nothing to gain: all of it is' 'the dearest cause' 'posix_spawn|huge pages'
finish
