/* SPDX-License-Identifier: MIT
 *
 * cost/bill.c - a machine's counters times what each costs.
 *
 * Each counter feeds one row, and what is counted twice is paid once:
 *
 *   row            is paid for                                       and leaves out, as it is in
 *   walks          mmu.read_from: all walks, the kernel's, those
 *                  that end in faults, and those after flushes
 *   nested         mmu.host_walks and .host_read_from: the same
 *                  walks, with host-page=
 *   L2 hits        l1_miss - l2_miss
 *   zero ... swap  faults by cause: exception + handler; copies of
 *                  the zero page (cow_zero) are zero-fill too                    clear, copy, tables, I/O; kernel_entries.page_faults
 *   signals        the causes that end in SIGSEGV or SIGBUS
 *   populate       populated, all causes: the handler alone          clear, copy, tables
 *   clear, copy    frames_cleared, frames_copied, by page size,
 *                  whoever asked: faults, khugepaged, compaction
 *   tables         tables_made
 *   flushes        mmu.invlpg, mmu.invpcid, loads of CR3 to flush    what is walked for again: walks
 *   shootdowns     shootdowns (who asks), ipis (who answers)         kernel_entries.ipis
 *   maps           map_calls, entries unmapped (apart those whose
 *                  page stays), entries.protected                    system calls
 *   fork           forks, entries.forked                             later faults: copy-on-write
 *   system calls   kernel_entries.system_calls                       CR3: KPTI
 *   KPTI           loads of CR3 that are no switch, with kpti=on     flushes
 *   ticks          kernel_entries.timer_ticks
 *   switches       thread_switches, and context_switches' CR3
 *   huge pages     thp_collapse, thp_split                           copy, clear
 *   compaction     pages_migrated                                    copy
 *   reclaim        reclaimed                                         I/O
 *   I/O            requests and pages that somebody waited for       writes, which nobody waits for
 *
 * What the kernel does beside the program (khugepaged, reclaim in the background, compaction) is in the sum: some CPU
 * does it.
 */
#include "cost/bill.h"

#define PAID(id)    (1ull << (id))
#define READS(read) (3ull << (read)) /* a device's, and their pages */
#define WALK        (PAID(COST_WALK_L2) | PAID(COST_WALK_L3) | PAID(COST_WALK_MEMORY) | PAID(COST_WALKS_AT_ONCE))

