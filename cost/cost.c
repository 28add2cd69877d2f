/* SPDX-License-Identifier: MIT
 *
 * cost/cost.c - the rows: what each event costs, on which CPU that was measured, and who says so.
 *
 * A row holds for all CPUs unless `cpu_rows` has one of its own for the CPU's name: then that. So most rows are what one
 * CPU measured or what was published of one, and `on` says which: nobody has measured all of them on every CPU.
 * `quire costs` prints them, `--costs FILE` replaces any of them by what you measured.
 *
 * Sources that come up again:
 *   Milan VM     this project's own measurements: EPYC Milan (Zen 3), a virtual machine whose host backs it with 4K
 *                pages, Linux 6.18, 3.0 GHz; per-task cycle counters, or the TSC times 1.35; several runs, least to most.
 *                A fault there costs more than on bare metal, as its walks are nested
 *   Turin VM     the same: EPYC Turin (Zen 5), a virtual machine whose host backs it with 4K pages, Linux 6.18, 4.1 GHz;
 *                quire measure on 27 November 2026
 *   Torvalds     L. Torvalds 2014, plus.google.com/+LinusTorvalds/posts/YDKRFDwHwr6: an exception and its IRET on Haswell
 *   NewMemLat    latency measurements in github.com/InstLatx64/InstLatx64
 *   What is split up (a fault of 6,475..7,307 cycles = exception + handler + clearing) is split by subtraction of the
 *   other parts, the least of them where the most is wanted.
 */
#include "cost/cost.h"

#include <string.h>

#define VM_MILAN "Zen 3"

