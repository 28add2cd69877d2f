/* SPDX-License-Identifier: MIT
 *
 * sim/result.c - the end of a run: each machine's counters, brought together in one sim_result.
 *
 * Regions that cost nothing (no walk and no fault in any machine) are left out, and those of programs that do not count;
 * the rest keep the order in which the program made them, so that the same events give the same result. Programs and
 * processes likewise.
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
	c->peak_swap_bytes = (info.swap_peak > m->swap_peak_before ? info.swap_peak : m->peak_swap_pages) * PAGE_SIZE;
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

/* Which entries of a table are in the result. */
struct kept {
	unsigned *index, nr;
};

static struct kept kept_new(unsigned most)
{
	return (struct kept){.index = xcalloc(most + 1, sizeof(unsigned))};
}

static bool all_zero(const void *table, unsigned have, size_t size, unsigned i)
{
	static const char zero[sizeof(struct machine_counters)];

	return i >= have || memcmp((const char *)table + i * size, zero, size) == 0;
}

static bool ran_nothing(const struct sim_ran *ran)
{
	return !(ran->instructions | ran->data_accesses | ran->fetch_page_changes | ran->syscalls);
}

static bool program_is_kept(const struct sim *s, u32 i)
{
	const struct program *p = &s->program_row[i];
	bool nothing = p->info.processes == 0 && ran_nothing(&p->info.ran);

	for (unsigned k = 0; k < s->nr_machines; k++)
		nothing &= all_zero(s->machine[k].program_count, s->machine[k].cap_program_counts,
				    sizeof(struct machine_counters), i);
	return p->counted && !nothing;
}

static bool process_is_kept(const struct sim *s, u32 i)
{
	bool nothing = (s->nr_only | s->nr_except) != 0 && ran_nothing(&s->row[i].ran);

	for (unsigned k = 0; k < s->nr_machines; k++)
		nothing &= all_zero(s->machine[k].row_share, s->machine[k].cap_row_shares, sizeof(struct sim_share), i);
	return !nothing;
}

/* The figures table[0..have) of those that are kept. */
static void *copy_kept(const void *table, unsigned have, size_t size, const struct kept *kept)
{
	char *out = xcalloc(kept->nr + 1, size);

	for (unsigned i = 0; i < kept->nr; i++)
		if (kept->index[i] < have)
			memcpy(out + i * size, (const char *)table + kept->index[i] * size, size);
	return out;
}

static void *copy_of(const void *table, unsigned nr, size_t size)
{
	void *out = xcalloc(nr + 1, size);

	if (nr)
		memcpy(out, table, nr * size);
	return out;
}

/* One more in a list of names, as long as it and "..." have room. */
static void add_name(char *list, size_t n, unsigned before, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash && slash[1] ? slash + 1 : path;
	size_t len = strlen(list);

	if (before > 0 && len + 3 < n && strcmp(list + len - min(len, (size_t)3), "...") == 0)
		return;
	if (len + strlen(name) + sizeof(", , ...") > n)
		name = "...";
	snprintf(list + len, n - len, "%s%s", before ? ", " : "", name[0] ? name : "?");
}

/* What ran beside what counts. */
static void fill_beside(const struct sim *s, struct sim_result *r)
{
	for (u32 i = 0; i < s->nr_programs; i++) {
		const struct sim_program_row *p = &s->program_row[i].info;

		if (s->program_row[i].counted || (p->processes == 0 && ran_nothing(&p->ran)))
			continue;
		add_name(r->beside.names, sizeof(r->beside.names), r->beside.programs, p->path);
		r->beside.programs++;
		r->beside.processes += p->processes;
		r->beside.instructions += p->ran.instructions;
	}
}

