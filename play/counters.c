/* SPDX-License-Identifier: MIT
 *
 * play/counters.c - the counters of a machine, gathered.
 */
#include "hw/soft/soft.h"
#include "play/counters.h"

const char *const counter_names[COUNT_NR + 1] = {
    [COUNT_FAULTS] = "faults",
    [COUNT_POPULATED] = "populated",
    [COUNT_L1_HIT] = "l1-hit",
    [COUNT_L2_HIT] = "l2-hit",
    [COUNT_WALKS] = "walks",
    [COUNT_STEPS] = "steps",
    [COUNT_FLUSHES] = "flushes",
    [COUNT_FLUSHED_PAGES] = "flushed-pages",
    [COUNT_FLUSHED_ALL] = "flushed-all",
    [COUNT_SHOOTDOWNS] = "shootdowns",
    [COUNT_IPIS] = "ipis",
    [COUNT_CLEARED] = "cleared",
    [COUNT_COPIED] = "copied",
    [COUNT_THP_ALLOC] = "thp-alloc",
    [COUNT_THP_FALLBACK] = "thp-fallback",
    [COUNT_THP_SPLIT] = "thp-split",
    [COUNT_THP_COLLAPSE] = "thp-collapse",
    [COUNT_SWITCHES] = "switches",
    [COUNT_MAJOR] = "major",
    [COUNT_SWAP_INS] = "swap-ins",
    [COUNT_SWAP_OUTS] = "swap-outs",
    [COUNT_FILE_READS] = "file-reads",
    [COUNT_WRITEBACKS] = "writebacks",
};

const char *const counter_texts[COUNT_NR] = {
    [COUNT_FAULTS] = "page faults handled",
    [COUNT_POPULATED] = "pages faulted in by the kernel of its own accord",
    [COUNT_L1_HIT] = "accesses served by the first-level TLB",
    [COUNT_L2_HIT] = "accesses served by the second-level TLB",
    [COUNT_WALKS] = "page walks, those that ended in a fault included",
    [COUNT_STEPS] = "entries that the walks read",
    [COUNT_FLUSHES] = "TLB flushes",
    [COUNT_FLUSHED_PAGES] = "pages flushed one by one",
    [COUNT_FLUSHED_ALL] = "flushes of a whole address space",
    [COUNT_SHOOTDOWNS] = "flushes sent to other CPUs",
    [COUNT_IPIS] = "CPUs interrupted for them",
    [COUNT_CLEARED] = "frames zeroed",
    [COUNT_COPIED] = "frames copied",
    [COUNT_THP_ALLOC] = "huge pages given",
    [COUNT_THP_FALLBACK] = "huge pages that could not be had",
    [COUNT_THP_SPLIT] = "huge pages split",
    [COUNT_THP_COLLAPSE] = "huge pages made of small ones",
    [COUNT_SWITCHES] = "address spaces loaded",
    [COUNT_MAJOR] = "page faults that waited for a disk",
    [COUNT_SWAP_INS] = "pages read from swap",
    [COUNT_SWAP_OUTS] = "pages written to swap",
    [COUNT_FILE_READS] = "pages of files read",
    [COUNT_WRITEBACKS] = "pages of files written back",
};

static u64 both(const u64 n[2])
{
	return n[0] + n[1];
}

static void read_mmu(const struct hw_machine *hw, u64 *n)
{
	struct mmu_counters c = {0};

	hw_soft_sum_mmu(hw, &c);
	n[COUNT_L1_HIT] = both(c.lookups) - both(c.l1_miss);
	n[COUNT_L2_HIT] = both(c.l1_miss) - both(c.l2_miss);
	n[COUNT_WALKS] = both(c.walks) + both(c.walk_faults);
	for (unsigned level = X86_PT; level <= X86_PML5; level++)
		n[COUNT_STEPS] += c.walk_steps[level];
}

void counters_read(const struct hw_machine *hw, struct play_counters *out)
{
	const struct hw_soft_counters *c = hw_soft_counters(hw);
	u64 *n = out->n;

	*out = (struct play_counters){{0}};
	read_mmu(hw, n);
	for (unsigned cause = 0; cause < VM_FAULT_NR; cause++) {
		if (!hw_soft_fault_failed(cause))
			n[COUNT_FAULTS] += c->faults[cause];
		n[COUNT_POPULATED] += c->populated[cause];
	}
	n[COUNT_FLUSHES] = c->tlb_flushes;
	n[COUNT_FLUSHED_PAGES] = c->tlb_flush_pages;
	n[COUNT_FLUSHED_ALL] = c->tlb_flush_all;
	n[COUNT_SHOOTDOWNS] = c->shootdowns;
	n[COUNT_IPIS] = c->ipis;
	n[COUNT_CLEARED] = c->frames_cleared;
	n[COUNT_COPIED] = c->frames_copied;
	n[COUNT_THP_ALLOC] = c->thp_alloc;
	n[COUNT_THP_FALLBACK] = c->thp_fallback;
	n[COUNT_THP_SPLIT] = c->thp_split;
	n[COUNT_THP_COLLAPSE] = c->thp_collapse;
	n[COUNT_SWITCHES] = c->context_switches;
	n[COUNT_MAJOR] = c->major_faults;
	n[COUNT_SWAP_INS] = c->swap_ins;
	n[COUNT_SWAP_OUTS] = c->swap_outs;
	n[COUNT_FILE_READS] = c->file_reads;
	n[COUNT_WRITEBACKS] = c->file_writes;
}
