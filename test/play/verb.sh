#!/bin/sh
# SPDX-License-Identifier: MIT
# `quire play` as a user meets it: exit statuses, messages, answers, explanations, a host that differs. TAP output.
# usage: verb.sh QUIRE
quire=$1
n=0 bad=0
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

verdict() { # verdict STATUS NAME
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		bad=1
		echo "not ok $n - $2"
		sed 's/^/#   /' "$dir/out"
	fi
}
# play STATUS PATTERN NAME OPTION...: the script on standard input, after a head of three lines, ends with this status
# and says this.
play() {
	status=$1 pattern=$2 name=$3
	shift 3
	{
		echo "# name: test"
		echo "# expect: ${expect-pass}"
		echo "# host: no, it is a test of the verb"
		cat
	} >"$dir/s.vm"
	"$quire" play "$@" "$dir/s.vm" >"$dir/out" 2>&1
	[ $? -eq "$status" ] && grep -qE -- "$pattern" "$dir/out"
	verdict $? "$name"
}
explained() { # explained PATTERN NAME: the output before says this, too
	grep -qE -- "$1" "$dir/out"
	verdict $? "explained: $2"
}

play 0 's\.vm: as expected$' 'a script that comes out' <<'END'
$a = mmap 4K rw
END
play 1 's\.vm:7: expected value 2, got value 1 \(simulated\)$' 'a failure: file, line, what was expected, what happened' <<'END'
$a = mmap 4K rw
write $a 1
read $a
expect value 2
END
play 1 's\.vm:4: unexpected: -EINVAL$' 'an error that nobody expects' <<'END'
mmap 0 rw
END
play 1 's\.vm:5: expected signal SEGV_MAPERR at 0x1000, got signal SEGV_MAPERR at 0x2000' 'another address' <<'END'
read 0x2000
expect signal SEGV_MAPERR at 0x1000
END
play 1 's\.vm:5: expected signal SEGV_ACCERR, got signal SEGV_MAPERR' 'another signal' <<'END'
read 0x2000
expect signal SEGV_ACCERR
END
play 1 's\.vm:5: expected maps "w\|r", got "ww"' 'another picture' <<'END'
$a = mmap 8K rw
expect maps $a "w|r"
END
play 1 's\.vm:6: expected rss 8K, got 4K' 'another size' <<'END'
$a = mmap 8K rw
write $a 1
expect rss 8K
END
play 1 's\.vm:6: expected fault zero-read, got zero-write' 'another cause' <<'END'
$a = mmap 8K rw
write $a 1
expect fault zero-read
END
play 1 's\.vm:6: the entry of 0x[0-9a-f]+ is 4K: P RW US A D NX' 'another bit' <<'END'
$a = mmap 8K rw
write $a 1
expect pte $a !D
END
expect='fail 4'
play 1 's\.vm: nothing failed, and the script says: expect: fail 4' 'a failure that does not come' <<'END'
mmap 4K rw
END
expect=malformed
play 1 'well-formed, and the script says' 'a mistake that is not there' <<'END'
mmap 4K rw
END
expect=pass
play 2 "s\.vm:4: 'frobnicate' is no statement" 'a script that is malformed' <<'END'
frobnicate
END
play 77 'not compared with Linux: it is a test of the verb' 'a script that is not for the host' --verify-on-host <<'END'
$a = mmap 4K rw
END
play 0 'right$' 'the right answer' --answer 2 <<'END'
$a = mmap 8K rw
read $a over 8K
question "How many?"
answer faults 3
END
play 1 'not right$' 'a wrong answer' --answer 4 <<'END'
$a = mmap 8K rw
read $a over 8K
question "How many?"
answer faults 2
END
play 125 'No such file' 'a file that is not there' "$dir/none.vm" <<'END'
$a = mmap 8K rw
END

