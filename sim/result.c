/* SPDX-License-Identifier: MIT
 *
 * sim/result.c - the end of a run: each machine's counters, brought together in one sim_result.
 *
 * Regions that cost nothing (no walk and no fault in any machine) are left out; the rest keep the order in which the
 * program made them, so that the same events give the same result.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/device.h"
#include "sim/internal.h"
#include "sim/xalloc.h"

static const char *const thp_names[] = {
    [VM_THP_NEVER] = "never",
    [VM_THP_MADVISE] = "madvise",
    [VM_THP_ALWAYS] = "always",
};

static const char *const defrag_names[] = {
    [VM_DEFRAG_MADVISE] = "madvise",
    [VM_DEFRAG_ALWAYS] = "always",
    [VM_DEFRAG_NEVER] = "never",
};

static const char *const reclaim_names[] = {
    [VM_RECLAIM_LRU2] = "lru2", [VM_RECLAIM_MGLRU] = "mglru",   [VM_RECLAIM_CLOCK] = "clock",
    [VM_RECLAIM_FIFO] = "fifo", [VM_RECLAIM_RANDOM] = "random",
};

static void copy_counters(struct sim_machine_result *r, const struct hw_soft_counters *c)
{
	memcpy(r->faults, c->faults, sizeof(r->faults));
	memcpy(r->faults_by_order, c->faults_by_order, sizeof(r->faults_by_order));
	memcpy(r->populated, c->populated, sizeof(r->populated));
	r->kernel_faults = c->kernel_faults;
	r->major_faults = c->major_faults;
	r->tlb_flushes = c->tlb_flushes;
	r->tlb_flush_pages = c->tlb_flush_pages;
	r->tlb_flush_all = c->tlb_flush_all;
	r->shootdowns = c->shootdowns;
	r->ipis = c->ipis;
	r->context_switches = c->context_switches;
	r->thp_alloc = c->thp_alloc;
	r->thp_fallback = c->thp_fallback;
	r->thp_split = c->thp_split;
	r->thp_collapse = c->thp_collapse;
	r->compactions = c->compactions;
	r->compactions_failed = c->compactions_failed;
	r->pages_migrated = c->pages_migrated;
	r->frames_cleared = c->frames_cleared;
	r->frames_copied = c->frames_copied;
	r->swap_requests = c->swap_requests;
	r->swap_ins = c->swap_ins;
	r->swap_outs = c->swap_outs;
	r->readahead_hits = c->swap_ra_hits;
	r->file_reads = c->file_reads;
	r->writebacks = c->file_writes;
	memcpy(r->reclaimed, c->reclaimed, sizeof(r->reclaimed));
	r->oom_kills = c->oom_kills;
}

/* The device's model over the counts: each swap-in is one request, each file page is one, as is each page written. */
static void fill_memory(struct machine *m, struct sim_machine_result *r)
{
	const struct swap_device *swap = m->cfg.swap_device ? m->cfg.swap_device : &swap_devices[0];
	const struct swap_device *disk = swap_device_files(swap);
	struct vm_meminfo info;

	vm_meminfo(m->vm, &info);
	r->swap_bytes = m->cfg.swap_bytes;
	r->peak_swap_bytes = info.swap_peak * PAGE_SIZE;
	snprintf(r->swap_device, sizeof(r->swap_device), "%s", swap->name);
	snprintf(r->reclaim, sizeof(r->reclaim), "%s", reclaim_names[m->cfg.reclaim]);
	r->io_wait_ns = swap_device_read_ns(swap, r->swap_requests, r->swap_ins) +
			swap_device_read_ns(disk, r->file_reads, r->file_reads);
	r->io_write_ns = swap_device_write_ns(swap, r->swap_outs, r->swap_outs) +
			 swap_device_write_ns(disk, r->writebacks, r->writebacks);
	memcpy(r->oom_note, m->oom_note, sizeof(r->oom_note));
}

/* getrusage counts what ended well (Linux: mm_account_fault), exec's and populate's own faults too. */
static u64 minor_faults(const struct sim_machine_result *r)
{
	u64 n = 0;

	for (unsigned cause = 0; cause < VM_FAULT_NR; cause++)
		if (!hw_soft_fault_failed(cause))
			n += r->faults[cause] + r->populated[cause];
	return n - r->major_faults;
}

