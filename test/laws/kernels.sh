#!/bin/sh
# SPDX-License-Identifier: MIT
# What make check-kernels says of what its guests printed: every case and skip is counted, and a guest or a program that
# dies is a failure. TAP output. usage: kernels.sh SOURCE_DIR
table=$1/tools/kernels/table.awk
n=0 bad=0
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

guest() { # guest FILE: its lines, on standard input
	cat >"$dir/$1"
}
# says NAME STATUS LINE...: the table of all guests has these lines, and the exit status is this.
says() {
	name=$1 wanted=$2 lacking=
	shift 2
	awk -f "$table" "$dir"/*.tap >"$dir/out"
	status=$?
	for line; do
		grep -qxF -- "$line" "$dir/out" || lacking="$lacking# lacks: $line
"
	done
	n=$((n + 1))
	if [ "$status" -eq "$wanted" ] && [ -z "$lacking" ]; then
		echo "ok $n - $name"
	else
		bad=1
		echo "not ok $n - $name (exit status $status)"
		printf %s "$lacking"
		sed 's/^/#   /' "$dir/out"
	fi
	rm "$dir"/*.tap
}

guest a.tap <<'END'
== kernel 6.1.1-1
== madvise probes
zero_page=yes
swap=no
== status 0
== madvise areas
4000 calls: equal
== status 0
== madvise scripts
ok 1 - a.vm
ok 2 - b.vm # SKIP cannot be run: needs la57 !swap, which this Linux lacks
ok 3 - c.vm # SKIP the host has no say
1..3
== status 0
== madvise lessons
ok 1 - d.vm
1..1
== status 0
== disk probes
zero_page=yes
swap=yes
== status 0
== end
END
guest b.tap <<'END'
== kernel 6.2.1-1
== max probes
zero_page=no
swap=no
== status 0
== max torture
ok 1 - seed 1
1..1
== status 0
== end
END
says 'two kernels' 0 '| 6.1.1-1 | madvise | 2 / 0 / 2 | 1 / 0 / 0 |  |  |' '| 6.1.1-1 | disk |  |  |  |  |' \
	'| 6.2.1-1 | max |  |  |  | 1 / 0 / 0 |' '| probe | 6.1.1-1 | 6.2.1-1 |' '| zero_page | yes | no |' \
	'| swap | no, disk: yes | no |' '- 6.1.1-1: la57 (1) !swap (1)' '- 6.2.1-1: nothing' '4 passed, 0 failed, 2 skipped'

guest a.tap <<'END'
== kernel 6.1.1-1
== always scripts
not ok 1 - a.vm (exit status 1)
#   /scripts/a.vm:3: the machines differ: simulated ok, Linux -EINVAL
#   more of it
not ok 2 - b.vm (exit status 134)
ok 3 - c.vm
1..3
== status 1
== always areas
seed 2 step 3: mremap
== status 1
== always place
== status 143
== always torture
1..0 # SKIP this Linux cannot
== status 77
== max torture
# 7:84 the machines differ
# shrinking 85 calls ...
not ok 1 - seed 7
# 84 calls
1..1
== status 1
== end
END
says 'failures' 1 '| 6.1.1-1 | always | 1 / 2 / 0 | 0 / 1 / 0 | 0 / 1 / 0 | 0 / 0 / 1 |' \
	'- 6.1.1-1, always, scripts a.vm (exit status 1): a.vm:3: the machines differ: simulated ok, Linux -EINVAL' \
	'- 6.1.1-1, always, scripts b.vm (exit status 134)' '- 6.1.1-1, always, areas: exit status 1: seed 2 step 3: mremap' \
	'- 6.1.1-1, always, place: ended after its time' '- 6.1.1-1, max, torture seed 7: 7:84 the machines differ' \
	'1 passed, 5 failed, 1 skipped'

guest a.tap <<'END'
== kernel 6.1.1-1
END
guest b.tap <<'END'
== kernel 6.2.1-1
== max scripts
ok 1 - a.vm
END
says 'guests that die' 1 '- 6.1.1-1, the guest did not come to its end' \
	'- 6.2.1-1, max, scripts: the guest did not come to its end' '0 passed, 2 failed, 0 skipped'
echo "1..$n"
exit $bad
