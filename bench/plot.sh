#!/bin/sh
# SPDX-License-Identifier: MIT
# Draws the curves of bench-vma, bench-fault and bench-reclaim from the tables that they left in the build folder:
# bench/vma.svg, fault.svg, reclaim.svg there. Both axes are logarithmic, so a straight line is a power of the size, a flat
# one a cost that does not grow.
# usage: plot.sh BUILD-FOLDER
set -eu

command -v gnuplot > /dev/null || { echo "plot: no gnuplot here, skipped; tools/setup.sh --bench installs it"; exit 0; }
build=$1
cd "$build/bench"

# draw NAME TITLE X-LABEL CURVES Y-RANGE X-AXIS: CURVES as gnuplot's plot takes them, X-AXIS a command
draw() {
	gnuplot <<- END
		set terminal svg size 800,500 font "sans-serif,14" background "white"
		set output "$1.svg"
		set title "$2"
		set xlabel "$3"
		set ylabel "ns of CPU time"
		set logscale xy
		set grid
		set key top left
		set style data linespoints
		set pointsize 0.7
	set linetype cycle 8
	do for [i=1:8] { set linetype i linewidth 2 }
	set linetype 5 linecolor rgb "#777777"
		set yrange [$5]
		$6
		plot $4
	END
	echo "  $build/bench/$1.svg"
}

draw vma 'Areas: cost of an operation' 'areas' \
	'"bench-vma.txt" skip 1 using 1:2 title "find", "" skip 1 using 1:3 title "insert + erase", \
	"" skip 1 using 1:4 title "search a hole"' '1:10000' 'set format x "10^{%T}"'
draw fault 'A page fault: cost against memory' 'simulated RAM, and area in it' \
	'"bench-fault.txt" skip 1 using 1:3 title "first touch", "" skip 1 using 1:5 title "again: tables are there"' \
	'10:10000' 'set logscale x 2; set xtics ("1 MiB" 1, "16 MiB" 16, "256 MiB" 256, "4 GiB" 4096, "64 GiB" 65536, "1 TiB" 1048576)'
curves=
for policy in lru2 mglru clock fifo random; do
	curves="$curves \"< grep ^$policy bench-reclaim.txt\" using 2:3 title \"$policy\","
done
draw reclaim 'Reclaim: cost of a page against memory' 'pages' \
	"$curves \"< grep ^lru2 bench-reclaim.txt\" using 2:4 title \"lru2, swap-in\"" '10:10000' 'set format x "10^{%T}"; set xrange [1000:*]'
