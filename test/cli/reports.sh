#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test/cli/reports.sh BUILD_DIR: no report is lost, whatever happens to the place where it was to go; what stops the
# program stops it as without Quire; and nothing of Quire's is in the program's output. TAP output.
build=$1
. "${0%/*}/../programs.sh"

skip() { # NAME REASON
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# run ARG...: of quire run, one machine
run() {
	"$quire" run -m 4k "$@" >"$tmp/out" 2>"$tmp/err"
	status=$?
}
is_text() { grep -q '^quire run:' "$1" && grep -q '^Advice' "$1"; }
is_json() { grep -q '"schema": "quire-run"' "$1" && [ "$(tail -n 1 "$1")" = '}' ]; }
is_page() { [ "$(head -c 15 "$1")" = '<!doctype html>' ] && [ "$(tail -n 1 "$1")" = '</html>' ]; }

# ---- where reports go ----
run -- echo said
[ "$status $(cat "$tmp/out")" = '0 said' ] && is_text "$tmp/err"
verdict $? 'the text goes to standard error'
run -o - -- echo said
[ "$status $(head -n 1 "$tmp/out")" = '0 said' ] && is_text "$tmp/out" && [ ! -s "$tmp/err" ]
verdict $? '-o -: to standard output, behind what the program said'
run -j - -o "$tmp/text" -- true
[ "$status" = 0 ] && is_json "$tmp/out" && is_text "$tmp/text" && [ ! -s "$tmp/err" ]
verdict $? '--json -: to standard output'
run -j - -o - -- true
[ "$status" = 125 ] && grep -q 'only one can' "$tmp/err"
verdict $? 'not both'

# Whether this quire has the page.
html=yes
run --html "$tmp/page" -- echo said
if grep -q 'html is off' "$tmp/err"; then
	html=no
	[ "$status $(wc -l <"$tmp/err")" = '125 1' ] && grep -q 'tools/setup.sh --html' "$tmp/err" && [ ! -s "$tmp/out" ]
	verdict $? '--html, built without the page: one line says so and how to have it, and the program is not started'
else
	[ "$status $(cat "$tmp/out")" = '0 said' ] && is_page "$tmp/page" && is_text "$tmp/err"
	verdict $? '--html: a page, beside the text'
fi
run --html - -j - -- true
[ "$status" = 125 ] && grep -q 'only one can' "$tmp/err"
verdict $? 'two of them to standard output: refused'

run -j "$tmp/both" -o "$tmp/both" -- echo said
[ "$status" = 125 ] && grep -q 'the same file' "$tmp/err" && [ ! -s "$tmp/out" ]
verdict $? 'not both to one file'

# ---- where they cannot go ----
full() { # NAME FILE REASON TEST ARG...
	name=$1 file=$2 reason=$3 test=$4
	shift 4
	run "$@"
	[ "$status" = 125 ] && grep -q "^quire: $file: $reason" "$tmp/err" && $test "$tmp/err"
	verdict $? "$name: it is on standard error, with the reason; exit status 125"
}
full 'a full disk, text' /dev/full 'No space left' is_text -o /dev/full -- true
full 'a full disk, JSON' /dev/full 'No space left' is_json -o "$tmp/text" -j /dev/full -- true
is_text "$tmp/text"
verdict $? 'the other one is where it should be'
if [ $html = yes ]; then
	full 'a full disk, a page: not there, but the reason' /dev/full 'No space left' is_text --html /dev/full -- true
	! grep -q '<html' "$tmp/err"
	verdict $? 'and no page on the terminal'
else
	skip 'a full disk, a page' 'this quire is built without it: tools/setup.sh --html'
fi
mkdir "$tmp/gone"
full 'a folder that the program removed' "$tmp/gone/r" 'No such file' is_text -o "$tmp/gone/r" -- rm -r "$tmp/gone"
run -o "$tmp/none/r" -- echo said
[ "$status" = 125 ] && [ ! -s "$tmp/out" ] && [ "$(wc -l <"$tmp/err")" = 1 ]
verdict $? 'a file that cannot be made: the program is not started'
"$quire" run -m 4k -o - -- true 2>"$tmp/err" >&-
[ $? = 125 ] && grep -q 'standard output: Bad file' "$tmp/err" && is_text "$tmp/err"
verdict $? '-o - with standard output closed'
"$quire" run -m 4k -- true 2>/dev/full
[ $? = 125 ]
verdict $? 'nowhere at all: exit status 125'
: >"$tmp/out"
"$quire" run -m 4k -o "$tmp/text" -- sh -c 'echo lost || echo closed >&2' 2>"$tmp/err" >&-
[ $? = 0 ] && [ "$(tail -n 1 "$tmp/err")" = closed ] && is_text "$tmp/text"
verdict $? 'standard output that is closed is closed for the program'
mkdir "$tmp/small"
if unshare -m mount -t tmpfs -o size=4k tmpfs "$tmp/small" 2>/dev/null; then
	unshare -m sh -c 'mount -t tmpfs -o size=4k tmpfs "$1/small" && "$2" run -m 4k -j "$1/small/r" -o /dev/null -- true ||
		echo "$? $(wc -c <"$1/small/r")"' sh "$tmp" "$quire" >"$tmp/out" 2>"$tmp/err"
	[ "$(cat "$tmp/out")" = '125 0' ] && grep -q "$tmp/small/r: No space left" "$tmp/err" && is_json "$tmp/err"
	verdict $? 'a disk that fills up in the middle: all of it is on standard error, and no half of it in the file'
else
	skip 'a disk that fills up in the middle' 'no right to mount one in a namespace'
fi

# ---- how the program ended ----
for how in 'segv SIGSEGV' 'abort SIGABRT' 'kill SIGKILL'; do
	set -- $how
	run -j "$tmp/json" -- "$programs/crash" "$1"
	grep "^quire run:" "$tmp/err" | grep -Eq "\(killed by $2(, core dumped)?\)$" && grep -q "\"signal\": \"$2\"" "$tmp/json"
	verdict $? "$1: the line of the command names $2"
done
run -j "$tmp/json" -- sh -c 'exit 7'
grep "^quire run:" "$tmp/err" | grep -q '(exit status 7)$' && grep -q '"signal": ""' "$tmp/json"
verdict $? 'an exit status, and no signal'

# ---- signals ----
# A job in the background of a script ignores SIGINT and SIGQUIT, and the program asks for them: as without Quire.
counted() { # FILE NAME: one of NAME and no other
	wanted=$(echo 'int 0 quit 0 hup 0 term 0' | sed "s/$2 0/$2 1/")
	[ "$(tail -n 1 "$1" | tr -d '\r' | grep -o 'int.*')" = "$wanted" ] && is_text "$tmp/text"
}
for sig in int quit hup term; do
	name=$(echo $sig | tr a-z A-Z)
	"$quire" run -m 4k -o "$tmp/text" -- "$programs/signals" >"$tmp/out" 2>"$tmp/err" &
	pid=$!
	for i in 1 2 3 4 5 6 7 8 9; do grep -q ready "$tmp/out" || sleep 0.2; done
	kill -"$name" $pid
	wait $pid && counted "$tmp/out" $sig
	verdict $? "SIG$name sent to quire alone reaches the program, once, and the report comes"
done
for key in '3 int' '28 quit'; do
	set -- $key
	"$build/test/cli/terminal" "$1" "$quire" run -m 4k -o "$tmp/text" -- "$programs/signals" >"$tmp/out" 2>"$tmp/err"
	status=$?
	[ $status = 77 ] && skip "$2 from a terminal" 'no terminals' && continue
	[ $status = 0 ] && counted "$tmp/out" "$2"
	verdict $? "$2 from a terminal reaches the program once"
done

# ---- on a terminal ----
"$build/test/cli/terminal" 10 "$quire" run -m 4k -o "$tmp/text" -- sh -c 'printf half; sleep 1; echo " line"' >"$tmp/out" 2>"$tmp/err"
[ $? = 77 ] && skip 'a terminal' 'no terminals' || {
	[ "$(tr -d '\r' <"$tmp/out")" = 'half line' ]
	verdict $? 'while the program runs a terminal shows its output and nothing else'
}

"$build/test/cli/terminal" 10 "$quire" run -m 4k -o "$tmp/text" -- sh -c '(sleep 5; echo late) & echo main' >"$tmp/out" 2>"$tmp/err"
[ $? = 77 ] && skip 'a terminal' 'no terminals' || {
	[ "$(tr -d '\r' <"$tmp/out" | sed 's|;.*||' | tr '\n' .)" = 'main.quire: the program has ended.late.' ]
	verdict $? 'who waits for what was left behind is told so once'
}

# ---- without /proc ----
if ! unshare -m sh -c 'umount -l /proc; exec "$@"' sh "$quire" --version >/dev/null 2>&1; then
	skip 'without /proc one line says what to do' 'it cannot be unmounted, or a sanitizer wants it'
else
	unshare -m sh -c 'umount -l /proc; exec "$@"' sh "$quire" run -- true >"$tmp/out" 2>"$tmp/err"
	[ $? = 125 ] && [ "$(wc -l <"$tmp/err")" = 1 ] && grep -q 'mount -t proc proc /proc' "$tmp/err"
	verdict $? 'without /proc one line says what to do'
fi

finish