const struct bill_kind bill_kinds[BILL_NR] = {
    [BILL_WALKS] = {"Page walks", "walks", "entries that walks read, by where they lay", WALK},
    [BILL_NESTED] = {"Walks, host's part", "walks_nested",
		     "entries of the host's tables that walks read, with host-page=, by where they lay",
		     WALK | PAID(COST_NESTED_WALK)},
    [BILL_L2_HITS] = {"L2 TLB hits", "l2_tlb_hits", "accesses that the L2 TLB served", PAID(COST_L2_TLB_HIT)},
    [BILL_ZERO] = {"Faults, zero-fill", "faults_zero", "exceptions and handlers: empty memory, the stack",
		   PAID(COST_EXCEPTION) | PAID(COST_FAULT_ZERO_READ) | PAID(COST_FAULT_ZERO_WRITE) |
		       PAID(COST_FAULT_COW_COPY)},
    [BILL_FILE] = {"Faults, files", "faults_file", "exceptions and handlers: pages of files",
		   PAID(COST_EXCEPTION) | PAID(COST_FAULT_FILE)},
    [BILL_COW] = {"Faults, copy-on-write", "faults_cow", "exceptions and handlers: copied, and reused",
		  PAID(COST_EXCEPTION) | PAID(COST_FAULT_COW_COPY) | PAID(COST_FAULT_COW_REUSE)},
    [BILL_SWAP] = {"Faults, swapped in", "faults_swap", "exceptions and handlers, without the waiting",
		   PAID(COST_EXCEPTION) | PAID(COST_FAULT_SWAP)},
    [BILL_SPURIOUS] = {"Faults, spurious", "faults_spurious", "exceptions and handlers",
		       PAID(COST_EXCEPTION) | PAID(COST_FAULT_SPURIOUS)},
    [BILL_SIGNALS] = {"Faults, signals", "faults_signals", "exceptions, delivery of SIGSEGV and SIGBUS, sigreturn",
		      PAID(COST_EXCEPTION) | PAID(COST_SIGNAL)},
    [BILL_POPULATE] = {"Populating", "populate", "pages that the kernel faulted in of its own accord",
		       PAID(COST_POPULATE)},
    [BILL_CLEAR] = {"Clearing pages", "clear", "4K, 2M and 1G pages",
		    PAID(COST_CLEAR_4K) | PAID(COST_CLEAR_2M) | PAID(COST_CLEAR_1G)},
    [BILL_COPY] = {"Copying pages", "copy", "for copy-on-write, khugepaged and compaction",
		   PAID(COST_COPY_4K) | PAID(COST_COPY_2M)},
    [BILL_TABLES] = {"Page tables", "tables", "tables made", PAID(COST_TABLE)},
    [BILL_FLUSHES] = {"TLB flushes", "flushes", "INVLPG, INVPCID, and loads of CR3 that flush; not what they make miss",
		      PAID(COST_INVLPG) | PAID(COST_INVPCID) | PAID(COST_CR3)},
    [BILL_SHOOTDOWNS] = {"Shootdowns", "shootdowns", "waiting for other CPUs, and their interrupts",
			 PAID(COST_SHOOTDOWN) | PAID(COST_IPI)},
    [BILL_MAPS] = {"Maps and unmaps", "maps",
		   "mmap, munmap, mremap, mprotect, madvise, brk: calls, and entries by page",
		   PAID(COST_MAP_CALL) | PAID(COST_UNMAP_4K) | PAID(COST_UNMAP_2M) | PAID(COST_UNMAP_LEFT) |
		       PAID(COST_PROTECT_PAGE)},
    [BILL_FORK] = {"Forks", "forks", "and the entries that they copy",
		   PAID(COST_FORK) | PAID(COST_FORK_4K) | PAID(COST_FORK_2M)},
    [BILL_SYSTEM_CALLS] = {"System-call entries", "system_calls", "into the kernel and out, without what calls do",
			   PAID(COST_SYSTEM_CALL)},
    [BILL_KPTI] = {"KPTI's CR3 loads", "kpti", "two for each entry into the kernel; without what they flush",
		   PAID(COST_CR3)},
    [BILL_TICKS] = {"Timer ticks", "ticks", "into the kernel and out", PAID(COST_TICK)},
    [BILL_SWITCHES] = {"Switches", "switches", "of threads, and of address spaces",
		       PAID(COST_THREAD_SWITCH) | PAID(COST_CR3)},
    [BILL_HUGE] = {"Huge pages made, split", "huge", "khugepaged, MADV_COLLAPSE and splits, without copies",
		   PAID(COST_SPLIT) | PAID(COST_COLLAPSE)},
    [BILL_COMPACTION] = {"Compaction", "compaction", "pages moved, without copies", PAID(COST_MIGRATE)},
    [BILL_RECLAIM] = {"Reclaim", "reclaim", "frames freed, in the background too", PAID(COST_RECLAIM)},
    [BILL_IO] = {"Waiting for I/O", "io", "reads by the device's model, at `clock`",
		 READS(COST_NVME_READ) | READS(COST_SATA_READ) | READS(COST_HDD_READ) | READS(COST_ZRAM_READ) |
		     PAID(COST_CLOCK)},
};

static u64 mul(u64 a, u64 b)
{
	u64 product;

	return __builtin_mul_overflow(a, b, &product) ? ~0ull : product;
}

static u64 add(u64 a, u64 b)
{
	u64 sum;

	return __builtin_add_overflow(a, b, &sum) ? ~0ull : sum;
}

struct cycles cycles_add(struct cycles a, struct cycles b)
{
	return (struct cycles){add(a.least, b.least), add(a.most, b.most)};
}

struct cycles cycles_of(const struct cost_table *t, enum cost_id id, u64 n)
{
	return (struct cycles){mul(n, t->at[id].least), mul(n, t->at[id].most)};
}

/* Walks that may overlap, and what they read from each place, nearest and farthest. */
static struct cycles bill_walks(const struct cost_table *t, struct cycles walks, const u64 read_from[MMU_NPLACES][2])
{
	for (unsigned place = 0; place < MMU_NPLACES; place++) {
		const struct cost *step = &t->at[COST_WALK_L2 + place];

		walks = cycles_add(walks, (struct cycles){mul(read_from[place][MMU_NEAREST], step->least),
							  mul(read_from[place][MMU_FARTHEST], step->most)});
	}
	walks.least /= t->at[COST_WALKS_AT_ONCE].most;
	return walks;
}

