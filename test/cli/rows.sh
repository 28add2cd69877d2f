#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test/cli/rows.sh BUILD_DIR: a whole tree of programs in one report: its rows against each program alone, what counts and
# what does not, reports of now, --after and --for, names that would break it. Under the engine. TAP output.
build=$1
. "${0%/*}/../programs.sh"

# run OPTION... -- PROGRAM ARG...: report and json; exit status in $status
run() {
	"$quire" run -m 4k --check 1 --json "$tmp/json" -o "$tmp/report" "$@" >"$tmp/out" 2>"$tmp/err"
	status=$?
}

# row NAME KEY: of the program of that name
row() {
	awk -v name="\"name\": \"$1\"," -v key="\"$2\":" '
		/^  "programs": \[/ { inside = 1 }
		/^  "processes": \[/ { inside = 0 }
		inside && index($0, name) { found = 1 }
		found && $1 == key { gsub(/[^0-9]/, "", $2); print $2; exit }' "$tmp/json"
}

# total SECTION KEY: the sum over its rows
total() {
	awk -v section="  \"$1\": [" -v key="\"$2\":" '
		/^  "/ { inside = $0 == section }
		inside && $1 == key { gsub(/[^0-9]/, "", $2); sum += $2 }
		END { printf "%.0f\n", sum }' "$tmp/json"
}

# fits NAME: no line of the report has more than 79 characters, but for the command and single words, which are not cut
fits() {
	! grep -v -e '^quire run:' -e '^ *[^ ]*$' "$tmp/report" | grep -q '.\{80\}'
	verdict $? "$1: the report fits 79 columns"
}

alive() { kill -0 "$1" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }

# ---- a row a program, as if alone ----
two='env -i "$0" exit 3; env -i "$1"; env -i "$0" exit 4; :'
run -- sh -c "$two" "$programs/crash" "$programs/refused"
[ "$status" = 0 ] && [ ! -s "$tmp/err" ]
verdict $? 'a shell and two programs, one of them twice'
fits 'a tree'
crash=$(row crash instructions) refused=$(row refused instructions)
crash_faults=$(row crash faults) refused_faults=$(row refused faults)
[ "$(row crash processes) $(row refused processes) $(row sh processes) $(number processes)" = '2 1 1 4' ]
verdict $? 'so many processes each'
[ "$(total programs instructions)" = "$(number instructions)" ] &&
	[ "$(total processes instructions)" = "$(number instructions)" ] &&
	[ "$(total programs data_accesses)" = "$(number data_accesses)" ] &&
	[ "$(total programs syscalls)" = "$(number syscalls)" ]
verdict $? 'the rows add up to the program'
[ "$(total programs faults)" = "$(total processes faults)" ] &&
	[ "$(total programs data)" = "$(sed -n '/"mmu"/,$p' "$tmp/json" | sed -n '/"walks"/,$s/.*"data": \([0-9]*\).*/\1/p' | head -n 1)" ]
verdict $? 'and to the machine'
run -- env -i "$programs/crash" exit 3
alone=$(row crash instructions) alone_faults=$(row crash faults)
run -- env -i "$programs/crash" exit 4
[ "$crash" = $((alone + $(row crash instructions))) ]
verdict $? "two runs of a program are as many instructions as alone ($crash)"
[ "$((crash_faults - 2 * alone_faults))" -le 4 ] && [ "$((2 * alone_faults - crash_faults))" -le 4 ]
verdict $? "and as many faults ($crash_faults, twice $alone_faults)"
run -- env -i "$programs/refused"
[ "$refused" = "$(row refused instructions)" ]
verdict $? "the other one, too ($refused)"
alone_faults=$(row refused faults)
[ "$((refused_faults - alone_faults))" -le 4 ] && [ "$((alone_faults - refused_faults))" -le 4 ]
verdict $? "and its faults ($refused_faults, $alone_faults)"

# ---- what counts ----
run --only crash --processes -- sh -c "$two" "$programs/crash" "$programs/refused"
[ "$(number instructions)" = "$crash" ] && [ "$(number processes)" = 2 ] && grep -q '^Not counted: sh, env, refused (' "$tmp/report"
verdict $? '--only: it alone is counted, and what ran beside it is named'
[ "$(grep -c '^  crash ' "$tmp/report")" = 2 ]
verdict $? '--processes: a row each'
fits '--only --processes'
run --only 'c*' --only refused --not crash -- sh -c "$two" "$programs/crash" "$programs/refused"
[ "$(number instructions)" = "$refused" ]
verdict $? '--only with a pattern and again, less --not'
run --only "$programs/*" -- sh -c "$two" "$programs/crash" "$programs/refused"
[ "$(number instructions)" = $((crash + refused)) ]
verdict $? 'a pattern of paths'
run --only no-such-program -- sh -c 'exit 5'
[ "$status" = 5 ] && [ "$(number instructions)" = 0 ] && grep -q 'nothing is counted' "$tmp/report"
verdict $? 'nothing that counts: it says so'
run --processes -- sh -c 'echo $$; exit 0'
grep -q "^  sh *$(cat "$tmp/out") " "$tmp/report"
verdict $? 'a process by the number that it sees'

# ---- names ----
printf '#!/bin/sh\n/bin/true\n:\n' >"$tmp/configure"
chmod +x "$tmp/configure"
run -- sh -c '"$0"; "$0"; /proc/self/exe -c :; :' "$tmp/configure"
[ "$(row configure processes) $(row true processes) $(row sh processes)" = '2 2 1' ] && [ "$(row "$(basename "$(readlink -f /bin/sh)")" processes)" = 1 ]
verdict $? 'a script by its own name, what the kernel calls by a link by its file'"'"'s'
"$quire" run --front qemu -m 4k -j "$tmp/json" -o "$tmp/report" -- "$tmp/configure" 2>"$tmp/err"
if grep -qE 'without plugins|not found' "$tmp/err"; then
	n=$((n + 1)); echo "ok $n - under QEMU # SKIP no QEMU with plugins"
else
	[ "$(row configure processes)" = 2 ] && [ "$(number execs_left)" = 1 ] && [ "$(total programs instructions)" = "$(number instructions)" ]
	verdict $? 'under QEMU a row, too, until it executes another'
fi
cp /bin/true "$tmp/two words"
nasty=$(printf '%s/\033[31mred\nline' "$tmp")
cp /bin/true "$nasty"
run --processes -- sh -c '"$1"; "$2"; :' sh "$tmp/two words" "$nasty"
[ "$status" = 0 ] && grep -q '^  two words ' "$tmp/report" && ! grep -q "$(printf '\033')" "$tmp/report" "$tmp/json" &&
	grep -q '^  .x1b.31mred.x0aline ' "$tmp/report"
verdict $? 'names with spaces and control characters'
fits 'such names'
run --processes -- sh -c 'i=0; while [ $i -lt 60 ]; do /bin/true; i=$((i + 1)); done; :'
[ "$(row true processes)" = 60 ] && grep -q '^  22 others ' "$tmp/report" && [ "$(grep -c '"pid":' "$tmp/json")" = 61 ]
verdict $? 'many processes: the first 39, the rest in one row; all in the JSON'
fits 'many processes'

# ---- a report of now ----
"$quire" run -m 4k -j "$tmp/json" -o "$tmp/report" -- sh -c 'echo >"$0"; while [ -e "$0" ]; do sleep 0.1; done' "$tmp/go" &
pid=$!
while [ ! -e "$tmp/go" ]; do sleep 0.05; done
kill -USR1 $pid
tries=0
until [ -s "$tmp/json" ] && [ -s "$tmp/report" ] || [ $((tries += 1)) = 200 ]; do sleep 0.05; done
sleep 0.2
first=$(number instructions)
grep -q '^quire run:.*(still runs)$' "$tmp/report" && grep -q '"running": true' "$tmp/json" && [ "$first" -gt 1000 ]
verdict $? 'SIGUSR1: a report of now in both files, and the program runs on'
rm "$tmp/go"
wait $pid
[ $? = 0 ] && grep -q '"running": false' "$tmp/json" && [ "$(number instructions)" -ge "$first" ] &&
	[ "$(grep -c '^quire run:' "$tmp/report")" = 1 ]
verdict $? 'the last report takes its place'
"$quire" run -m 4k -- sh -c 'echo >"$0"; while [ -e "$0" ]; do sleep 0.1; done' "$tmp/go" 2>"$tmp/err" &
pid=$!
while [ ! -e "$tmp/go" ]; do sleep 0.05; done
kill -USR1 $pid
tries=0
until grep -q '^Advice' "$tmp/err" || [ $((tries += 1)) = 200 ]; do sleep 0.05; done
rm "$tmp/go"
wait $pid
[ "$(grep -c '^Advice' "$tmp/err")" = 2 ]
verdict $? 'without files both come on standard error'

# ---- a part of the time ----
cp "$(command -v sleep)" "$tmp/nap"
run --after 1 --for 1 -- sh -c 'echo $$; (trap "" TERM; while :; do "$0" 0.2; done) & while :; do /bin/true; done' "$tmp/nap"
[ "$status" = 0 ] && grep -q '"begun": true' "$tmp/json" && grep -q '"stopped": true' "$tmp/json" &&
	grep -q '^Counted from 1 s on' "$tmp/report" && grep -q '^Counted for 1 s;' "$tmp/report"
verdict $? '--after and --for: counted for a part of the time, then the program is ended; exit status 0'
cat /proc/[0-9]*/cmdline >"$tmp/alive" 2>/dev/null
! alive "$(head -n 1 "$tmp/out")" && ! grep -q "$tmp/nap" "$tmp/alive"
verdict $? 'and all that it started, also what does not listen to SIGTERM'
[ "$(total programs instructions)" = "$(number instructions)" ] && [ "$(number instructions)" -gt 0 ]
verdict $? 'the rows are of that time, too'
run --after 30 -- sh -c 'exit 6'
[ "$status" = 6 ] && grep -q 'ended before --after 30 s' "$tmp/report" && grep -q '"begun": false' "$tmp/json"
verdict $? 'a program that ends before: it says so'
run --for 30 -- sh -c 'exit 6'
[ "$status" = 6 ] && grep -q '"stopped": false' "$tmp/json"
verdict $? 'a program that ends within --for ends as it does'

# ---- Ctrl-C and a tree ----
"$build/test/cli/terminal" 3 "$quire" run -m 4k -j "$tmp/json" -o "$tmp/report" -- \
	sh -c '(sleep 1; echo ready) & sleep 100 | sleep 100' >"$tmp/out" 2>"$tmp/err"
status=$?
if [ $status = 77 ]; then
	n=$((n + 1)); echo "ok $n - Ctrl-C # SKIP no terminals"
else
	[ $status = 130 ] && [ "$(row sleep processes)" -ge 2 ] && grep -q 'killed by SIGINT' "$tmp/report"
	verdict $? 'Ctrl-C ends a tree, and the report comes'
fi

# ---- what cannot be ----
wrong() { # NAME PATTERN OPTION...
	name=$1 pattern=$2
	shift 2
	"$quire" run "$@" true >"$tmp/out" 2>"$tmp/err" && false || [ $? -gt 0 ] && head -n 1 "$tmp/err" | grep -q "$pattern"
	verdict $? "$name"
}
for seconds in x -1 0 nan 1e9 '' 3s; do
	wrong "--for '$seconds'" 'takes seconds' --for "$seconds"
	wrong "--after '$seconds'" 'takes seconds' --after "$seconds"
done
wrong '--only without a name' 'name is empty' --only ''
wrong 'an unknown option' 'unrecognized option' --programs

finish
