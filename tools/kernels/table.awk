# SPDX-License-Identifier: MIT
# What the guests of tools/kernels.sh printed (kernels/init) as tables in Markdown, what was skipped for want of what, what
# failed, and "N passed, N failed, N skipped". Exit status 1 when anything failed. usage: awk -f table.awk FILE.tap...

BEGIN {
	columns = split("scripts areas place torture", column, " ")
}
# A guest: of a kernel that the files before may have begun.
FNR == 1 {
	guest_ends()
	open = 1
	kernel = config = program = ""
}
function guest_ends() {
	if (open) {
		failure((program ? program ": " : "") "the guest did not come to its end")
		all_failed++
	}
	open = 0
}
function failure(text) {
	fails[++failures] = "- " kernel ", " (config ? config ", " : "") text
}
/^== kernel / {
	kernel = $3
	if (!(kernel in known)) {
		known[kernel] = 1
		kernels[++nr_kernels] = kernel
	}
	next
}
/^== end/ {
	open = 0
	next
}
/^== status / {
	program_ends($3)
	program = ""
	next
}
/^== / {
	config = $2
	program = $3
	good = bad = left = 0
	first = waiting = hint = ""
	cell = program ~ /^(scripts|lessons|files|swap)$/ ? "scripts" : program
	if (!((kernel, config) in row)) {
		row[kernel, config] = 1
		config_of[kernel, ++nr_configs[kernel]] = config
	}
	next
}
program == "probes" {
	split($0, answer, "=")
	if (!(answer[1] in probed)) {
		probed[answer[1]] = 1
		probes[++nr_probes] = answer[1]
	}
	probe[answer[1], kernel, config] = answer[2]
	next
}
waiting && /^#/ {
	sub(/^# +(\/[a-z]*\/)?/, "")
	failure(waiting ": " $0)
	waiting = ""
}
!first {
	first = $0
}
/^# [0-9]+:[0-9]+ / {
	hint = substr($0, 3) # torture says what went wrong before it says "not ok"
}
/^ok .*# SKIP/ {
	left++
	if (sub(/.*# SKIP (.* )?needs /, ""))
		lacks(kernel)
	next
}
/^ok / {
	good++
}
/^not ok / {
	bad++
	if (waiting)
		failure(waiting)
	sub(/^not ok [0-9]+ - /, "")
	waiting = program " " $0
	if (hint) {
		failure(waiting ": " hint)
		waiting = hint = ""
	}
	told = 0
}
# The properties that begin the line are lacking: "la57 !zero_page, which ...".
function lacks(k,   i, n, name) {
	sub(/[,:].*/, "")
	n = split($0, name, / +/)
	for (i = 1; i <= n; i++)
		if (lacking[k, name[i]]++ == 0)
			lack[k, ++nr_lacks[k]] = name[i]
}
# A program without lines for its cases is one test.
function program_ends(status) {
	if (program == "probes")
		return
	if (waiting)
		failure(waiting)
	if (status == 77 && !good)
		left += left ? 0 : 1
	else if (status == 0)
		good += good + left ? 0 : 1
	else if (!bad) {
		bad++
		failure(program (status == 143 ? ": ended after its time" : ": exit status " status ": " first))
	}
	passed[kernel, config, cell] += good
	failed[kernel, config, cell] += bad
	skipped[kernel, config, cell] += left
	ran[kernel, config, cell] = 1
	all_passed += good
	all_failed += bad
	all_skipped += left
}
function results(k, c,   i, text, at) {
	text = "| " k " | " c " |"
	for (i = 1; i <= columns; i++) {
		at = k SUBSEP c SUBSEP column[i]
		text = text " " (at in ran ? passed[at] " / " failed[at] " / " skipped[at] : "") " |"
	}
	return text
}
# The answer of the kernel's first configuration, and of each other that differs from it.
function answers(name, k,   i, base, text, c) {
	base = text = probe[name, k, config_of[k, 1]]
	for (i = 2; i <= nr_configs[k]; i++) {
		c = config_of[k, i]
		if (probe[name, k, c] != base)
			text = text ", " c ": " probe[name, k, c]
	}
	return text
}
END {
	guest_ends()
	print "| kernel | configuration | scripts | areas | place | torture |\n|---|---|---|---|---|---|"
	for (i = 1; i <= nr_kernels; i++)
		for (j = 1; j <= nr_configs[kernels[i]]; j++)
			print results(kernels[i], config_of[kernels[i], j])
	printf "\n| probe |"
	for (i = 1; i <= nr_kernels; i++)
		printf " %s |", kernels[i]
	printf "\n|---|"
	for (i = 1; i <= nr_kernels; i++)
		printf "---|"
	print ""
	for (j = 1; j <= nr_probes; j++) {
		printf "| %s |", probes[j]
		for (i = 1; i <= nr_kernels; i++)
			printf " %s |", answers(probes[j], kernels[i])
		print ""
	}
	print "\nSkipped for want of (docs/scripts.md: where Linuxes differ):\n"
	for (i = 1; i <= nr_kernels; i++) {
		printf "- %s:", kernels[i]
		for (j = 1; j <= nr_lacks[kernels[i]]; j++)
			printf " %s (%d)", lack[kernels[i], j], lacking[kernels[i], lack[kernels[i], j]]
		print nr_lacks[kernels[i]] ? "" : " nothing"
	}
	print failures ? "\nWhat failed:\n" : ""
	for (i = 1; i <= failures; i++)
		print fails[i]
	printf "%d passed, %d failed, %d skipped\n", all_passed, all_failed, all_skipped
	exit failures > 0
}
