#!/bin/sh
# SPDX-License-Identifier: MIT
# Each script of a folder is one test, in a process of its own. TAP output; exit 1 when one fails.
# usage: cases.sh QUIRE FOLDER [OPTION-OF-QUIRE-PLAY...]
quire=$1 folder=$2
shift 2
n=0 bad=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

for script in "$folder"/*.vm; do
	n=$((n + 1))
	file=${script##*/}
	"$quire" play --quiet "$@" "$script" >"$log" 2>&1
	status=$?
	case $status in
	0) echo "ok $n - $file" ;;
	77) echo "ok $n - $file # SKIP $(sed -n 's/^# host: no, //p' "$script") $(cat "$log")" ;;
	*)
		bad=1
		echo "not ok $n - $file (exit status $status)"
		sed 's/^/#   /' "$log"
		;;
	esac
done
echo "1..$n"
exit $bad
