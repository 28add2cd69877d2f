#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test/engine/run.sh BUILD_DIR: real programs under the engine: what they print, how they end, and their page faults
# against getrusage natively (the workload's: its children's, too). TAP output.
build=$1
. "${0%/*}/../programs.sh"
like_this_linux

# same NAME PROGRAM ARG...: output and exit status are native's
same() {
	name=$1
	shift
	command -v "$1" >/dev/null || { n=$((n + 1)); echo "ok $n - $name # SKIP no $1"; return; }
	"$@" >"$tmp/want" 2>"$tmp/want_err" </dev/null
	want=$?
	"$quire" run -m "$machine" --json "$tmp/json" -o "$tmp/report" -- "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	[ $want = $got ] && cmp -s "$tmp/want" "$tmp/out" && cmp -s "$tmp/want_err" "$tmp/err"
	verdict $? "$name: as natively (exit status $got, natively $want)"
}

# equal NAME PROGRAM ARG...: faults within 1 % or 10; of threads, which do not go the same way twice, 2 %
equal() {
	name=$1
	shift
	command -v "$1" >/dev/null || { n=$((n + 1)); echo "ok $n - $name # SKIP no $1"; return; }
	native=$("$faults" -- "$@" 2>/dev/null | cut -d' ' -f1)
	"$quire" run -m "$machine" --json "$tmp/json" -o "$tmp/report" -- "$@" >/dev/null 2>"$tmp/err"
	ours=$(number minflt)
	awk -v a="${ours:-0}" -v b="${native:-0}" -v percent="${percent:-1}" 'BEGIN {
		d = a > b ? a - b : b - a
		exit !(b && (d <= 10 || d * 100 <= b * percent)) }'
	verdict $? "$name: ${ours:-no} faults, natively ${native:-none}"
}

awk 'BEGIN { srand(1); for (i = 0; i < 60000; i++) print int(rand() * 1e9), i }' >"$tmp/lines"
sql='create table t(a integer primary key, b text);
with recursive c(x) as (select 1 union all select x + 1 from c where x < 5000)
insert into t select x, hex(x * 7919 % 100003) from c; select count(distinct b) from t;'

same 'sort' sort -n --parallel=1 "$tmp/lines"
same 'gzip' gzip -c "$tmp/lines"
same 'sqlite3' sqlite3 :memory: "$sql"
same 'python3' /usr/bin/python3 -c 'import json, subprocess; print(json.dumps(list(range(50)))); print(subprocess.check_output(["echo", "x"]))'
same 'perl' perl -e 'my %h; $h{$_ % 1009} += $_ for 1..50000; print scalar(keys %h), "\n"'
same 'awk' awk '{ s += $1 } END { print s }' "$tmp/lines"
same 'a shell, its children and a pipe' sh -c 'for i in 1 2 3; do echo $i; done | sort -r; ls / | wc -l; (exit 3)'
same 'a command that is not there' sh -c 'no-such-command'
printf '#!/bin/sh\necho script "$1" "$0"\n' >"$tmp/script"
chmod +x "$tmp/script"
same 'a script' sh -c "$tmp/script word"
same 'env, which executes' env -i A=1 /usr/bin/env
echo 'int main(void) { return 5; }' >"$tmp/x.c"
_=x
export _
same 'what a program sees of itself' setarch -R "$build/test/engine/self"
same 'executed by its link' setarch -R "$build/test/engine/self" exec
same 'without an environment' env -i setarch -R "$build/test/engine/self" word
rm -rf "$tmp/files"
same 'execveat, by descriptors and not' "$build/test/engine/execats"
same 'what execve refuses, and what it does not' sh -c "mkdir $tmp/files && $build/test/engine/execs $tmp/files; rm -r $tmp/files"
[ "$(number execs_left)" -le 1 ] # the 32-bit one, where the kernel runs such
verdict $? 'who is followed does not leave'
same 'all descriptors closed' "$build/test/engine/closes"
same 'places, moves, accesses, spawns' setarch -R "$build/test/engine/own"
same 'memory under limits, to the page' setarch -R "$build/test/engine/limits"
# The kernel refuses to execute, the interpreter to begin, and the program has little.
for limit in '-v 500' '-v 2000' '-v 3000' '-v 20000' '-d 100' '-d 500' '-d 3000'; do
	same "begun under ulimit $limit" setarch -R sh -c "(ulimit $limit; exec $build/test/engine/limits begun); echo \$?"
done
if (ulimit -S -v 400000; "$quire" --version >/dev/null 2>&1); then
	(
		ulimit -S -v 400000
		same 'quire itself begun under a limit' setarch -R "$build/test/engine/limits" begun
		exit $bad
	) || bad=1
	n=$((n + 1))
else # a sanitizer takes terabytes
	n=$((n + 1))
	echo "ok $n - quire itself begun under a limit # SKIP this build of it needs more"
