#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh BUILD_DIR [NAME...]: the programs of `list` (or these of them), natively and under the engine: output, errors,
# exit status, page faults of the whole tree, CPU time. Writes the table docs/programs.md (to standard output where NAMEs
# are given); says on standard error what differs.
here=$(cd "${0%/*}" && pwd)
build=$(cd "$1" && pwd)
shift
once=$build/tools/programs/once
. "$here/../../test/programs.sh"
LC_ALL=C.UTF-8 TERM=dumb
export LC_ALL TERM
mkdir "$tmp/inputs" && "$here/inputs.sh" "$tmp/inputs" || exit 1
like_this_linux

# once_in WAY COMMAND...: in a fresh folder of always the same name; $tmp/WAY.{out,err,status,cost}
once_in() {
	way=$1
	shift
	rm -rf "$tmp/work"
	cp -a "$tmp/inputs" "$tmp/work"
	(cd "$tmp/work" && exec timeout -k 5 300 "$once" "$tmp/$way.cost" "$@") >"$tmp/$way.out" 2>"$tmp/$way.err" </dev/null
	echo $? >"$tmp/$way.status"
}

# differs: how the engine's run is not the native one; nothing: it is equal
differs() {
	native=$(cat "$tmp/native.status") ours=$(cat "$tmp/engine.status")
	line=$(grep -a '^quire: ' "$tmp/engine.err" | head -n 1)
	if [ -n "$line" ]; then echo "no: $line"
	elif [ "$native" != "$ours" ]; then echo "no: exit status $ours for $native"
	elif ! cmp -s "$tmp/native.out" "$tmp/engine.out"; then echo 'no: output differs'
	elif ! cmp -s "$tmp/native.err" "$tmp/engine.err"; then echo 'no: errors differ'
	fi
}

# one NAME PACKAGE COMMAND: a row of the table
one() {
	if ! [ "$(dpkg-query -W -f '${db:Status-Status}' "$2" 2>/dev/null)" = installed ]; then
		echo "| $1 | $2 | not installed | | | | |"
		return
	fi
	once_in native sh -c "$3" # files come into the page cache
	cp "$tmp/native.out" "$tmp/first.out"
	once_in native sh -c "$3"
	rm -f "$tmp/json"
	once_in engine "$quire" run --front engine -m "$machine" --json "$tmp/json" -o "$tmp/report" -- sh -c "$3"
	wrong=$(differs)
	cmp -s "$tmp/native.out" "$tmp/first.out" || wrong="${wrong:-yes}; natively it differs from run to run"
	[ -z "$wrong" ] || {
		echo "$1: $wrong" >&2
		diff -a "$tmp/native.err" "$tmp/engine.err" | head -n 5 | cut -c1-300 >&2
	}
	read -r faults cpu <"$tmp/native.cost"
	read -r own our_cpu <"$tmp/engine.cost"
	told=0
	[ ! -s "$tmp/json" ] || told=$(($(number minflt) + $(number major_faults)))
	awk -v name="$1" -v package="$2" -v wrong="${wrong:-yes}" -v a="$told" -v b="$faults" -v ours="$our_cpu" -v native="$cpu" \
		'BEGIN { printf "| %s | %s | %s | %d | %d | %+.1f %% | %.1f | %.0f |\n", name, package, wrong, b, a,
			b ? (a - b) * 100 / b : 0, native / 1000, ours / (native ? native : 1) }'
}

table() {
	echo '| program | package | as natively | faults natively | told | difference | CPU ms natively | times |'
	echo '|---|---|---|---:|---:|---:|---:|---:|'
	while read -r name package command; do
		case $name in '#'* | '') continue ;; esac
		case " ${names:-$name} " in *" $name "*) one "$name" "$package" "$command" ;; esac
	done <"$here/list"
}

names=$*
[ -z "$names" ] || { table; exit; }
table >"$tmp/table"
{
	cat <<-END
	# Real programs under the engine

	Made by \`make check-programs\` from tools/programs/list: each command natively, without address-space randomisation,
	and under \`quire run --front engine\` with one machine. "As natively": standard output, standard error and exit status
	are equal. Faults are those of the whole tree, minor and major: natively what getrusage tells of the children, told what
	the report says. Times: user and system CPU time of the run, Quire's start (about 50 ms a program) and simulator
	included, over native; a program that has many for a millisecond natively is a start, nothing else.

	END
	awk -F '|' 'NR > 2 && / not installed / { missing++ } NR > 2 && !/ not installed / { n++; right += $4 ~ /^ yes/
		d = $7; gsub(/[ %+-]/, "", d); near += $4 ~ /^ yes/ && d <= 2; }
		END { printf "%d programs (%d not installed here): %d as natively, %d of these with faults within 2 %%.\n\n",
			n, missing, right, near }' "$tmp/table"
	echo "Here: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r), machine \`$machine\`."
	echo
	cat "$tmp/table"
} >"$here/../../docs/programs.md"
grep -m 1 'as natively,' "$here/../../docs/programs.md"
