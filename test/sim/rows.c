/* SPDX-License-Identifier: MIT
 *
 * test/sim/rows.c - programs and processes as rows. The oracles: each program played alone; the same tapes without
 * rows; and that what counts and what does not are together what all is.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "sim/internal.h"
#include "test/sim/tape.h"

#define A         0x7f0000000000ull
#define HEAP      0x555555560000ull
#define RW        (PROT_READ | PROT_WRITE)
#define PROGRAMS  3
#define INTERVALS 4
#define MACHINES  "4k;thp;4k,cpus=1,kpti=on;4k,ram=4M,swap=64M,cpus=2"

static const char *const path[PROGRAMS] = {"/bin/one", "/usr/bin/two words", "three"};

/* What program n does in an interval: memory that comes and goes, and that it walks all over. */
static void interval(struct tape *t, unsigned n, unsigned i, u64 counts[3])
{
	u64 base = A + n * (1ull << 32), random = 77 * n + i + 1;

	tape_map(t, base + i * 8 * MIB, 4 * MIB, RW, MAP_PRIVATE);
	tape_sweep(t, base + i * 8 * MIB, (n + 1) * MIB / 2, EVR_WRITE);
	for (unsigned k = 0; k < 600 * (n + 1); k++)
		tape_access(t, base + i * 8 * MIB + tape_random(&random) % (4 * MIB),
			    tape_random(&random) % 2 ? EVR_READ : EVR_WRITE);
	counts[0] += 7000 * (n + 1) + i;
	counts[1] += 600 * (n + 1);
	counts[2] += n;
	tape_counts(t, counts[0], counts[1], counts[2]);
	tape_put(t, EV_SYSCALL, 1, NULL, 0);
	if (i % 2)
		tape_range(t, EV_UNMAP, 0, base + (i - 1) * 8 * MIB, 4 * MIB);
}

/* The words of program n, an interval each; pid 100 + n. */
static void make(struct tape t[INTERVALS], unsigned n)
{
	u64 counts[3] = {0};

	for (unsigned i = 0; i < INTERVALS; i++) {
		tape_init(&t[i], false);
		if (i == 0) {
			tape_thread(&t[i], 100 + n, 100 + n, 0);
			tape_exec_path(&t[i], HEAP, path[n], 50 + n);
		}
		interval(&t[i], n, i, counts);
		if (i == INTERVALS - 1)
			tape_exit(&t[i], EVX_EXIT);
	}
}

/* Intervals [from, to) of the programs in `which` (bits), in turns. */
static void play(struct sim *s, unsigned which, unsigned from, unsigned to)
{
	for (unsigned n = 0; n < PROGRAMS; n++) {
		struct tape t[INTERVALS];

		make(t, n);
		if (which & 1u << n)
			for (unsigned i = from; i < to; i++)
				assert_int_equal(sim_feed(s, n, t[i].word, t[i].nr), 0);
		for (unsigned i = 0; i < INTERVALS; i++)
			tape_free(&t[i]);
	}
}

static void play_in_turns(struct sim *s, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		play(s, ~0u, i, i + 1);
}

static u64 sum(const u64 *v, unsigned n)
{
	u64 all = 0;

	for (unsigned i = 0; i < n; i++)
		all += v[i];
	return all;
}

