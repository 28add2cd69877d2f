#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Predicted and measured: what six pieces of work cost more in one way than in another (test/programs/ab.c).

Measured: CPU time of the way a less that of b, natively, runs of both in turn, the median of each.
Predicted: the bill of a less that of b, under quire run, with the costs that quire measure found here. Without the
interrupts that other CPUs answer: what is measured is the CPU time of the first thread and the children.
Writes a table in Markdown. usage: validate.py BUILD-FOLDER [SECONDS-FOR-MEASURE [NATIVE-RUNS]]
"""
import json
import statistics
import subprocess
import sys
import tempfile

WORKS = ("chase", "random", "touch", "populate", "spawn", "protect")


def natively(program, work, way):
    return float(subprocess.run([program, work, way], check=True, stdout=subprocess.PIPE).stdout)


def price(costs, name):
    """Least and most of a row of a file of costs; None where it is not."""
    with open(costs) as f:
        for line in f:
            row, _, figures = line.split("#")[0].partition("=")
            if row.strip() == name:
                return [int(figure) for figure in figures.split()]
    return None


def bill(quire, program, work, way, machine, costs, cpu, out):
    command = [quire, "run", "--front", "engine", "--costs", costs, "-m", machine, "--json", out, "-o", "/dev/null"]
    subprocess.run(command + (["--cpu", cpu] if cpu else []) + ["--", program, work, way], check=True,
                   stdout=subprocess.DEVNULL)
    with open(out) as f:
        machine = json.load(f)["machines"][0]
    cost, ipi = machine["cost"]["sum"], price(costs, "ipi") or [0, 0]
    return cost["least"] - machine["ipis"] * ipi[0], cost["most"] - machine["ipis"] * ipi[1]


def main():
    build = sys.argv[1]
    seconds = sys.argv[2] if len(sys.argv) > 2 else "100"
    runs = int(sys.argv[3]) if len(sys.argv) > 3 else 9
    quire, program = build + "/cli/quire", build + "/test/programs/ab"
    with tempfile.TemporaryDirectory() as folder:
        costs, found, out = folder + "/here.costs", folder + "/found.json", folder + "/run.json"
        subprocess.run([quire, "measure", "--seconds", seconds, "--save", costs, "--json", found], check=True,
                       stdout=subprocess.DEVNULL)
        with open(found) as f:
            here = json.load(f)
        hertz, cpu = here["clock"]["core_hz"], (here["model"] or {}).get("preset")
        nested = price(costs, "nested-walk") is not None
        machine = "madvise,host-page=4k" if nested else "madvise"
        print(f"{here['host']['cpu']}, Linux {here['host']['kernel']}, {here['host']['hypervisor'] or 'no hypervisor'}, "
              f"load {here['host']['load']:.0f} on {here['host']['cpus_online']} CPUs; machine {machine}, "
              f"cpu {cpu or 'zen3'}; million cycles\n")
        print("| work | measured | predicted | most / least | encloses |\n|---|---|---|---|---|")
        for work in WORKS:
            took = {"a": [], "b": []}
            for _ in range(runs):
                for way in took:
                    took[way].append(natively(program, work, way))
            measured = (statistics.median(took["a"]) - statistics.median(took["b"])) * hertz / 1e6
            a, b = (bill(quire, program, work, way, machine, costs, cpu, out) for way in ("a", "b"))
            low, high = sorted(((a[0] - b[0]) / 1e6, (a[1] - b[1]) / 1e6))
            print(f"| {work} | {measured:,.0f} | {low:,.0f} .. {high:,.0f} | "
                  f"{high / low if low > 0 else float('inf'):.1f} | {'yes' if low <= measured <= high else 'NO'} |",
                  flush=True)


main()