const struct cost_kind cost_kinds[COST_NR] = {
    [COST_L2_TLB_HIT] = {"l2-tlb-hit", "cycles", "an access that the L2 TLB serves, over one that the L1 TLB does"},
    [COST_WALK_L2] = {"walk-l2", "cycles", "an entry that a page walk reads from the L1 or L2 cache"},
    [COST_WALK_L3] = {"walk-l3", "cycles", "the same from L3"},
    [COST_WALK_MEMORY] = {"walk-memory", "cycles", "the same from memory"},
    [COST_WALKS_AT_ONCE] = {"walks-at-once", "walks", "the least of these is divided by it: walks that overlap"},
    [COST_NESTED_WALK] = {"nested-walk", "cycles",
			  "an address that a walk takes to the host's tables, beyond the entries that it reads there"},
    [COST_EXCEPTION] = {"exception", "cycles", "a page fault's exception and return, without a handler"},
    [COST_FAULT_ZERO_READ] = {"fault-zero-read", "cycles", "handling a read of empty memory: the zero page"},
    [COST_FAULT_ZERO_WRITE] = {"fault-zero-write", "cycles", "handling a write to empty memory, without clearing"},
    [COST_FAULT_FILE] = {"fault-file", "cycles",
			 "handling a fault on a file's page in the page cache, or on 16 around"},
    [COST_FAULT_COW_COPY] = {"fault-cow-copy", "cycles", "handling a write to a shared page, without copying"},
    [COST_FAULT_COW_REUSE] = {"fault-cow-reuse", "cycles", "handling a write to a page that is shared no more"},
    [COST_FAULT_SWAP] = {"fault-swap", "cycles", "handling a fault on a swapped page, without waiting"},
    [COST_FAULT_SPURIOUS] = {"fault-spurious", "cycles", "handling a fault that finds nothing to do"},
    [COST_SIGNAL] = {"signal", "cycles",
		     "a fault that ends in SIGSEGV or SIGBUS, caught: delivery, and perhaps sigreturn"},
    [COST_POPULATE] = {"populate", "cycles", "a page that the kernel faults in itself, without clearing: MAP_POPULATE"},
    [COST_CLEAR_4K] = {"clear-4k", "cycles", "a 4K page cleared"},
    [COST_CLEAR_2M] = {"clear-2m", "cycles", "a 2M page cleared"},
    [COST_CLEAR_1G] = {"clear-1g", "cycles", "a 1G page cleared"},
    [COST_COPY_4K] = {"copy-4k", "cycles", "a 4K page copied"},
    [COST_COPY_2M] = {"copy-2m", "cycles", "a 2M page copied"},
    [COST_TABLE] = {"table", "cycles", "a page table made: a page, cleared"},
    [COST_INVLPG] = {"invlpg", "cycles", "an INVLPG; that its page is walked for again is in the walks"},
    [COST_INVPCID] = {"invpcid", "cycles", "an INVPCID"},
    [COST_CR3] = {"cr3", "cycles", "a MOV to CR3; what it flushes is in the walks"},
    [COST_SHOOTDOWN] = {"shootdown", "cycles", "a flush asked of other CPUs: the waiting of who asks"},
    [COST_IPI] = {"ipi", "cycles", "an interrupt by which a CPU is asked to flush"},
    [COST_SYSTEM_CALL] = {"system-call", "cycles",
			  "into the kernel and out by SYSCALL; what the call does is not in it"},
    [COST_TICK] = {"tick", "cycles", "into the kernel and out by an interrupt"},
    [COST_THREAD_SWITCH] = {"thread-switch", "cycles", "a CPU that goes from one thread to another; CR3 apart"},
    [COST_FORK] = {"fork", "cycles", "a fork, the child's exit and the wait included, its pages apart"},
    [COST_FORK_4K] = {"fork-4k", "cycles", "an entry of 4K that fork copies"},
    [COST_FORK_2M] = {"fork-2m", "cycles", "an entry of 2M that fork copies"},
    [COST_MAP_CALL] = {"map-call", "cycles", "a call that maps, unmaps or changes areas; its pages apart"},
    [COST_UNMAP_4K] = {"unmap-4k", "cycles", "an entry of 4K that goes, its page freed"},
    [COST_UNMAP_2M] = {"unmap-2m", "cycles", "an entry of 2M that goes, its page freed"},
    [COST_UNMAP_LEFT] = {"unmap-left", "cycles", "an entry that goes while its page stays: shared, or a file's"},
    [COST_PROTECT_PAGE] = {"protect-page", "cycles", "an entry that gets other rights"},
    [COST_SPLIT] = {"split", "cycles", "a huge page that is cut into small ones"},
    [COST_COLLAPSE] = {"collapse", "cycles", "small pages that become a huge one, copying apart"},
    [COST_MIGRATE] = {"migrate", "cycles", "a page that compaction moves, copying apart"},
    [COST_RECLAIM] = {"reclaim", "cycles", "a 4K frame that reclaim frees, its entries unmapped"},
#define DEVICE(NAME, name)                                                                                             \
	[COST_##NAME##_READ] = {name "-read", "ns", "a read of " name " until its first byte"},                        \
	[COST_##NAME##_READ_PAGE] = {name "-read-page", "ns", "each 4K of it"},                                        \
	[COST_##NAME##_WRITE] = {name "-write", "ns", "a write to " name " until its first byte is taken"},            \
	[COST_##NAME##_WRITE_PAGE] = {name "-write-page", "ns", "each 4K of it"}
    DEVICE(NVME, "nvme"),
    DEVICE(SATA, "sata"),
    DEVICE(HDD, "hdd"),
    DEVICE(ZRAM, "zram"),
    [COST_CLOCK] = {"clock", "MHz", "what makes cycles of a time: waiting for a device, --time"},
    [COST_WORK] = {"work", "cycles", "1000 instructions of the program, translation apart: where no time is known"},
};

#define BYTES_PER_SEC(n) (4096000000000ull / (n)) /* ns for a page */

/* What holds for every CPU that has no row of its own. */
static const struct cost common[COST_NR] = {
    [COST_L2_TLB_HIT] = {0, 9, "-", "a CPU without rows of its own: the range of those that have"},
    [COST_WALK_L2] = {5, 26, "-", "a CPU without rows of its own: the range of those that have"},
    [COST_WALK_L3] = {40, 94, "-", "a CPU without rows of its own: the range of those that have"},
    [COST_WALK_MEMORY] = {258, 668, "-", "a CPU without rows of its own: the range of those that have"},
    [COST_WALKS_AT_ONCE] = {2, 2, "-", "a CPU without rows of its own: the fewest of those that have"},
    [COST_NESTED_WALK] =
	{0, 51, VM_MILAN,
	 "Milan VM, chases: the host's half takes 14 (2M pages) to 70 cycles near, an entry of it 12 to 19"},
    [COST_EXCEPTION] = {1050, 1150, "Haswell, Zen 3", "Torvalds: 715 + 330; Milan VM: the profile of zero-page faults"},
    [COST_FAULT_ZERO_READ] = {800, 2400, "Intel 11th gen, Zen 3",
			      "whole fault 1,842 at least on an i7 of the 11th generation, Linux 6.6 "
			      "(ddumbying.vercel.app/experiments/pagefault-latency), 2,850..3,484 on the Milan VM"},
    [COST_FAULT_ZERO_WRITE] = {4300, 5360, VM_MILAN, "Milan VM: whole fault 6,475..7,307, clearing about 1,000"},
    [COST_FAULT_FILE] = {5700, 10150, VM_MILAN,
			 "Milan VM: a private page written 8,112, copying 265..1,300; 16 pages around a read "
			 "9,900..11,200; shmem 9,400..10,000"},
    [COST_FAULT_COW_COPY] = {5450, 7800, VM_MILAN, "Milan VM: whole fault 7,900..9,117, copying 265..1,300"},
    [COST_FAULT_COW_REUSE] = {2200, 2600, VM_MILAN, "Milan VM: whole fault 3,360..3,660"},
    [COST_FAULT_SWAP] = {4300, 10150, "-", "not measured: from a zero-fill's to a file's handler"},
    [COST_FAULT_SPURIOUS] = {800, 2400, "-", "not measured: as a read of the zero page"},
    [COST_SIGNAL] =
	{6290, 12150, VM_MILAN,
	 "Milan VM: 7,440 from the fault to the handler, which may jump away; 10,800..13,200 with a return and "
	 "sigreturn"},
    [COST_POPULATE] = {3300, 4400, VM_MILAN, "Milan VM: MAP_POPULATE 4,548 a page, clearing 151..1,250 of it"},
    [COST_CLEAR_4K] = {151, 1601, VM_MILAN, "Milan VM: rep stosb, page in the cache .. 64 MiB in turn"},
    [COST_CLEAR_2M] =
	{266000, 539000, "Zen 4, Zen 3",
	 "Genoa, clearing in runs of pages (Linux commit 9890ecab6ad9): 23.58 GB/s; Milan VM: a whole 2M fault "
	 "469,000..539,000"},
    [COST_CLEAR_1G] = {80400000, 276000000, "Icelake-X, Zen 3",
		       "A. Arora v4, June 2025: 40.03 GB/s with clearing in runs; 512 times the most of 2M"},
    [COST_COPY_4K] = {265, 2565, VM_MILAN, "Milan VM: rep movsb, pages in the cache .. 64 MiB in turn"},
    [COST_COPY_2M] = {683000, 1313000, VM_MILAN, "Milan VM: 512 times 4K from memory, the least and the most of them"},
    [COST_TABLE] = {151, 4548, VM_MILAN, "not measured apart: from clearing 4K to a page of MAP_POPULATE"},
    [COST_INVLPG] = {80, 300, "K8",
		     "AMD64 optimization manual: 80 in 64-bit mode; Linux arch/x86/mm/tlb.c: \"about 100 ns\""},
    [COST_INVPCID] = {80, 300, "-", "not measured: as INVLPG"},
    [COST_CR3] =
	{100, 200, "Haswell",
	 "Documentation/arch/x86/pti.rst (\"on the order of a hundred cycles\"); half of getppid's 139 ns for KPTI "
	 "with PCIDs (FreeBSD D13985)"},
    [COST_SHOOTDOWN] = {3000, 9000, "Xeons",
			"1 .. 3 us, as practitioners publish it; no paper's figure fits all machines"},
    [COST_IPI] = {1050, 1150, "-", "not measured: as an exception and its return"},
    [COST_SYSTEM_CALL] = {346, 593, VM_MILAN, "Milan VM: ENOSYS and getppid, without KPTI"},
    [COST_TICK] = {1050, 1150, "-", "not measured: as an exception and its return"},
    [COST_THREAD_SWITCH] = {2900, 3500, VM_MILAN,
			    "Milan VM: sched_yield to a thread, to a process, less sched_yield to nobody"},
    [COST_FORK] = {213000, 229000, VM_MILAN, "Milan VM: fork, _exit and wait of a small process"},
    [COST_FORK_4K] = {200, 216, VM_MILAN, "Milan VM: fork of 64 MiB and of 1 GiB, 4K pages"},
    [COST_FORK_2M] = {2455, 2500, VM_MILAN, "Milan VM: fork of 1 GiB in 2M pages"},
    [COST_MAP_CALL] =
	{1700, 8800, VM_MILAN,
	 "Milan VM: madvise 2,348, brk 4,571, mmap 6,211..8,563, munmap 6,120..9,409, less the system call"},
    [COST_UNMAP_4K] = {800, 900, VM_MILAN, "Milan VM: munmap, and MADV_DONTNEED of 200 pages: 804..901"},
    [COST_UNMAP_2M] = {17000, 17728, VM_MILAN, "Milan VM: munmap of 2M pages"},
    [COST_UNMAP_LEFT] =
	{91, 205, "Granite Rapids",
	 "Granite Rapids VM: exits of children that share 64M with their parent: 91..101 idle, 205 beside other work"},
    [COST_PROTECT_PAGE] = {245, 320, VM_MILAN, "Milan VM: mprotect to read-only, of many and of 200 pages"},
    [COST_SPLIT] = {35600, 36500, VM_MILAN, "Milan VM: MADV_DONTNEED of 4K in a 2M page, less that of a 4K page"},
    [COST_COLLAPSE] = {607000, 1302000, VM_MILAN,
		       "Milan VM: MADV_COLLAPSE of 2M 1,290,000..1,438,000, less 512 copies"},
    [COST_MIGRATE] = {2200, 7800, "-", "not measured: from a reused to a copied page's fault"},
    [COST_RECLAIM] = {800, 5360, "-", "not measured: from unmapping a page to handling a zero-fill"},
#define NVME "Intel DC P4500 2 TB, Lenovo product guide: random access latency 85/20 us, sequential 3.2/1.05 GB/s"
    [COST_NVME_READ] = {85000, 85000, "-", NVME},
    [COST_NVME_READ_PAGE] = {BYTES_PER_SEC(3200000000), BYTES_PER_SEC(3200000000), "-", NVME},
    [COST_NVME_WRITE] = {20000, 20000, "-", NVME},
    [COST_NVME_WRITE_PAGE] = {BYTES_PER_SEC(1050000000), BYTES_PER_SEC(1050000000), "-", NVME},
#define SATA "Intel DC S4600 product specification: random latency 110/52 us, sequential 500/490 MB/s"
    [COST_SATA_READ] = {110000, 110000, "-", SATA},
    [COST_SATA_READ_PAGE] = {BYTES_PER_SEC(500000000), BYTES_PER_SEC(500000000), "-", SATA},
    [COST_SATA_WRITE] = {52000, 52000, "-", SATA},
    [COST_SATA_WRITE_PAGE] = {BYTES_PER_SEC(490000000), BYTES_PER_SEC(490000000), "-", SATA},
#define HDD                                                                                                            \
	"WD Ultrastar DC HC310 specification 4.5.1: average seek 7.4/8.2 ms, half a turn at 7200 rpm 4.16 ms; "        \
	"Seagate BarraCuda Pro, as fast: 249 MB/s sustained"
    [COST_HDD_READ] = {7400000 + 4160000, 7400000 + 4160000, "-", HDD},
    [COST_HDD_READ_PAGE] = {BYTES_PER_SEC(249000000), BYTES_PER_SEC(249000000), "-", HDD},
    [COST_HDD_WRITE] = {8200000 + 4160000, 8200000 + 4160000, "-", HDD},
    [COST_HDD_WRITE_PAGE] = {BYTES_PER_SEC(249000000), BYTES_PER_SEC(249000000), "-", HDD},
#define ZRAM                                                                                                           \
	"no device: the CPU compresses. LZ4 1.9.0, its README's benchmark (Silesia corpus, one core of an i7-9700K): " \
	"4970 MB/s out, 780 MB/s in"
    [COST_ZRAM_READ] = {0, 0, "-", ZRAM},
    [COST_ZRAM_READ_PAGE] = {BYTES_PER_SEC(4970000000), BYTES_PER_SEC(4970000000), "Coffee Lake", ZRAM},
    [COST_ZRAM_WRITE] = {0, 0, "-", ZRAM},
    [COST_ZRAM_WRITE_PAGE] = {BYTES_PER_SEC(780000000), BYTES_PER_SEC(780000000), "Coffee Lake", ZRAM},
    [COST_CLOCK] = {COST_CLOCK_MHZ, COST_CLOCK_MHZ, "-", "stated: what servers of these kinds run at under load"},
    [COST_WORK] =
	{250, 4000, "-",
	 "stated, and wide: from four instructions a cycle to one in four cycles, which programs that wait for "
	 "memory come to"},
};

/* Translation, by CPU. A walk just past the L2 TLB's reach reads one entry, from the near caches: the upper levels are in
 * the paging-structure caches. What an entry costs from L3 or memory is taken for what a load from there costs: at 512M,
 * where tables are in L3, walks in any order cost 36 to 59 cycles more than such with near tables, as much as L3 is farther
 * than L2. L3 and memory of servers are slower than those of the desktop parts that were measured, by an amount that no
 * source here gives. The least of an L2 TLB hit is 0: execution out of order hides a few cycles. */
static const struct cpu_row {
	const char *cpu;
	enum cost_id id;
	struct cost cost;
} cpu_rows[] = {
    {"zen3", COST_L2_TLB_HIT, {0, 7, "Zen 3", "Milan VM: a chase over 96 pages: +7"}},
    {"zen3", COST_WALK_L2, {12, 19, "Zen 3", "NewMemLat Zen 3: a load from L2 12; +19 just past the reach"}},
    {"zen3", COST_WALK_L3, {48, 76, "Zen 3", "NewMemLat Zen 3: loads from 2M .. 16M"}},
    {"zen3", COST_WALK_MEMORY, {320, 356, "Zen 3", "NewMemLat Zen 3: loads at 512M"}},
    {"zen3", COST_WALKS_AT_ONCE, {6, 6, "Zen 3", "AnandTech's Zen 3 review: 6 walkers"}},
    {"zen2", COST_L2_TLB_HIT, {0, 6, "Zen 2", "NewMemLat Zen 2: +6"}},
    {"zen2", COST_WALK_L2, {12, 12, "Zen 2", "NewMemLat Zen 2: a load from L2 12; +12 just past the reach"}},
    {"zen2", COST_WALK_L3, {40, 57, "Zen 2", "NewMemLat Zen 2: loads from 2M .. 8M, a 3900 and a 3970X"}},
    {"zen2", COST_WALK_MEMORY, {258, 380, "Zen 2", "NewMemLat Zen 2: loads at 256M, a 3900 and a 3970X"}},
    {"zen2", COST_WALKS_AT_ONCE, {2, 2, "Zen 2", "WikiChip Zen 2: two walkers"}},
    {"zen4", COST_L2_TLB_HIT, {0, 5, "Zen 4", "NewMemLat Zen 4: +2..5"}},
    {"zen4", COST_WALK_L2, {5, 15, "Zen 4", "NewMemLat Zen 4: +5..15 just past the reach; a load from L2 14"}},
    {"zen4", COST_WALK_L3, {52, 69, "Zen 4", "NewMemLat Zen 4: loads from 4M .. 16M"}},
    {"zen4", COST_WALK_MEMORY, {376, 417, "Zen 4", "NewMemLat Zen 4: loads at 512M"}},
    {"zen4", COST_WALKS_AT_ONCE, {6, 6, "-", "assumed as in Zen 3"}},
    {"zen5", COST_L2_TLB_HIT, {0, 7, "Zen 5", "Turin VM: a chase over 128 .. 1,024 pages: +7"}},
    {"zen5",
     COST_WALK_L2,
     {5, 15, "Zen 4", "as Zen 4's: +5..15 just past the reach; a load from L2 takes 14 on the Turin VM"}},
    {"zen5", COST_WALK_L3, {42, 94, "Zen 5", "Turin VM: loads from 2M .. 4M, less 7 for the L2 TLB; two runs"}},
    {"zen5", COST_WALK_MEMORY, {566, 668, "Zen 5", "Turin VM: loads from 16M .. 64M; its L3 holds some 4M; two runs"}},
    {"zen5", COST_WALKS_AT_ONCE, {6, 6, "-", "assumed as in Zen 3"}},
    {"skylake", COST_L2_TLB_HIT, {0, 9, "Skylake-X", "NewMemLat SkylakeX: +9"}},
    {"skylake",
     COST_WALK_L2,
     {10, 20, "Skylake-X", "the 10..20 cycles seen on other CPUs; NewMemLat SkylakeX: a load from L2 14"}},
    {"skylake", COST_WALK_L3, {74, 79, "Skylake-X", "NewMemLat SkylakeX: loads from 4M .. 6M"}},
    {"skylake", COST_WALK_MEMORY, {281, 334, "Skylake-X", "NewMemLat SkylakeX: loads at 512M"}},
    {"skylake", COST_WALKS_AT_ONCE, {2, 2, "Skylake", "Intel optimization manual: two page walks"}},
    {"icelake", COST_L2_TLB_HIT, {0, 7, "Rocket Lake", "NewMemLat Rocket Lake, the same core: +7"}},
    {"icelake",
     COST_WALK_L2,
     {12, 13, "Rocket Lake", "NewMemLat Rocket Lake, the same core: +12 just past the reach; a load from L2 13"}},
    {"icelake", COST_WALK_L3, {55, 64, "Rocket Lake", "NewMemLat Rocket Lake: loads from 2M .. 8M"}},
    {"icelake", COST_WALK_MEMORY, {272, 318, "Rocket Lake", "NewMemLat Rocket Lake: loads at 256M"}},
    {"icelake", COST_WALKS_AT_ONCE, {2, 2, "-", "assumed as in Skylake"}},
    {"goldencove", COST_L2_TLB_HIT, {0, 7, "Golden Cove", "NewMemLat Golden Cove: +7"}},
    {"goldencove",
     COST_WALK_L2,
     {12, 26, "Golden Cove", "NewMemLat Alder Lake: +12..26 just past the reach; a load from L2 15"}},
    {"goldencove", COST_WALK_L3, {63, 93, "Golden Cove", "NewMemLat Alder Lake: loads from 6M .. 16M"}},
    {"goldencove", COST_WALK_MEMORY, {303, 344, "Golden Cove", "NewMemLat Alder Lake: loads at 512M"}},
    {"goldencove", COST_WALKS_AT_ONCE, {4, 4, "Golden Cove", "Golden Cove's disclosure, at second hand: 4 walkers"}},
};

enum cost_id cost_find(const char *name)
{
	enum cost_id id = 0;

	while (id < COST_NR && strcmp(cost_kinds[id].name, name) != 0)
		id++;
	return id;
}

const struct cost *cost_common(enum cost_id id)
{
	return &common[id];
}

void cost_table_make(struct cost_table *t, const char *cpu, const struct cost_changes *changes)
{
	memcpy(t->at, common, sizeof(t->at));
	for (const struct cpu_row *row = cpu_rows; row < cpu_rows + ARRAY_SIZE(cpu_rows); row++)
		if (strcmp(row->cpu, cpu) == 0)
			t->at[row->id] = row->cost;
	for (unsigned id = 0; changes && id < COST_NR; id++)
		if (changes->at[id].line)
			t->at[id] = (struct cost){changes->at[id].least, changes->at[id].most, "-", changes->file};
}