/* The rows' figures add up to the totals. whole: these are all that the machines' hardware and their mm/ counted. */
static void adds_up(const struct sim *s, const struct sim_result *r, bool whole)
{
	u64 programs[4] = {0}, processes[4] = {0};

	for (unsigned type = 0; type < EV_NR; type++)
		assert_int_equal(r->program.dropped[type], 0);
	for (unsigned i = 0; i < r->nr_program_rows; i++)
		for (unsigned k = 0; k < 4; k++)
			programs[k] += (&r->program_row[i].ran.instructions)[k];
	for (unsigned i = 0; i < r->nr_process_rows; i++)
		for (unsigned k = 0; k < 4; k++)
			processes[k] += (&r->process_row[i].ran.instructions)[k];
	for (unsigned k = 0; k < 4; k++) {
		assert_int_equal(programs[k], (&r->program.instructions)[k]);
		assert_int_equal(processes[k], (&r->program.instructions)[k]);
	}
	for (unsigned i = 0; i < r->nr_machines; i++) {
		const struct sim_machine_result *m = &r->machine[i];
		const struct mmu_counters *k = &m->count.mmu;
		u64 total[] = {sum(m->count.os.faults, VM_FAULT_NR), m->count.os.major_faults, k->walks[0], k->walks[1],
			       k->walk_faults[0] + k->walk_faults[1]};
		u64 got[ARRAY_SIZE(total)] = {0};
		struct machine_counters hw;

		for (unsigned n = 0; n < r->nr_process_rows; n++)
			for (unsigned f = 0; f < ARRAY_SIZE(total); f++)
				got[f] += (&m->process_share[n].faults)[f];
		assert_memory_equal(got, total, sizeof(total));
		if (!whole)
			continue;
		machine_counters_read(s->machine[i].hw, &hw);
		assert_memory_equal(&m->count.os, &hw.os, sizeof(hw.os));
		assert_memory_equal(k, &hw.mmu, sizeof(hw.mmu));
	}
}

/* A new table's lines are in the caches where its frame was a table of this CPU's before, which depends on who else took
 * frames: by so many entries the places may differ. All that was read lay somewhere. */
static void lines_alike(const struct machine_counters *row, const struct machine_counters *alone)
{
	const u64 lines = row->os.tables_made * (PAGE_SIZE / 64);

	for (unsigned which = 0; which < 2; which++) {
		u64 n = 0;

		for (unsigned place = 0; place < MMU_NPLACES; place++) {
			u64 a = row->mmu.read_from[place][which], b = alone->mmu.read_from[place][which];

			assert_true(max(a, b) - min(a, b) <= lines);
			n += a;
		}
		assert_int_equal(n, alone->mmu.walk_steps[0]);
	}
}

/* Three programs beside each other, each on a CPU of its own and with memory enough: each row is what the program gives
 * alone. On CPUs that they share, and where memory is short, they still add up. */
static void as_if_alone(void **state)
{
	struct sim *s = tape_sim(MACHINES, ",check=1");
	struct sim_result all, one;

	play_in_turns(s, 0, INTERVALS);
	sim_finish(s, &all);
	assert_int_equal(all.nr_program_rows, PROGRAMS);
	assert_int_equal(all.nr_process_rows, PROGRAMS);
	adds_up(s, &all, true);
	assert_true(all.machine[3].count.os.swap_outs > 0);
	assert_true(all.machine[2].count.thread_switches > 0);
	for (unsigned n = 0; n < PROGRAMS; n++) {
		struct sim *alone = tape_sim(MACHINES, "");
		const struct sim_program_row *p = &all.program_row[n];

		play(alone, 1u << n, 0, INTERVALS);
		sim_finish(alone, &one);
		assert_string_equal(p->path, path[n]);
		assert_int_equal(p->processes, 1);
		assert_int_equal(all.process_row[n].pid, 100 + n);
		assert_int_equal(all.process_row[n].program, n);
		assert_memory_equal(&p->ran, &one.program.instructions, sizeof(p->ran));
		for (unsigned m = 0; m < 2; m++) {
			struct machine_counters *row = &all.machine[m].program_count[n];

			lines_alike(row, &one.machine[m].count);
			memcpy(row->mmu.read_from, one.machine[m].count.mmu.read_from, sizeof(row->mmu.read_from));
			assert_memory_equal(row->os.faults, one.machine[m].count.os.faults, sizeof(row->os.faults));
			assert_memory_equal(&row->mmu, &one.machine[m].count.mmu, sizeof(row->mmu));
			assert_int_equal(row->peak_rss_bytes, one.machine[m].count.peak_rss_bytes);
		}
		for (unsigned i = 0; i < one.nr_regions; i++)
			assert_int_equal(one.region[i].program, 0);
		sim_destroy(alone);
	}
	for (unsigned i = 0; i < all.nr_regions; i++)
		if (all.region[i].start >= A && all.region[i].start < A + PROGRAMS * (1ull << 32))
			assert_int_equal(all.region[i].program, (all.region[i].start - A) >> 32);
	sim_destroy(s);
}

