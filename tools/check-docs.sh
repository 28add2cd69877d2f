#!/bin/sh
# SPDX-License-Identifier: MIT
# Every `file:function` that a document names exists, and so does every `file` in our folders and every relative link.
# usage: check-docs.sh SOURCE-ROOT
set -eu
cd "$1"
bad=0
complain() {
	echo "$1" >&2
	bad=1
}

for doc in *.md mm/README.md docs/*.md; do
	# `dir/file.c:function`: a line that begins in column 0 with, or has right before a parenthesis, that name
	for ref in $(grep -o '`[a-z0-9_/]*\.[ch]:[a-z0-9_]*`' "$doc" | tr -d '`'); do
		file=${ref%%:*} function=${ref#*:}
		[ -f "$file" ] || { complain "$doc: $ref: no such file"; continue; }
		grep -Eq "^[a-z].*[ *]$function\(" "$file" || complain "$doc: $ref: no such function there"
	done
	for file in $(grep -oE '\b[a-z0-9]+/[a-z0-9_/-]+\.(c|h|sh|md)\b' "$doc" | sort -u); do
		[ ! -d "${file%%/*}" ] || [ -f "$file" ] || complain "$doc: $file: no such file" # in a room of ours
	done
	for link in $(grep -oE '\]\([^)#:]+\)' "$doc" | sed 's/^](//; s/)$//'); do
		[ -e "$(dirname "$doc")/$link" ] || complain "$doc: link to $link, which is not there"
	done
done

# The rows that docs/perf.md speaks of are counters.
for row in $(sed -nE 's/^\| (`[^|]*) \|.*/\1/p' docs/perf.md | grep -oE '`[a-z][a-z0-9_.]*`' | tr -d '`' | sort -u); do
	grep -q "\.json = \"$row\"" machine/counters.c || complain "docs/perf.md: $row is no counter"
done
exit "$bad"