struct cycles bill_walks_share(const struct machine_counters *c, const struct bill *b, u64 steps)
{
	const struct cycles *all = &b->row[BILL_WALKS];
	double share = c->mmu.walk_steps[0] ? (double)steps / (double)c->mmu.walk_steps[0] : 0;

	return (struct cycles){(u64)((double)all->least * share), (u64)((double)all->most * share)};
}

/* n faults: exception and handler. */
static struct cycles faults(const struct cost_table *t, enum cost_id handler, u64 n)
{
	return cycles_add(cycles_of(t, COST_EXCEPTION, n), cycles_of(t, handler, n));
}

/* ---- devices ---- */

struct cycles bill_device_ns(const struct cost_table *t, const struct swap_device *device, bool write, u64 requests,
			     u64 pages)
{
	enum cost_id id = COST_NVME_READ + 4 * (enum cost_id)(device - swap_devices) + (write ? 2 : 0);

	return cycles_add(cycles_of(t, id, requests), cycles_of(t, id + 1, pages));
}

/* Each swap-in is one request, each page of a file is one. */
struct cycles bill_wait_ns(const struct machine_counters *c, const struct machine_config *cfg,
			   const struct cost_table *t)
{
	const struct swap_device *swap = cfg->swap_device;

	return cycles_add(bill_device_ns(t, swap, false, c->os.swap_requests, c->os.swap_ins),
			  bill_device_ns(t, swap_device_files(swap), false, c->os.file_reads, c->os.file_reads));
}

static struct cycles from_ns(const struct cost_table *t, struct cycles ns)
{
	return (struct cycles){mul(ns.least, t->at[COST_CLOCK].least) / 1000,
			       mul(ns.most, t->at[COST_CLOCK].most) / 1000};
}

/* ---- rows ---- */

static void bill_faults(struct bill *b, const struct hw_soft_counters *os, const struct cost_table *t)
{
	u64 signals = 0, populated = 0, cow_zero = min(os->cow_zero, os->faults[VM_FAULT_COW_COPY]);

	for (unsigned cause = 0; cause < VM_FAULT_NR; cause++) {
		populated += os->populated[cause];
		if (hw_soft_fault_failed(cause))
			signals += os->faults[cause];
	}
	b->row[BILL_ZERO] =
	    cycles_add(cycles_add(faults(t, COST_FAULT_ZERO_READ, os->faults[VM_FAULT_ZERO_READ]),
				  faults(t, COST_FAULT_COW_COPY, cow_zero)),
		       faults(t, COST_FAULT_ZERO_WRITE, os->faults[VM_FAULT_ZERO_WRITE] + os->faults[VM_FAULT_STACK]));
	b->row[BILL_FILE] = faults(t, COST_FAULT_FILE, os->faults[VM_FAULT_FILE]);
	b->row[BILL_COW] = cycles_add(faults(t, COST_FAULT_COW_COPY, os->faults[VM_FAULT_COW_COPY] - cow_zero),
				      faults(t, COST_FAULT_COW_REUSE, os->faults[VM_FAULT_COW_REUSE]));
	b->row[BILL_SWAP] = faults(t, COST_FAULT_SWAP, os->faults[VM_FAULT_SWAP]);
	b->row[BILL_SPURIOUS] = faults(t, COST_FAULT_SPURIOUS, os->faults[VM_FAULT_SPURIOUS]);
	b->row[BILL_SIGNALS] = faults(t, COST_SIGNAL, signals);
	b->row[BILL_POPULATE] = cycles_of(t, COST_POPULATE, populated);
}

/* Pages of their sizes make up all frames: what is no huge page is small ones. */
static void bill_pages(struct bill *b, const struct hw_soft_counters *os, const struct cost_table *t)
{
	u64 small_cleared =
	    os->frames_cleared - (os->huge_cleared[0] << HPAGE_PMD_ORDER) - (os->huge_cleared[1] << HPAGE_PUD_ORDER);
	u64 small_copied = os->frames_copied - (os->huge_copied << HPAGE_PMD_ORDER);

	b->row[BILL_CLEAR] = cycles_add(cycles_of(t, COST_CLEAR_4K, small_cleared),
					cycles_add(cycles_of(t, COST_CLEAR_2M, os->huge_cleared[0]),
						   cycles_of(t, COST_CLEAR_1G, os->huge_cleared[1])));
	b->row[BILL_COPY] =
	    cycles_add(cycles_of(t, COST_COPY_4K, small_copied), cycles_of(t, COST_COPY_2M, os->huge_copied));
	b->row[BILL_TABLES] = cycles_of(t, COST_TABLE, os->tables_made);
}

