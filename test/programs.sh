# SPDX-License-Identifier: MIT
# What the scripts that run programs under `quire run` begin with: `. programs.sh`, with $build set to the build folder.
# TAP: n tests so far, bad is 1 when one failed. QUIRE_FRONT says by which front end; where that is not here (no QEMU that
# takes plugins), all is skipped, with quire's own words.
quire=$build/cli/quire
programs=$build/test/programs
n=0 bad=0
LC_ALL=C
export LC_ALL
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

skip_all() { echo "1..0 # SKIP $1"; exit 0; }
if ! "$quire" run -m 4k -o /dev/null -- true 2>"$tmp/err" && grep -qE 'without plugins|not found|built without' "$tmp/err"; then
	skip_all "needs front_${QUIRE_FRONT:-engine}: $(head -n 1 "$tmp/err")"
fi

# verdict STATUS NAME: one test. What went wrong is in these files.
verdict() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else
		bad=1
		echo "not ok $n - $2"
		for file in err out report; do
			[ ! -f "$tmp/$file" ] || sed 's/^/# /' "$tmp/$file" | head -n 20
		done
	fi
}

# number KEY [K]: the K-th (first) of that name in the JSON
number() { sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" "$tmp/json" | sed -n "${2-1}p"; }

# For what compares page faults with this Linux: $faults counts them natively (test/host/faults.c); $machine is as the
# probes find this Linux.
like_this_linux() {
	faults=$build/test/host/faults
	"$faults" -n 1 -- true >/dev/null 2>&1 || skip_all 'personality() or vfork() is not allowed here'
	"$quire" play --probe >"$tmp/probes"
	machine=4k
	! grep -qx huge_advised=yes "$tmp/probes" || machine=madvise
	! grep -qx huge_unasked=yes "$tmp/probes" || machine=thp
	for key in zero_page merge_unfaulted huge_zero_write swapin_writable; do
		! grep -qx "$key=no" "$tmp/probes" || machine=$machine,$(echo $key | tr _ -)=off
	done
}

# Every script's last line.
finish() {
	echo "1..$n"
	exit $bad
}
