#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test/cost/advice.sh QUIRE COSTLY: programs that pay for virtual memory in one way each: the report speaks of that way
# first, and of no way that the program does not go. TAP.
quire=$1 costly=$2
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0 bad=0

# expect WAY FIRST WITH WITHOUT: the first finding begins with FIRST, WITH is somewhere in the advice, WITHOUT nowhere
expect() {
	n=$((n + 1))
	"$quire" run -o "$tmp/report" -m 4k -m thp -- "$costly" "$1" >"$tmp/out" 2>&1
	status=$?
	sed -n '/^Advice/,$p' "$tmp/report" | sed 1d | tr -s ' \n' ' ' >"$tmp/advice"
	if [ $status -eq 0 ] && grep -q "^ $2" "$tmp/advice" && grep -q "$3" "$tmp/advice" && ! grep -qE "$4" "$tmp/advice"; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1 (status $status)"
		cat "$tmp/out" "$tmp/advice" | sed 's/^/# /'
		bad=1
	fi
}

if "$quire" run --front engine -o /dev/null -- /bin/true >/dev/null 2>&1; then
	export QUIRE_FRONT=engine
elif ! "$quire" run -o /dev/null -- /bin/true >/dev/null 2>&1; then
	echo "1..0 # SKIP no front end runs here"
	exit 0
fi
expect walks 'Page walks' 'transparent huge pages leave' 'posix_spawn|Fork'
expect touches 'First touches of memory' 'transparent huge pages make that' 'posix_spawn|given back'
expect reads 'First touches of memory' '4,09[0-9] more of writes to what was only read before' 'posix_spawn|Copies'
expect refaults 'First touches of memory' 'memory is given back and faulted again' 'huge pages|posix_spawn'
expect forks 'Fork costs' 'None of the children executed a program' 'nobody forked|given back|posix_spawn'
expect copies 'Copies of private pages' 'costly data; nobody forked' 'posix_spawn|Fork costs|tmpfs'
# QEMU tells of no access that fails.
[ "$QUIRE_FRONT" != engine ] || expect signals 'Faults that end in signals' '2,000 of them' 'posix_spawn|huge pages'
expect protects 'Maps and unmaps' '5,0[0-9]* of them mprotect' 'posix_spawn|huge pages'
expect calls 'Ways into the kernel and out' '50,0[0-9]* system calls' 'posix_spawn|huge pages'
expect nothing 'Nothing to gain: all of it is' 'the dearest cause' 'posix_spawn|huge pages'
echo "1..$n"
exit $bad
