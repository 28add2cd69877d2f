#!/bin/sh
# SPDX-License-Identifier: MIT
# What broken.c breaks is found, and shrunk to a script of at most ten statements and expectations after the head, which
# the sound machine plays as it says. TAP output. usage: finds.sh TEST-TORTURE-BROKEN QUIRE
torture=$1 quire=$2
n=0 bad=0
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

for what in invlpg shootdown clear copy; do
	script=$folder/$what.vm
	: >"$script"
	n=$((n + 1))
	for seed in 1 2 3 4 5 6 7 8; do
		BROKEN=$what "$torture" --seed "$seed" --seeds 1 --out "$script" >"$folder/log" 2>&1 || break
	done
	lines=$(grep -cv -e '^#' -e '^\$a = 0x' "$script")
	if [ "$lines" -gt 0 ] && [ "$lines" -le 10 ] && "$quire" play "$script" >>"$folder/log" 2>&1; then
		echo "ok $n - $what is found: $lines lines"
	else
		bad=1
		echo "not ok $n - $what: $lines lines"
		sed 's/^/#   /' "$folder/log" "$script"
	fi
done
echo "1..$n"
exit $bad