/* Counter by counter, a and b are together what all is. */
static void together(const struct sim_machine_result *a, const struct sim_machine_result *b,
		     const struct sim_machine_result *all)
{
	const size_t os = sizeof(all->count.os) / sizeof(u64), mmu = sizeof(all->count.mmu) / sizeof(u64);

	for (size_t i = 0; i < os; i++)
		assert_int_equal(((u64 *)&a->count.os)[i] + ((u64 *)&b->count.os)[i], ((u64 *)&all->count.os)[i]);
	for (size_t i = 0; i < mmu; i++)
		assert_int_equal(((u64 *)&a->count.mmu)[i] + ((u64 *)&b->count.mmu)[i], ((u64 *)&all->count.mmu)[i]);
	for (unsigned i = 0; i < KERNEL_ENTRY_NR; i++)
		assert_int_equal(a->count.kernel_entries[i] + b->count.kernel_entries[i], all->count.kernel_entries[i]);
	assert_int_equal(a->count.minflt + b->count.minflt, all->count.minflt);
	for (unsigned i = 0; i < MAP_CALL_NR; i++)
		assert_int_equal(a->count.map_calls[i] + b->count.map_calls[i], all->count.map_calls[i]);
	assert_int_equal(a->count.kernel_walk_steps + b->count.kernel_walk_steps, all->count.kernel_walk_steps);
	assert_int_equal(a->bill.sum.most + b->bill.sum.most, all->bill.sum.most);
	assert_int_equal(a->count.io_wait_ns + b->count.io_wait_ns, all->count.io_wait_ns);
}

static u64 region_walks(const struct sim_result *r, unsigned machine)
{
	u64 n = 0;

	for (unsigned i = 0; i < r->nr_regions; i++)
		n += r->machine[machine].region[i].walks[0];
	return n;
}

/* With some programs left out, the machines do the same; what is told of the one half and of the other is the whole. */
static void some_count(void **state)
{
	static const char *const patterns[] = {"t*", "/usr/*/two words"};

	for (unsigned n = 0; n < ARRAY_SIZE(patterns); n++) {
		struct sim *s[3];
		struct sim_result r[3];

		for (unsigned i = 0; i < 3; i++) {
			s[i] = tape_sim(MACHINES, ",check=1");
			sim_select(s[i], &patterns[n], i == 1, &patterns[n], i == 2);
			play_in_turns(s[i], 0, INTERVALS);
			sim_finish(s[i], &r[i]);
			adds_up(s[i], &r[i], i == 0);
		}
		assert_int_equal(r[1].nr_program_rows, n == 0 ? 2 : 1);
		assert_int_equal(r[1].nr_program_rows + r[2].nr_program_rows, PROGRAMS);
		assert_int_equal(r[1].beside.programs, r[2].nr_program_rows);
		assert_int_equal(r[1].beside.processes, r[2].program.processes);
		assert_int_equal(r[1].beside.instructions, r[2].program.instructions);
		assert_int_equal(r[1].program.processes + r[2].program.processes, r[0].program.processes);
		assert_int_equal(r[1].program.threads + r[2].program.threads, r[0].program.threads);
		assert_int_equal(r[1].program.events + r[2].program.events, r[0].program.events);
		assert_int_equal(r[1].nr_regions + r[2].nr_regions, r[0].nr_regions);
		for (unsigned m = 0; m < r[0].nr_machines; m++) {
			together(&r[1].machine[m], &r[2].machine[m], &r[0].machine[m]);
			assert_int_equal(region_walks(&r[1], m) + region_walks(&r[2], m), region_walks(&r[0], m));
			assert_int_equal(r[1].machine[m].count.peak_rss_bytes, r[0].machine[m].count.peak_rss_bytes);
		}
		for (unsigned i = 0; i < 3; i++)
			sim_destroy(s[i]);
	}
}