static bool region_costs(const struct sim *s, unsigned region)
{
	for (unsigned i = 0; i < s->nr_machines; i++) {
		const struct machine *m = &s->machine[i];

		if (region < m->nr_regions &&
		    (m->region[region].walks[0] | m->region[region].walks[1] | m->region[region].faults))
			return true;
	}
	return false;
}

/* The machine's figures for the regions kept[0..nr). */
static struct sim_region_result *copy_regions(const struct machine *m, const unsigned *kept, unsigned nr)
{
	struct sim_region_result *out = xcalloc(nr + 1, sizeof(*out));

	for (unsigned i = 0; i < nr; i++)
		if (kept[i] < m->nr_regions)
			out[i] = m->region[kept[i]];
	return out;
}

static void fill_machine(struct machine *m, struct sim_machine_result *r)
{
	snprintf(r->name, sizeof(r->name), "%s", m->cfg.name);
	snprintf(r->cpu, sizeof(r->cpu), "%s", m->cfg.preset->name);
	snprintf(r->thp, sizeof(r->thp), "%s", thp_names[m->cfg.thp]);
	r->kpti = m->cfg.kpti;
	r->pcid = hw_features(hw_soft_cpu(m->hw, 0)) & HW_PCID;
	r->cpus = m->cfg.cpus;
	r->ram_bytes = m->cfg.ram_bytes;
	r->hugepages = m->cfg.hugepages;
	snprintf(r->defrag, sizeof(r->defrag), "%s", defrag_names[m->cfg.defrag]);
	r->fragmentation = m->cfg.fragmentation;
	hw_soft_sum_mmu(m->hw, &r->mmu);
	copy_counters(r, hw_soft_counters(m->hw));
	kernel_result(m, r);
	fill_memory(m, r);
	r->minflt = minor_faults(r);
	r->peak_rss_bytes = m->peak_rss_pages * PAGE_SIZE;
	r->peak_untouched_bytes = m->peak_untouched_bytes;
	r->peak_table_bytes = m->peak_table_bytes;
	r->mismatches = m->mismatches;
	memcpy(r->error, m->error, sizeof(r->error));
}

/* A growing stack's largest size is what it grew to. */
static struct sim_region region_info(const struct region *r)
{
	struct sim_region info = r->info;

	if (info.start > info.end)
		info.start = info.end;
	return info;
}

void sim_finish(struct sim *s, struct sim_result *out)
{
	struct sim_result *r = &s->result;
	unsigned *kept = xcalloc(s->regions.nr + 1, sizeof(*kept));

	result_free(s);
	for (unsigned i = 0; i < s->nr_streams; i++)
		if (s->stream[i])
			stream_run_slice(s, s->stream[i]);
	for_each_machine(s, m) machine_sample(m);
	for (unsigned i = 0; i < s->regions.nr; i++)
		if (region_costs(s, i))
			kept[r->nr_regions++] = i;
	r->program = s->program;
	r->region = xcalloc(r->nr_regions + 1, sizeof(*r->region));
	for (unsigned i = 0; i < r->nr_regions; i++)
		r->region[i] = region_info(&s->regions.region[kept[i]]);
	r->machine = xcalloc(s->nr_machines + 1, sizeof(*r->machine));
	for (; r->nr_machines < s->nr_machines; r->nr_machines++) {
		struct machine *m = &s->machine[r->nr_machines];

		fill_machine(m, &r->machine[r->nr_machines]);
		r->machine[r->nr_machines].region = copy_regions(m, kept, r->nr_regions);
		if (m->cfg.check >= 1 && !m->error[0])
			vm_check(m->vm);
	}
	CHECK1(s->check, sim_check(s));
	free(kept);
	*out = *r;
}

void result_free(struct sim *s)
{
	struct sim_result *r = &s->result;

	for (unsigned i = 0; i < r->nr_machines; i++)
		free(r->machine[i].region);
	free(r->machine);
	free(r->region);
	*r = (struct sim_result){0};
}