# 0x208040403000: indexes 65, 1, 2, 3 (bits 47..39, 38..30, 29..21, 20..12).
play 0 'PML4 65, PDPT 1, PD 2, PT 3, offset 5' 'explained: the address' --step <<'END'
$a = mmap 8K rw noreplace 0x208040403000
write $a+5 1
read $a
read $a+4K
write $a+4K 2
munmap $a 4K
END
explained 'CR2 = 0x208040403005, error code 0x6 = not present \| write \| user' 'the page fault of a write'
explained 'reads 4 entries' 'a whole walk'
explained 'PT\[  3\] 0x8[0-9a-f]{15}: page at 0x[0-9a-f]+  P RW US A D NX' 'the bits of an entry'
explained 'TLB hit, level 1, a 4K entry' 'a hit'
explained 'the paging-structure caches know the PD entry: the walk begins at the PT and reads 1 entry' 'a shortcut'
explained 'error code 0x4 = not present \| read \| user' 'the page fault of a read'
explained "TLB's entry does not serve" 'an entry without the right'
explained 'error code 0x7 = a right is missing \| write \| user' 'the page fault of a write to the zero page'
explained 'row 5' 'the row of the fault table'
explained 'flushed: 1 page, one INVLPG each' 'a flush'

# A Linux that does something else: one where the process may not map so much.
cat >"$dir/s.vm" <<'END'
# name: a host that differs
# expect: pass
$a = mmap 4K rw
$b = mmap 64G rw noreserve
END
(ulimit -v 33554432 && "$quire" play --verify-on-host "$dir/s.vm") >"$dir/out" 2>&1
status=$?
if [ $status -eq 77 ] || grep -q Sanitizer "$dir/out"; then
	n=$((n + 1))
	echo "ok $n - a difference is found # SKIP no comparison here"
else
	[ $status -eq 1 ] && grep -qE 's\.vm:4: the machines differ: simulated 0x[0-9a-f]+, Linux -ENOMEM' "$dir/out"
	verdict $? 'a difference is found'
fi

# What a script needs, and this Linux has not or has: one of the two is skipped, with the reason.
for need in zero_page '!zero_page'; do
	printf '# name: needs\n# expect: pass\n# host: needs advice_populate %s\n$a = mmap 4K rw\n' "$need" >"$dir/s.vm"
	"$quire" play --verify-on-host "$dir/s.vm" >"$dir/out" 2>&1
	echo "$? $(sed -n "s/.*cannot be run: needs $need, and here it is \\(yes\\|no\\)$/\\1/p" "$dir/out")"
done | sort >"$dir/both"
printf '0 \n77 yes\n' >"$dir/yes" # it has the zero page
printf '0 \n77 no\n' >"$dir/no"
cmp -s "$dir/both" "$dir/yes" || cmp -s "$dir/both" "$dir/no"
verdict $? 'a script with a need that is not met is skipped'
# A kernel that this Linux is not: the same.
for value in on off; do
	printf '# name: variant\n# expect: pass\n# machine: zero-page=%s\n$a = mmap 4K rw\nread $a\n' $value >"$dir/s.vm"
	"$quire" play --verify-on-host "$dir/s.vm" >>"$dir/out" 2>&1
	echo $?
done | sort | tr '\n' ' ' >"$dir/both"
[ "$(cat "$dir/both")" = '0 77 ' ]
verdict $? 'a machine that is another Linux is not compared with this one'
printf '# name: x\n# expect: pass\n# host: needs no_such_thing\nmmap 4K rw\n' >"$dir/s.vm"
"$quire" play "$dir/s.vm" >"$dir/out" 2>&1
[ $? -eq 2 ] && grep -q "s.vm:3: host: 'quire play --probe' knows no no_such_thing" "$dir/out"
verdict $? 'a need that nobody knows is malformed'

# Every probe is printed with an answer, and has its line in the document.
"$quire" play --probe >"$dir/out" 2>&1 && [ "$(wc -l <"$dir/out")" -gt 20 ] && ! grep -vE '^[a-z0-9_]+=(yes|no|unknown)$' "$dir/out" &&
	for name in $(sed 's/=.*//' "$dir/out"); do
		grep -q "^| \`$name\` |" "${0%/*}/../../docs/scripts.md" || { echo "$name is not in docs/scripts.md" >>"$dir/out"; false; break; }
	done
verdict $? 'probes: printed, and told of'
echo "1..$n"
exit $bad