/* What is counted after a restart and what was before are together what all is: the machines were not disturbed. */
static void counted_anew(void **state)
{
	struct sim *s = tape_sim(MACHINES, ",check=1"), *whole = tape_sim(MACHINES, "");
	struct sim_result all, before, after;
	struct sim_machine_result early[4];

	play_in_turns(whole, 0, INTERVALS);
	sim_finish(whole, &all);
	play_in_turns(s, 0, 2);
	sim_finish(s, &before);
	memcpy(early, before.machine, sizeof(early));
	sim_restart(s);
	play_in_turns(s, 2, INTERVALS);
	sim_finish(s, &after);
	adds_up(s, &after, false);
	assert_int_equal(before.program.instructions + after.program.instructions, all.program.instructions);
	assert_int_equal(after.program.processes, PROGRAMS);
	assert_int_equal(after.program.threads, PROGRAMS);
	for (unsigned m = 0; m < all.nr_machines; m++) {
		if (m != 2 && m != 3) /* where threads share CPUs, to tell what is now ends their turns */
			together(&early[m], &after.machine[m], &all.machine[m]);
		assert_true(after.machine[m].count.peak_rss_bytes <= all.machine[m].count.peak_rss_bytes);
		assert_true(after.machine[m].count.peak_rss_bytes > 0);
		for (unsigned n = 0; m < 2 && n < PROGRAMS; n++)
			assert_true(after.machine[m].program_count[n].peak_rss_bytes > 0);
	}
	sim_destroy(s);
	sim_destroy(whole);
}

/* Who only sits there after a restart is told, with the memory that it has. */
static void sits_there(void **state)
{
	struct sim *s = tape_sim("4k", ",check=1");
	struct sim_result before, after;
	u64 peak;

	play(s, 1, 0, 1);
	sim_finish(s, &before);
	peak = before.machine[0].count.peak_rss_bytes;
	sim_restart(s);
	sim_finish(s, &after);
	assert_int_equal(after.program.processes, 1);
	assert_int_equal(after.nr_program_rows, 1);
	assert_int_equal(after.program_row[0].ran.instructions, 0);
	assert_int_equal(after.machine[0].process_share[0].peak_rss_bytes, peak);
	assert_int_equal(after.machine[0].count.peak_rss_bytes, peak);
	sim_destroy(s);
}

/* Nothing runs after a restart: nothing is counted. */
static void nothing_anew(void **state)
{
	struct sim *s = tape_sim("4k", "");
	struct sim_result r;

	sim_restart(s); /* before there is anything */
	play(s, 1, 0, INTERVALS);
	sim_restart(s);
	sim_finish(s, &r);
	assert_int_equal(r.program.instructions + r.program.processes + r.nr_program_rows + r.nr_process_rows, 0);
	assert_int_equal(r.nr_regions + r.machine[0].count.mmu.lookups[0] + r.machine[0].count.peak_rss_bytes, 0);
	sim_destroy(s);
}

