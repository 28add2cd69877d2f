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

#include "sim/internal.h"
#include "sim/xalloc.h"

/* The device's model (cost/bill.c) over the counts: each page written is one request. */
static void fill_io(struct sim_machine_result *r)
{
	const struct swap_device *swap = r->cfg.swap_device, *disk = swap_device_files(swap);
	struct machine_counters *c = &r->count;

	c->io_wait_ns = bill_wait_ns(c, &r->cfg, &r->cost).most;
	c->io_write_ns = bill_device_ns(&r->cost, swap, true, c->os.swap_outs, c->os.swap_outs).most +
			 bill_device_ns(&r->cost, disk, true, c->os.file_writes, c->os.file_writes).most;
}

static void fill_memory(const struct machine *m, struct machine_counters *c)
{
	struct vm_meminfo info;

	machine_meminfo(m, &info);
	c->peak_swap_bytes = info.swap_peak * PAGE_SIZE;
	c->peak_rss_bytes = m->peak_rss_pages * PAGE_SIZE;
	c->peak_untouched_bytes = m->peak_untouched_bytes;
	c->peak_partly_unmapped_bytes = m->peak_partly_unmapped * PAGE_SIZE;
	c->peak_lazyfree_bytes = m->peak_lazyfree * PAGE_SIZE;
	c->most_lazyfree_bytes = m->most_lazyfree * PAGE_SIZE;
	c->peak_areas = m->peak_areas;
	c->peak_table_bytes = m->peak_table_bytes;
}

/* getrusage counts what ended well (Linux: mm_account_fault), exec's and populate's own faults too. */
static u64 minor_faults(const struct machine_counters *c)
{
	u64 n = 0;

	for (unsigned cause = 0; cause < VM_FAULT_NR; cause++)
		if (!hw_soft_fault_failed(cause))
			n += c->os.faults[cause] + c->os.populated[cause];
	return n - c->os.major_faults;
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
	r->cfg = m->cfg;
	r->cfg.pcid = hw_features(hw_soft_cpu(m->hw, 0)) & HW_PCID;
	machine_counters_read(m->hw, &r->count);
	kernel_result(m, &r->count);
	fill_memory(m, &r->count);
	r->count.forks = m->forks;
	r->count.map_calls = m->map_calls;
	r->count.minflt = minor_faults(&r->count);
	r->count.mismatches = m->mismatches;
	r->count.overcommit_refused = m->overcommit_refused;
	cost_table_make(&r->cost, r->cfg.preset->name, r->cfg.costs);
	fill_io(r);
	r->bill = bill_make(&r->count, &r->cfg, &r->cost);
	memcpy(r->oom_note, m->oom_note, sizeof(r->oom_note));
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
