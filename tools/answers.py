#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The three questions, answered with figures of today: docs/answers.md, on standard output.

Simulated figures are the same on every machine; those that are measured (quire measure) are this one's.
usage: answers.py BUILD-FOLDER PLOT.svg [SECONDS-FOR-MEASURE]
"""
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap

CPUS = ("zen3", "skylake", "goldencove")
PAGES = ("4k", "2m", "1g")
MIB = (8, 64, 512, 1024)
READS = 200_000
KINDS = {  # of a page fault: what it consists of besides the exception (quire costs), and what quire measure times
    "read of empty memory, the zero page": (("fault-zero-read",), "fault.anon.read"),
    "first write, 4K": (("fault-zero-write", "clear-4k"), "fault.anon.write"),
    "first write, 2M": (("fault-zero-write", "clear-2m"), "fault.thp.write"),
    "a file's page in the page cache": (("fault-file",), "fault.file"),
    "write after fork, copied": (("fault-cow-copy", "copy-4k"), "fault.cow.copy"),
    "write after fork, nobody else has it": (("fault-cow-reuse",), "fault.cow.reuse"),
}
KPTI = (("off", "4k,kpti=off"), ("on, PCID", "4k,kpti=on"), ("on, no PCID", "4k,kpti=on,pcid=off"))


def simulated(quire, machines, program, out, *options):
    command = [quire, "run", "--json", out, "-o", "/dev/null", *options]
    for m in machines:
        command += ["-m", m]
    subprocess.run(command + ["--", *program], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(out) as f:
        return json.load(f)


def number(n):
    """To two digits, as the report does it."""
    if n == 0:
        return "0"
    for unit, of in (("G", 1e9), ("M", 1e6), ("k", 1e3), ("", 1)):
        if abs(n) >= of:
            return f"{n / of:.1f}{unit}" if abs(n) / of < 9.95 and unit else f"{n / of:.0f}{unit}"
    return f"{n:.1f}"


def span(least, most, digits=None):
    show = number if digits is None else lambda n: f"{n:,.{digits}f}"
    return show(least) if show(least) == show(most) else f"{show(least)} .. {show(most)}"


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def reads_alone(quire, program, mib, host, out):
    """Walks and their cycles a read, by machine: what the fill of the memory takes is taken off."""
    machines = [f"{page},cpu={cpu},host-page={host}" for cpu in CPUS for page in PAGES]
    with_reads, without = (simulated(quire, machines, [program, str(mib), str(n), "1024"], out)["machines"]
                           for n in (READS, 0))
    for m, fill in zip(with_reads, without):
        cycles = [max(0, sum(m["cost"][row][end] - fill["cost"][row][end]
                             for row in ("walks", "walks_nested", "l2_tlb_hits"))) / READS for end in ("least", "most")]
        yield max(0, m["mmu"]["walks"]["data"] - fill["mmu"]["walks"]["data"]) / READS, cycles


def reach(quire, build, out):
    for host, title in (("none", "On bare metal"), ("4k", "In a virtual machine whose host has 4K pages"),
                        ("2m", "In one whose host has 2M pages")):
        columns = [list(reads_alone(quire, build + "/test/programs/random", mib, host, out)) for mib in MIB]
        print(f"{title}: walks a read, and cycles of translation a read.\n")
        rows = []
        for n, (cpu, page) in enumerate((cpu, page) for cpu in CPUS for page in PAGES):
            cells = ["-" if page == "1g" and mib < 1024 else f"{walks:.2f}: {span(*cycles, 0)}"
                     for mib, (walks, cycles) in ((mib, column[n]) for mib, column in zip(MIB, columns))]
            rows.append([cpu, page.upper(), *cells])
        table(["CPU", "pages", *(f"{mib} MiB" if mib < 1024 else f"{mib // 1024} GiB" for mib in MIB)], rows)


def costs_of(quire, cpu):
    text = subprocess.run([quire, "costs", "--cpu", cpu], check=True, stdout=subprocess.PIPE, text=True).stdout
    found = re.findall(r"^([a-z0-9-]+) +([0-9]+)(?: \.\. ([0-9]+))? cycles", text, re.M)
    return {name: (int(least), int(most or least)) for name, least, most in found}


def measured(here, name):
    figure = here["figures"].get(name, {})
    return f"{figure['least']:,.0f}" if "least" in figure else "-"


def say(here, about):
    """What quire measure says of it, in its words."""
    for word in here["words"]:
        if re.search(about, word):
            print(textwrap.fill(word, 118) + "\n")


def faults(quire, here):
    cost = costs_of(quire, "zen3")
    rows = []
    for title, (parts, name) in KINDS.items():
        sides = [cost[p] for p in ("exception", *parts)]
        handler, copies = sides[1], sides[2] if len(sides) > 2 else None
        rows.append([title, span(*cost["exception"], 0), span(*handler, 0), span(*copies, 0) if copies else "",
                     span(sum(s[0] for s in sides), sum(s[1] for s in sides), 0), measured(here, name)])
    table(["fault", "exception and return", "handler", "clear or copy", "sum", "measured here"], rows)


def kpti(quire, build, out):
    work = (("system calls", "dd, a byte a call", ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=30000"]),
            ("page faults", "new memory, touched in 4K", [build + "/test/programs/ab", "touch", "a"]),
            ("computing", "random reads of 64 MiB, 4 million", [build + "/test/programs/random", "64", "4000000"]))
    rows = []
    for kind, what, program in work:
        run = simulated(quire, [m for _, m in KPTI], program, out)
        base = run["machines"][0]
        entries = sum(base["kernel_entries"].values())
        cells = [f"{kind}: {what}", number(run["program"]["instructions"] / entries)]
        for m in run["machines"][1:]:
            least, most = (m["cost"]["sum"][end] - base["cost"]["sum"][end] for end in ("least", "most"))
            cells.append(f"{span(least / entries, most / entries, 0)} ({span(least, most)})")
        rows.append(cells)
    table(["program", "instructions an entry", *(f"KPTI {name}" for name, _ in KPTI[1:])], rows)


def main():
    build, plot = sys.argv[1], sys.argv[2]
    seconds = sys.argv[3] if len(sys.argv) > 3 else "100"
    quire = build + "/cli/quire"
    with tempfile.TemporaryDirectory() as folder:
        out, found = folder + "/run.json", folder + "/found.json"
        subprocess.run([quire, "measure", "--seconds", seconds, "--json", found, "--plot", plot], check=True,
                       stdout=subprocess.DEVNULL)
        with open(found) as f:
            here = json.load(f)
        host = here["host"]
        print(f"""# Three questions

    make answers