/* A shell: forks; one child executes, one stays. Then it executes another program itself. */
static void family(void **state)
{
	struct sim *s = tape_sim("4k", ",check=3");
	struct sim_result r;
	struct tape t, child;

	tape_init(&t, false);
	tape_thread(&t, 100, 100, 7);
	tape_exec_path(&t, HEAP, "/bin/sh", 9);
	tape_map(&t, A, MIB, RW, MAP_PRIVATE);
	tape_sweep(&t, A, MIB, EVR_WRITE);
	tape_fork(&t, 101, 0);
	tape_fork(&t, 102, 0);
	tape_counts(&t, 1000, 0, 0);
	tape_exec_path(&t, HEAP, "/bin/tail", 11);
	tape_counts(&t, 1500, 0, 0);
	tape_exit(&t, EVX_EXIT);
	assert_int_equal(sim_feed(s, 0, t.word, t.nr), 0);
	for (unsigned i = 1; i <= 2; i++) {
		tape_init(&child, false);
		tape_thread(&child, 100 + i, 100 + i, 100);
		tape_sweep(&child, A, i * 16 * PAGE_SIZE, EVR_READ);
		tape_counts(&child, 10 * i, 0, 0);
		if (i == 1) {
			tape_exec_path(&child, HEAP, "/usr/bin/ls", 10);
			tape_counts(&child, 500, 0, 0);
		}
		tape_exit(&child, EVX_EXIT);
		assert_int_equal(sim_feed(s, i, child.word, child.nr), 0);
		tape_free(&child);
	}
	sim_finish(s, &r);
	adds_up(s, &r, true);
	assert_int_equal(r.nr_program_rows, 3);
	assert_string_equal(r.program_row[0].path, "/bin/sh");
	assert_int_equal(r.program_row[0].processes, 2); /* itself and the child that stayed */
	assert_int_equal(r.program_row[0].ran.instructions, 1000 + 10 + 20);
	assert_string_equal(r.program_row[1].path, "/bin/tail");
	assert_int_equal(r.program_row[1].ran.instructions, 500);
	assert_string_equal(r.program_row[2].path, "/usr/bin/ls");
	assert_int_equal(r.program_row[2].processes, 1);
	assert_int_equal(r.program_row[2].ran.instructions, 490);
	assert_int_equal(r.program.processes, 3);
	assert_int_equal(r.nr_process_rows, 3);
	assert_int_equal(r.process_row[0].pid, 100);
	assert_int_equal(r.process_row[0].parent_pid, 7);
	assert_int_equal(r.process_row[0].program, 1);
	assert_int_equal(r.process_row[1].pid, 101);
	assert_int_equal(r.process_row[1].parent_pid, 100);
	assert_int_equal(r.process_row[1].program, 2);
	assert_int_equal(r.process_row[1].ran.instructions, 500);
	assert_int_equal(r.machine[0].process_share[0].peak_rss_bytes, MIB);
	sim_destroy(s);
	tape_free(&t);
}

/* By name and identity: one file by two paths is one program, two files of one name are two, and where nobody knows
 * what file it was the name alone says. */
static void names(void **state)
{
	static const struct {
		const char *path;
		u64 ino;
		unsigned row;
	} exec[] = {{"/bin/sh", 5, 0}, {"/usr/bin/sh", 5, 0}, {"old/sh", 6, 1}, {"/bin/dash", 5, 2},
		    {"./x", 0, 3},     {"/home/x", 0, 3},     {"/", 0, 4},      {"a\n\x1b[2J", 0, 5}};
	struct sim *s = tape_sim("4k", "");
	struct sim_result r;

	for (unsigned i = 0; i < ARRAY_SIZE(exec); i++) {
		struct tape t;

		tape_init(&t, false);
		tape_thread(&t, 100 + i, 100 + i, 0);
		tape_exec_path(&t, HEAP, exec[i].path, exec[i].ino);
		tape_counts(&t, 1, 0, 0);
		assert_int_equal(sim_feed(s, i, t.word, t.nr), 0);
		tape_free(&t);
	}
	sim_finish(s, &r);
	assert_int_equal(r.nr_program_rows, 6);
	for (unsigned i = 0; i < ARRAY_SIZE(exec); i++)
		assert_int_equal(r.process_row[i].program, exec[i].row);
	sim_destroy(s);
}