fi
same 'memory by fs and gs' setarch -R "$build/test/engine/segments"
same 'filters of system calls' "$build/test/engine/sandbox"
same 'bad addresses' "$build/test/engine/pointers"
same 'a user namespace' sh -c 'unshare -r id -u'
same 'another user' setpriv --reuid=65534 --regid=65534 --clear-groups /bin/sh -c 'id -u; ls -d /'
same 'a chroot' chroot / /bin/sh -c 'ls -d /'
mkdir "$tmp/root" && cp "$build/test/engine/alone" "$tmp/root"
same 'a chroot without the engine' sh -c "chroot $tmp/root /alone; echo \$?"
same 'a compiler: cc1, as, ld' sh -c "cd $tmp && cc -O1 x.c -o x && ./x"
echo 'int main(void) { for (int i = 1; i < 99; i++) *(volatile char *)__builtin_malloc(i); return 5; }' >"$tmp/leaks.c"
if cc -fsanitize=address "$tmp/leaks.c" -o "$tmp/leaks" 2>/dev/null && "$tmp/leaks" 2>&1 | grep -q 'memory leaks'; then
	same 'leaks that LeakSanitizer finds' sh -c "$tmp/leaks 2>&1 | grep -o 'memory leaks'; $tmp/leaks 2>/dev/null"
else
	n=$((n + 1))
	echo "ok $n - leaks that LeakSanitizer finds # SKIP it does not work here"
fi
for how in 'segv 139' 'null 139' 'trap 133' 'abort 134' 'kill 137'; do
	set -- $how
	"$quire" run -m 4k -o "$tmp/report" -- "$programs/crash" "$1" >"$tmp/out" 2>"$tmp/err"
	[ $? = "$2" ]
	verdict $? "killed by a signal: $1"
done
same 'random programs in a storm of signals' "$build/test/engine/storm" 1 200
for odd in small-cache short-blocks; do
	QUIRE_ENGINE=$build/test/engine/engine-$odd
	export QUIRE_ENGINE
	same "the same, $odd" "$build/test/engine/storm" 2 100
	same "the same, $odd: code that changes" "$build/test/engine/selfmod"
	same "the same, $odd: programs that patch themselves" "$build/test/engine/selfmod" 5 100
	same "the same, $odd: threads" "$build/test/engine/threads" storm
	same "the same, $odd: a pipe of programs" sh -c "sort -n $tmp/lines | head -n 5; ls / | wc -l"
done
unset QUIRE_ENGINE
same 'signals that repair, skip, nest; on a stack of their own' "$build/test/engine/handlers"
same 'how the kernel delivers, and what it tells back' "$build/test/engine/delivery"
same 'what handlers are told of each exception' setarch -R "$build/test/engine/exceptions"
same 'single steps of its own' setarch -R "$build/test/engine/steps"
same 'no instruction, and no handler' sh -c "$build/test/engine/exceptions dies; echo \$?"

same 'code that changes, in every way' "$build/test/engine/selfmod"
for seed in 1 2 3 4; do
	same "random programs that patch themselves, seed $seed" "$build/test/engine/selfmod" $seed 100
done

"$quire" run -m 4k --json "$tmp/json" -o "$tmp/report" -- sh -c 'true; /bin/echo; ls >/dev/null' >"$tmp/out" 2>"$tmp/err"
[ "$(number execs_left)" = 0 ] && [ "$(number malformed)" = 0 ] && [ "$(number processes)" -ge 3 ]
verdict $? 'who executes stays in the simulation'
for what in locks many storm queue faults children exec exit first-ends first-ends-exec killed-children sharers churn; do
	same "threads: $what" "$build/test/engine/threads" $what
done
[ "$(number malformed)" = 0 ] && [ "$(number threads)" = 161 ]
verdict $? "each thread has a beginning and an end"
"$quire" run -m 4k -o "$tmp/report" -- "$build/test/engine/threads" crash >"$tmp/out" 2>"$tmp/err"
[ $? = 139 ]
verdict $? 'threads: a crash of one ends all'
QUIRE_ENGINE=$build/test/engine/engine-small-cache
export QUIRE_ENGINE
for what in 'locks' 'children 2' 'exec' 'churn 3' 'sharers 30'; do
	same "a small code cache, threads: $what" "$build/test/engine/threads" $what
done
unset QUIRE_ENGINE

equal 'sort' sort -n --parallel=1 "$tmp/lines"
equal 'sqlite3' sqlite3 :memory: "$sql"
equal 'python3' /usr/bin/python3 -c 'print(len(list(range(300000))))'
percent=2
equal 'sort with two threads' sort -n --parallel=2 "$tmp/lines"
equal 'xz with two threads' xz -T2 -1 --block-size=200KiB -c "$tmp/lines"
equal 'threads that come and go' "$build/test/engine/threads" churn
percent=1
equal 'gzip' gzip -c "$tmp/lines"
equal 'mallocs of a few MiB' "$build/test/host/blocks"
equal 'forks and execs' "$build/test/engine/births" "$build/test/engine/alone"
equal 'pages by fs and gs' "$build/test/engine/segments" pages
equal 'locks' "$build/test/host/locks"
equal 'a compiler' cc -O1 "$tmp/x.c" -o "$tmp/x"
finish
