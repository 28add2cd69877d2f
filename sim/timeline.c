/* SPDX-License-Identifier: MIT
 *
 * sim/timeline.c - what each machine's memory was at most in each slice, and what it counted. timeline.h draws it.
 *
 * Sizes are taken where the peaks are (machine_sample), so the largest of all slices is the run's peak; counts are
 * machine_counted()'s, so they add up to the run's.
 */
#include "sim/internal.h"

static void see(u64 *most, u64 now)
{
	*most = max(*most, now);
}

void timeline_see(struct machine *m, const struct vm_meminfo *info)
{
	struct sim_slice *now = &m->timeline.now;

	see(&now->rss_bytes, (info->anon_frames + info->file_mapped) * PAGE_SIZE);
	see(&now->huge_bytes, m->touch.huge_chunks * PMD_SIZE);
	see(&now->swap_bytes, info->swap_used * PAGE_SIZE);
	see(&now->lazyfree_bytes, info->lazyfree * PAGE_SIZE);
}

static void merge(struct sim_slice *to, const struct sim_slice *next)
{
	see(&to->rss_bytes, next->rss_bytes);
	see(&to->huge_bytes, next->huge_bytes);
	see(&to->swap_bytes, next->swap_bytes);
	see(&to->lazyfree_bytes, next->lazyfree_bytes);
	see(&to->areas, next->areas);
	to->faults += next->faults;
	to->walks += next->walks;
}

/* What was counted since the last slice's end belongs to the one under way. */
static void count(struct machine *m, struct sim_slice *now)
{
	struct timeline_machine *t = &m->timeline;
	struct machine_counters c;
	u64 faults = 0, walks;

	machine_counted(m, &c);
	for (unsigned cause = 0; cause < VM_FAULT_NR; cause++)
		faults += c.os.faults[cause];
	walks = c.mmu.walks[0] + c.mmu.walks[1] + c.mmu.walk_faults[0] + c.mmu.walk_faults[1];
	now->faults = faults - t->faults;
	now->walks = walks - t->walks;
	t->faults = faults;
	t->walks = walks;
}

/* The next slice begins with what there is; a machine that has stopped has nothing. */
static void start_slice(struct machine *m)
{
	struct vm_meminfo info;

	m->timeline.now = (struct sim_slice){0};
	if (m->error[0])
		return;
	machine_meminfo(m, &info);
	timeline_see(m, &info);
	m->timeline.now.areas = machine_areas(m);
}

/* Slices shorter than `length` take their next neighbours. */
static void merge_short(struct sim *s)
{
	struct timeline *t = &s->timeline;
	u8 to[TIMELINE_SLICES];
	unsigned nr = 0;

	for (unsigned i = 0; i < t->nr; i++) {
		u64 start = nr > 1 ? t->end[nr - 2] : 0;
		bool joins = nr > 0 && t->end[nr - 1] - start < t->length;

		to[i] = (u8)(joins ? nr - 1 : nr++);
		t->end[to[i]] = t->end[i];
	}
	for (unsigned k = 0; k < s->nr_machines; k++)
		for (unsigned i = 0; i < t->nr; i++) {
			struct sim_slice *slice = s->machine[k].timeline.slice;

			if (i == 0 || to[i] != to[i - 1])
				slice[to[i]] = slice[i];
			else
				merge(&slice[to[i]], &slice[i]);
		}
	heat_merge_slices(s, to, t->nr);
	t->nr = nr;
}

void timeline_begin(struct sim *s)
{
	s->timeline = (struct timeline){.length = TIMELINE_LENGTH};
	heat_clear(s);
	for (unsigned i = 0; i < s->nr_machines; i++) {
		s->machine[i].timeline = (struct timeline_machine){0};
		start_slice(&s->machine[i]);
	}
}

/* Less than half a slice, as there is at a run's end, is the last slice's. */
void timeline_end_slice(struct sim *s)
{
	struct timeline *t = &s->timeline;
	bool joins = t->nr > 0 && s->program.instructions - t->end[t->nr - 1] < t->length / 2;

	for (unsigned i = 0; i < s->nr_machines; i++) {
		struct machine *m = &s->machine[i];

		count(m, &m->timeline.now);
		if (joins)
			merge(&m->timeline.slice[t->nr - 1], &m->timeline.now);
		else
			m->timeline.slice[t->nr] = m->timeline.now;
		start_slice(m);
	}
	if (joins)
		heat_join_slice(s, t->nr);
	else
		t->nr++;
	t->end[t->nr - 1] = s->program.instructions;
	if (t->nr < TIMELINE_SLICES)
		return;
	while (t->nr > TIMELINE_SLICES / 4 * 3) {
		t->length *= 2;
		merge_short(s);
	}
}