/* 17 processes after one segment, inherited or mapped anew at another address: one region of their program. */
static void one_segment(void **state)
{
	struct sim *s = tape_sim("4k", ",check=1");
	struct sim_result r;
	u64 faults = 0;
	unsigned regions = 0;

	for (unsigned i = 0; i < 17; i++) {
		struct tape t;

		tape_init(&t, false);
		tape_thread(&t, 100 + i, 100 + i, i ? 100 : 0);
		if (i == 0 || i > 8)
			tape_exec_path(&t, HEAP, "/bin/server", 3);
		if (i == 0)
			tape_map_file(&t, A, MIB, RW, MAP_SHARED, 8, MIB, "/dev/shm/segment");
		else if (i > 8)
			tape_map_file(&t, A + i * 16 * MIB, MIB, RW, MAP_SHARED, 8, MIB, "/dev/shm/segment");
		tape_sweep(&t, i > 8 ? A + i * 16 * MIB : A, MIB, EVR_WRITE);
		for (unsigned k = 1; i == 0 && k <= 16; k++)
			tape_fork(&t, 100 + k, 0);
		assert_int_equal(sim_feed(s, i, t.word, t.nr), 0);
		tape_free(&t);
	}
	sim_finish(s, &r);
	for (unsigned i = 0; i < r.nr_regions; i++) {
		if (strcmp(r.region[i].name, "/dev/shm/segment") != 0)
			continue;
		regions++;
		faults += r.machine[0].region[i].faults;
		assert_int_equal(r.region[i].start, A);
		assert_int_equal(r.region[i].peak_bytes, MIB);
	}
	assert_int_equal(regions, 1);
	assert_true(faults >= MIB / PAGE_SIZE);
	assert_int_equal(r.program_row[0].processes, 17);
	sim_destroy(s);
}

/* More processes and programs than there are rows: the last row has the rest, and nothing is lost. */
static void very_many(void **state)
{
	const unsigned nr = 10000;
	struct sim *s = tape_sim("4k", "");
	struct sim_result r;

	for (unsigned i = 0; i < nr; i++) {
		struct tape t;
		char name[40];

		snprintf(name, sizeof(name), "/bin/program %u", i % 2000);
		tape_init(&t, false);
		tape_thread(&t, 100 + i, 100 + i, 1);
		tape_exec_path(&t, HEAP, name, 1 + i % 2000);
		tape_map(&t, A, MIB, RW, MAP_PRIVATE);
		tape_sweep(&t, A, 3 * PAGE_SIZE, EVR_WRITE);
		tape_counts(&t, 10 + i % 3, 3, 1);
		if (i % 10) /* the others stay */
			tape_exit(&t, EVX_EXIT);
		assert_int_equal(sim_feed(s, i % 10 ? 1000 : i / 10, t.word, t.nr), 0);
		tape_free(&t);
	}
	sim_finish(s, &r);
	adds_up(s, &r, true);
	assert_int_equal(r.program.processes, nr);
	assert_int_equal(r.nr_program_rows, SIM_MAX_PROGRAMS); /* one is what they were before they executed anything */
	assert_int_equal(r.nr_process_rows, SIM_MAX_ROWS + 1);
	assert_string_equal(r.program_row[SIM_MAX_PROGRAMS - 1].path, "[others]");
	assert_int_equal(r.process_row[SIM_MAX_ROWS].pid, 0);
	assert_int_equal(r.process_row[SIM_MAX_ROWS].program, SIM_NO_PROGRAM);
	assert_true(r.program_row[SIM_MAX_PROGRAMS - 1].processes > nr / 3);
	sim_restart(s);
	sim_finish(s, &r);
	assert_int_equal(r.nr_process_rows, nr / 10);
	sim_destroy(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(as_if_alone), cmocka_unit_test(some_count),   cmocka_unit_test(counted_anew),
	    cmocka_unit_test(sits_there),  cmocka_unit_test(nothing_anew), cmocka_unit_test(family),
	    cmocka_unit_test(names),       cmocka_unit_test(one_segment),  cmocka_unit_test(very_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