static void bill_flushes(struct bill *b, const struct machine_counters *c, bool kpti, const struct cost_table *t)
{
	u64 loads = c->mmu.cr3_loads - min(c->mmu.cr3_loads, c->os.context_switches);

	b->row[BILL_FLUSHES] =
	    cycles_add(cycles_of(t, COST_INVLPG, c->mmu.invlpg), cycles_of(t, COST_INVPCID, c->mmu.invpcid));
	if (kpti)
		b->row[BILL_KPTI] = cycles_of(t, COST_CR3, loads);
	else
		b->row[BILL_FLUSHES] = cycles_add(b->row[BILL_FLUSHES], cycles_of(t, COST_CR3, loads));
	b->row[BILL_SHOOTDOWNS] =
	    cycles_add(cycles_of(t, COST_SHOOTDOWN, c->os.shootdowns), cycles_of(t, COST_IPI, c->os.ipis));
	b->row[BILL_SWITCHES] = cycles_add(cycles_of(t, COST_THREAD_SWITCH, c->thread_switches),
					   cycles_of(t, COST_CR3, min(c->mmu.cr3_loads, c->os.context_switches)));
}

static void bill_calls(struct bill *b, const struct machine_counters *c, const struct cost_table *t)
{
	const u64(*entries)[2] = c->os.entries;
	const u64 *all = entries[VM_ENTRIES_UNMAPPED], *left = entries[VM_ENTRIES_LEFT];
	struct cycles unmapped = cycles_add(
	    cycles_add(cycles_of(t, COST_UNMAP_4K, all[0] - left[0]), cycles_of(t, COST_UNMAP_2M, all[1] - left[1])),
	    cycles_of(t, COST_UNMAP_LEFT, left[0] + left[1]));
	struct cycles forked = cycles_add(cycles_of(t, COST_FORK_4K, entries[VM_ENTRIES_FORKED][0]),
					  cycles_of(t, COST_FORK_2M, entries[VM_ENTRIES_FORKED][1]));
	u64 map_calls = 0, protected = entries[VM_ENTRIES_PROTECTED][0] + entries[VM_ENTRIES_PROTECTED][1];

	for (unsigned i = 0; i < MAP_CALL_NR; i++)
		map_calls += c->map_calls[i];
	b->row[BILL_MAPS] = cycles_add(cycles_add(cycles_of(t, COST_MAP_CALL, map_calls), unmapped),
				       cycles_of(t, COST_PROTECT_PAGE, protected));
	b->row[BILL_FORK] = cycles_add(cycles_of(t, COST_FORK, c->forks), forked);
	b->row[BILL_SYSTEM_CALLS] = cycles_of(t, COST_SYSTEM_CALL, c->kernel_entries[KERNEL_SYSCALL]);
	b->row[BILL_TICKS] = cycles_of(t, COST_TICK, c->kernel_entries[KERNEL_TICK]);
}

struct bill bill_make(const struct machine_counters *c, const struct machine_config *cfg, const struct cost_table *t)
{
	struct bill b = {0};

	b.row[BILL_WALKS] = bill_walks(t, (struct cycles){0}, c->mmu.read_from);
	b.row[BILL_NESTED] = bill_walks(t, cycles_of(t, COST_NESTED_WALK, c->mmu.host_walks), c->mmu.host_read_from);
	b.row[BILL_L2_HITS] = cycles_of(t, COST_L2_TLB_HIT,
					c->mmu.l1_miss[0] + c->mmu.l1_miss[1] - c->mmu.l2_miss[0] - c->mmu.l2_miss[1]);
	bill_faults(&b, &c->os, t);
	bill_pages(&b, &c->os, t);
	bill_flushes(&b, c, cfg->kpti, t);
	bill_calls(&b, c, t);
	b.row[BILL_HUGE] =
	    cycles_add(cycles_of(t, COST_COLLAPSE, c->os.thp_collapse), cycles_of(t, COST_SPLIT, c->os.thp_split));
	b.row[BILL_COMPACTION] = cycles_of(t, COST_MIGRATE, c->os.pages_migrated);
	b.row[BILL_RECLAIM] = cycles_of(t, COST_RECLAIM, c->os.reclaimed[0] + c->os.reclaimed[1]);
	b.row[BILL_IO] = from_ns(t, bill_wait_ns(c, cfg, t));
	for (unsigned row = 0; row < BILL_NR; row++)
		b.sum = cycles_add(b.sum, b.row[row]);
	return b;
}