writes this page. What is simulated is the same everywhere; what is measured is this machine's, by `quire measure`:
{host['cpu']}, Linux {host['kernel']}, {host['hypervisor'] or 'no hypervisor'}, KPTI {'on' if host['kpti'] else 'off'}, \
PCID {'there' if host['pcid'] else 'not there'}, load {host['load']:.0f} on {host['cpus_online']} CPUs, \
{datetime.date.today():%-d %B %Y}.
Cycles are the core's, intervals from all overlapped to nothing; where each comes from: [costs.md](costs.md).

## How do 2M and 1G pages affect the TLB?

An entry of the TLB translates a page, whatever its size; so larger pages reach further, and their walks are shorter by a
level each. A program that stays within the reach gains nothing. {READS:,} reads at random (test/programs/random.c), the
filling taken off:
""")
        reach(quire, build, out)
        print(f"""A larger page of the guest over 4K pages of the host makes walks shorter and reaches no further: the CPU keeps the
smaller of the two sizes.

Measured here, loads that wait for each other, one a page (`quire measure --plot`):

![cycles a load by size of memory, in 4K and in 2M pages]({os.path.basename(plot)})
""")
        say(here, "[Hh]uge pages")
        print("""## What does a page fault cost?

The exception and its return are the smaller part. The kernel's handler is most of a small page's fault, clearing nearly
all of a huge one's. By the cost table for zen3, in cycles, and measured on this machine:
""")
        faults(quire, here)
        say(here, "first write")
        print("""Published: exception and return take 715 + 330 cycles on Haswell (L. Torvalds, 2014), and were 5 % of a build of the
kernel. What a fault costs *a program* is their number times this, and the caches that the kernel's own data took: the
report's table of costs has a row a kind.

## What does KPTI do to the kernel/user split?

The program's tables hold no more of the kernel than its entries. Each entry loads CR3, and each return again; with PCIDs the
TLB keeps both halves, without them each load empties it, and the program's next accesses walk. What it adds, in cycles
an entry to the kernel, and in all; on zen3, by `kpti=` and `pcid=` of a machine:
""")
        kpti(quire, build, out)
        print("""So what matters is how often a program enters the kernel. Published: a system call took 339 ns without and 478 ns with
KPTI and PCID on Haswell (FreeBSD, D13985); PostgreSQL, read-only, lost 7 to 17 % with PCID and 16 to 23 % without.""")


main()
