/* SPDX-License-Identifier: MIT
 *
 * sim/check.c - what must hold between events, recomputed from scratch and compared. The files that own a fact number
 * it at their head; each INV() here names the file and that number. What only holds at one place in the code (machine.c
 * 1, R1 to R3 of trace/ring.c) is asserted there. mm/'s own facts are vm_check's; of mmu/'s only what its counters are to
 * each other is looked at.
 */
#include "sim/internal.h"

#define INV_OF(file, nr, cond)                                                                                         \
	do {                                                                                                           \
		if (!(cond))                                                                                           \
			hw_panic(file ": invariant " #nr " is broken: " #cond);                                        \
	} while (0)
#define INV(file, nr, cond) INV_OF("sim/" file, nr, cond)

/* ---- the program's side ---- */

static unsigned count_users(const struct sim *s, const struct space *sp)
{
	unsigned n = 0;

	for (const struct process *p = s->processes; p; p = p->next)
		n += p->space == sp;
	return n;
}

static unsigned count_threads(const struct sim *s, const struct process *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->nr_streams; i++)
		n += s->stream[i] && s->stream[i]->process == p;
	return n;
}

static void check_processes(const struct sim *s)
{
	for (unsigned id = 0; id < s->nr_spaces; id++)
		if (s->space[id])
			INV("process.c", 1,
			    s->space[id]->users > 0 && s->space[id]->users == count_users(s, s->space[id]));
	for (const struct process *p = s->processes; p; p = p->next) {
		INV("process.c", 1, !p->space || (p->space->id < s->nr_spaces && s->space[p->space->id] == p->space));
		INV("process.c", 2, p->threads == count_threads(s, p));
	}
}

static void ran_add(u64 sum[4], const struct sim_ran *r)
{
	sum[0] += r->instructions;
	sum[1] += r->data_accesses;
	sum[2] += r->fetch_page_changes;
	sum[3] += r->syscalls;
}

static void check_programs(const struct sim *s)
{
	const struct sim_program *all = &s->program;
	u64 total[4] = {all->instructions, all->data_accesses, all->fetch_page_changes, all->syscalls};
	u64 programs[4] = {0}, processes[4] = {0};

	for (u32 i = 0; i < s->nr_programs; i++)
		if (s->program_row[i].counted)
			ran_add(programs, &s->program_row[i].info.ran);
	for (u32 i = 0; i < s->nr_rows; i++)
		ran_add(processes, &s->row[i].ran);
	for (unsigned i = 0; i < ARRAY_SIZE(total); i++)
		INV("programs.c", 1, programs[i] == total[i] && processes[i] == total[i]);
	for (const struct process *p = s->processes; p; p = p->next) {
		u32 row = (u32)p->payer;

		INV("programs.c", 2, p->payer >> 32 == p->program && p->program < s->nr_programs && row < s->nr_rows);
		INV("programs.c", 2, row == SIM_MAX_ROWS || s->row[row].pid == p->pid);
		INV("programs.c", 2, !p->space || p->space->map.program == p->program);
	}
}

static void check_timeline(const struct sim *s)
{
	const struct timeline *t = &s->timeline;

	INV("timeline.h", 1, t->nr < TIMELINE_SLICES);
	for (unsigned i = 0; i < t->nr; i++)
		INV("timeline.h", 1, t->end[i] <= (i + 1 < t->nr ? t->end[i + 1] - 1 : s->program.instructions));
}

static void check_heat(const struct sim *s)
{
	const struct heat *h = &s->heat;

	INV("heat.h", 1, h->nr <= HEAT_BLOCKS);
	for (unsigned i = 0; i < h->nr; i++)
		INV("heat.h", 1, heat_finds(h, i));
}

static bool process_lives(const struct sim *s, const struct process *process)
{
	const struct process *p = s->processes;

	while (p && p != process)
		p = p->next;
	return p;
}

static void check_streams(const struct sim *s)
{
	u64 cpus = 0;

	for (unsigned i = 0; i < s->nr_streams; i++) {
		const struct stream *t = s->stream[i];

		if (!t)
			continue;
		INV("decode.c", 1, (t->state == STREAM_LIVE) == (t->process != NULL));
		INV("decode.c", 1, !t->process || process_lives(s, t->process));
		INV("decode.c", 2, t->nr_slice < SIM_SLICE && (t->nr_slice == 0 || (t->process && t->process->space)));
		INV("decode.c", 3, t->nr_part <= 1 + ev_words(t->part[0]));
		INV("pump.c", 1, !t->waits || t->nr_part == 1 + ev_words(t->part[0]));
		INV("pump.c", 1, !t->waits || ev_type(t->part[0]) == EV_CLOCK || ev_type(t->part[0]) == EV_THREAD);
		cpus |= t->state == STREAM_LIVE ? 1ull << t->cpu : 0;
	}
	INV("process.c", 4, s->cpus_used == cpus);
}

