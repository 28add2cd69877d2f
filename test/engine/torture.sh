#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test/engine/torture.sh BUILD_DIR SECONDS: the engine for so long with seeds that nobody has tried: random instructions
# against the CPU (oracle.c), and random programs in a storm of signals (storm.c) natively and under the engine, as it is,
# with a small cache, with short blocks. Ends at the first difference, and says how to see it again.
build=$1
. "${0%/*}/../programs.sh"
end=$(($(date +%s) + $2)) seed=$(date +%s) rounds=0

different() {
	echo "torture: seed $seed: $1"
	exit 1
}

while [ "$(date +%s)" -lt "$end" ]; do
	"$build/test/engine/test-engine-oracle" $seed 5000 >"$tmp/out" || different "test-engine-oracle $seed 5000"
	us=$((20 + seed % 400))
	"$build/test/engine/storm" $seed 100 $us >"$tmp/want"
	for engine in engine/quire-engine test/engine/engine-small-cache test/engine/engine-short-blocks; do
		QUIRE_ENGINE=$build/$engine "$quire" run -m 4k -o /dev/null -- "$build/test/engine/storm" $seed 100 $us >"$tmp/out"
		# Whether a signal came is the last line.
		[ "$(sed '$d' "$tmp/want")" = "$(sed '$d' "$tmp/out")" ] ||
			different "QUIRE_ENGINE=$build/$engine quire run -- $build/test/engine/storm $seed 100 $us"
	done
	seed=$((seed + 1)) rounds=$((rounds + 1))
done
echo "torture: $rounds seeds, no difference"