/* Programs, and the processes with their programs' new numbers. */
static void fill_programs(const struct sim *s, struct sim_result *r, struct kept *programs, struct kept *processes)
{
	unsigned *number = xcalloc(s->nr_programs + 1, sizeof(*number));

	for (u32 i = 0; i < s->nr_programs; i++) {
		number[i] = program_is_kept(s, i) ? programs->nr : SIM_NO_PROGRAM;
		if (number[i] != SIM_NO_PROGRAM)
			programs->index[programs->nr++] = i;
	}
	for (u32 i = 0; i < s->nr_rows; i++)
		if (process_is_kept(s, i))
			processes->index[processes->nr++] = i;
	r->program_row = xcalloc(programs->nr + 1, sizeof(*r->program_row));
	for (; r->nr_program_rows < programs->nr; r->nr_program_rows++)
		r->program_row[r->nr_program_rows] = s->program_row[programs->index[r->nr_program_rows]].info;
	r->process_row = copy_kept(s->row, s->nr_rows, sizeof(*s->row), processes);
	for (; r->nr_process_rows < processes->nr; r->nr_process_rows++) {
		struct sim_process_row *p = &r->process_row[r->nr_process_rows];

		p->program = p->program < s->nr_programs ? number[p->program] : SIM_NO_PROGRAM;
	}
	for (u32 i = 0; i < r->nr_regions; i++)
		r->region[i].program =
		    r->region[i].program < s->nr_programs ? number[r->region[i].program] : SIM_NO_PROGRAM;
	for (u32 i = 0; i < r->nr_blocks; i++)
		r->block[i].program = number[r->block[i].program];
	free(number);
	fill_beside(s, r);
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

static void fill_machine(struct machine *m, struct sim_machine_result *r)
{
	r->cfg = m->cfg;
	r->cfg.pcid = hw_features(hw_soft_cpu(m->hw, 0)) & HW_PCID;
	machine_counted(m, &r->count);
	r->count.os.oom_kills =
	    hw_soft_counters(m->hw)->oom_kills; /* of anybody: from there on the figures are not whole */
	fill_memory(m, &r->count);
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

/* Those that cost something, of programs that count. */
static void fill_regions(const struct sim *s, struct sim_result *r, struct kept *kept)
{
	for (unsigned i = 0; i < s->regions.nr; i++)
		if (region_costs(s, i) &&
		    (i == s->regions.other || s->program_row[s->regions.region[i].info.program].counted))
			kept->index[kept->nr++] = i;
	r->nr_regions = kept->nr;
	r->region = xcalloc(r->nr_regions + 1, sizeof(*r->region));
	for (unsigned i = 0; i < r->nr_regions; i++)
		r->region[i] = region_info(&s->regions.region[kept->index[i]]);
}

/* The machines' figures stay where they are: they are large. */
static void fill_blocks(struct sim *s, struct sim_result *r)
{
	r->nr_blocks = s->heat.nr;
	r->block_bytes = 1ull << s->heat.shift;
	r->block = copy_of(s->heat.block, r->nr_blocks, sizeof(*r->block));
	for (unsigned i = 0; i < r->nr_machines; i++)
		r->machine[i].block = heat_of_machine(&s->machine[i]);
}

void sim_finish(struct sim *s, struct sim_result *out)
{
	struct sim_result *r = &s->result;
	struct kept regions = kept_new(s->regions.nr), programs = kept_new(s->nr_programs),
		    processes = kept_new(s->nr_rows);

	result_free(s);
	for (unsigned i = 0; i < s->nr_streams; i++)
		if (s->stream[i])
			stream_run_slice(s, s->stream[i]);
	for_each_machine(s, m) machine_sample(m);
	timeline_end_slice(s);
	r->program = s->program;
	r->machine = xcalloc(s->nr_machines + 1, sizeof(*r->machine));
	for (unsigned i = 0; i < s->nr_machines; i++) {
		fill_machine(&s->machine[i], &r->machine[i]);
		r->nr_cures += s->machine[i].cfg.cure != CURE_NONE;
	}
	r->nr_machines = s->nr_machines - r->nr_cures;
	fill_blocks(s, r);
	r->nr_slices = s->timeline.nr;
	r->slice_end = copy_of(s->timeline.end, r->nr_slices, sizeof(*r->slice_end));
	fill_regions(s, r, &regions);
	fill_programs(s, r, &programs, &processes);
	for (unsigned i = 0; i < s->nr_machines; i++) {
		struct machine *m = &s->machine[i];
		struct sim_machine_result *to = &r->machine[i];

		to->slice = copy_of(m->timeline.slice, r->nr_slices, sizeof(*to->slice));
		to->region = copy_kept(m->region, m->nr_regions, sizeof(*m->region), &regions);
		to->program_count =
		    copy_kept(m->program_count, m->cap_program_counts, sizeof(*m->program_count), &programs);
		to->process_share = copy_kept(m->row_share, m->cap_row_shares, sizeof(*m->row_share), &processes);
		if (m->cfg.check >= 1 && !m->error[0])
			vm_check(m->vm);
	}
	CHECK1(s->check, sim_check(s));
	free(regions.index);
	free(programs.index);
	free(processes.index);
	*out = *r;
}

void result_free(struct sim *s)
{
	struct sim_result *r = &s->result;

	for (unsigned i = 0; i < r->nr_machines + r->nr_cures; i++) {
		free(r->machine[i].region);
		free(r->machine[i].slice);
		free(r->machine[i].program_count);
		free(r->machine[i].process_share);
	}
	free(r->machine);
	free(r->region);
	free(r->slice_end);
	free(r->block);
	free(r->program_row);
	free(r->process_row);
	*r = (struct sim_result){0};
}