/* ---- regions ---- */

static void check_regions(const struct sim *s, const struct region_map *map)
{
	for (unsigned i = 0; i < map->nr; i++) {
		const struct span *span = &map->span[i], *below = i ? span - 1 : NULL;

		INV("regions.h", 1, span->start < span->end && span->region < s->regions.nr);
		INV("regions.h", 1, !below || below->end <= span->start);
		INV("regions.h", 2, !below || below->end < span->start || below->region != span->region);
	}
	for (unsigned i = 0; i < map->nr; i++) {
		unsigned region = map->span[i].region;

		INV("regions.h", 3,
		    region == s->regions.other || s->regions.region[region].info.program == map->program);
	}
}

/* ---- machines ---- */

static bool space_lives(const struct machine *m, const struct space *sp)
{
	for (unsigned id = 0; id < m->sim->nr_spaces; id++)
		if (m->sim->space[id] && m->sim->space[id] == sp)
			return machine_has(m, sp);
	return false;
}

static bool mm_lives(const struct machine *m, const struct mm_struct *mm)
{
	for (unsigned id = 0; id < m->cap_spaces; id++)
		if (m->space[id].mm == mm)
			return true;
	return false;
}

static void check_touch(const struct touch_table *t)
{
	u64 huge = 0, touched = 0;

	for (unsigned i = 0; i < t->cap; i++) {
		u64 bits = 0;

		for (unsigned k = 0; k < ARRAY_SIZE(t->chunk[i].bits); k++)
			bits += __builtin_popcountll(t->chunk[i].bits[k]);
		INV("touch.h", 1, t->chunk[i].huge || bits == 0);
		huge += t->chunk[i].huge;
		touched += bits;
	}
	INV("touch.h", 1, t->huge_chunks == huge && t->touched_pages == touched);
}

static void check_window(const struct machine_thread *th)
{
	for (unsigned slot = 0; slot < ARRAY_SIZE(th->slot); slot++) {
		u64 word = th->slot[slot].word;
		bool fetch = slot >= MMU_WINDOW_DATA;

		INV("cpu.c", 1, word == 0 || (ev_type(word) == EV_ENTER && ev_enter_slot(word) == slot));
		INV("cpu.c", 1, word == 0 || (ev_enter_rwx(word) == EVR_FETCH) == fetch);
		INV("cpu.c", 1, th->slot[slot].at <= th->entered[fetch]);
	}
}

static void check_lines(const u64 from[MMU_NPLACES][2], u64 steps)
{
	u64 nearest = 0, farthest = 0; /* in memory, in L3 or farther, all */

	for (unsigned place = MMU_NPLACES; place-- > 0;) {
		nearest += from[place][MMU_NEAREST];
		farthest += from[place][MMU_FARTHEST];
		INV_OF("mmu/lines.h", 1, nearest <= farthest);
	}
	INV_OF("mmu/lines.h", 2, nearest == steps && farthest == steps);
}

static void check_machine(const struct machine *m)
{
	INV("machine.c", 3, m->rss_pages <= m->peak_rss_pages);
	INV("machine.c", 4, !m->running || space_lives(m, m->running));
	for (unsigned i = 0; i < HW_SOFT_CPUS; i++) {
		const struct machine_cpu *c = &m->cpu[i];

		INV("machine.c", 2, !c->mm || mm_lives(m, c->mm));
		INV("entry.c", 1, !c->hw || c->in_kernel || (c->runs && c->mm));
		if (!c->counters)
			continue;
		check_lines(c->counters->read_from, c->counters->walk_steps[0]);
		check_lines(c->counters->host_read_from, c->counters->host_steps);
	}
	for (unsigned id = 0; id < m->cap_spaces; id++) {
		INV("process.c", 3, !m->space[id].mm || (id < m->sim->nr_spaces && m->sim->space[id]));
		INV("machine.c", 5, !m->space[id].killed);
	}
	for (unsigned i = 0; i < m->cap_threads; i++)
		check_window(&m->thread[i]);
	check_touch(&m->touch);
}

bool sim_check(const struct sim *s)
{
	check_processes(s);
	check_programs(s);
	check_timeline(s);
	check_heat(s);
	check_streams(s);
	for (unsigned id = 0; id < s->nr_spaces; id++)
		if (s->space[id])
			check_regions(s, &s->space[id]->map);
	for_each_machine(s, m) check_machine(m);
	return true;
}
