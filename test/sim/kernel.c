/* SPDX-License-Identifier: MIT
 *
 * test/sim/kernel.c - kernel entries and shared CPUs: what is counted is what the program did; KPTI and the scheduler
 * change what translation costs, and nothing that the program can see.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "test/sim/tape.h"

#define A          0x7ffe00000000ull
#define HEAP       0x555555560000ull
#define TEXT       0x400000ull
#define RW         (PROT_READ | PROT_WRITE)
#define TICK       12000000ull /* instructions: 3 GHz, one a cycle, 250 Hz */
#define CHECKED    ",ram=1G,check=1,oracle=1"
#define NR_STREAMS 12

static void begin(struct tape *t, bool unfiltered)
{
	tape_init(t, unfiltered);
	tape_thread(t, 10, 10, 0);
	tape_exec(t, HEAP);
	tape_map_file(t, TEXT, 64 * PAGE_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE, 3, 64 * PAGE_SIZE, "/bin/prog");
	tape_map(t, A, 32 * MIB, RW, MAP_PRIVATE);
}

static void syscall_event(struct tape *t)
{
	tape_put(t, EV_SYSCALL, 39, NULL, 0);
}

static u64 sum(const u64 *n, unsigned nr)
{
	u64 all = 0;

	while (nr--)
		all += *n++;
	return all;
}

/* ---- entries ---- */

static void entries_by_cause(void **state)
{
	static const char *const machines[] = {"4k", "4k,kpti=on", "4k,kpti=on,pcid=off"};
	struct sim_result before, after;
	struct tape t;

	for (unsigned i = 0; i < ARRAY_SIZE(machines); i++) {
		struct sim *s = tape_sim(machines[i], CHECKED);
		const struct sim_machine_result *b, *a;
		u64 n[KERNEL_ENTRY_NR], loads, entries;
		bool kpti = i > 0;

		begin(&t, false);
		tape_sweep(&t, A, PAGE_SIZE, EVR_WRITE);
		assert_int_equal(sim_feed(s, 0, t.word, t.nr), 0);
		sim_finish(s, &before);
		b = &before.machine[0];
		memcpy(n, b->count.kernel_entries, sizeof(n));
		loads = b->count.mmu.cr3_loads;
		tape_free(&t);
		tape_init(&t, false);
		for (unsigned k = 0; k < 50; k++) {
			tape_access(&t, A, EVR_READ);
			syscall_event(&t);
			tape_range(&t, EV_TOUCH, EVR_WRITE, A, 8); /* the same call */
		}
		tape_sweep(&t, A, 101 * PAGE_SIZE, EVR_WRITE); /* 100 faults */
		tape_counts(&t, 7 * TICK + 5, 0, 0);
		tape_access(&t, A, EVR_READ);
		assert_int_equal(sim_feed(s, 0, t.word, t.nr), 0);
		sim_finish(s, &after);
		a = &after.machine[0];
		assert_int_equal(a->count.kernel_entries[KERNEL_SYSCALL] - n[KERNEL_SYSCALL], 50);
		assert_int_equal(a->count.kernel_entries[KERNEL_FAULT] - n[KERNEL_FAULT], 100);
		assert_int_equal(a->count.kernel_entries[KERNEL_TICK] - n[KERNEL_TICK], 7);
		assert_int_equal(a->count.kernel_entries[KERNEL_IPI], 0);
		entries = sum(a->count.kernel_entries, KERNEL_ENTRY_NR) - sum(n, KERNEL_ENTRY_NR);
		assert_int_equal(a->count.mmu.cr3_loads - loads, kpti ? 2 * entries : 0);
		assert_int_equal(a->cfg.kpti, kpti);
		assert_int_equal(a->cfg.pcid, i < 2);
		sim_destroy(s);
		tape_free(&t);
	}
}

/* The totals of a stream from nowhere make more ticks than anybody can simulate: they are counted. */
static void absurd_time(void **state)
{
	struct sim *s = tape_sim("4k,kpti=on", ",ram=64M");
	struct sim_result r;
	struct tape t;

	begin(&t, false);
	tape_access(&t, A, EVR_READ);
	tape_counts(&t, ~0ull, 0, 0);
	tape_access(&t, A + MIB, EVR_READ);
	assert_int_equal(sim_feed(s, 0, t.word, t.nr), 0);
	sim_finish(s, &r);
	assert_true(r.machine[0].count.kernel_entries[KERNEL_TICK] == ~0ull / TICK);
	sim_destroy(s);
	tape_free(&t);
}

/* A program with a hot set, a cold one, system calls and ticks. */
static void program(struct tape *t, bool unfiltered, unsigned steps)
{
	u64 random = 7;

	begin(t, unfiltered);
	for (unsigned i = 0; i < steps; i++) {
		u64 r = tape_random(&random);

		tape_access(t, TEXT + r % 3 * PAGE_SIZE, EVR_FETCH);
		tape_access(t, TAPE_STACK_TOP - 1 - (r >> 8) % (2 * PAGE_SIZE), EVR_WRITE);
		tape_access(t, A + (r >> 16) % (4 * PAGE_SIZE), EVR_READ);
		if (i % 4 == 0)
			tape_access(t, A + (i / 4 * PAGE_SIZE) % (24 * MIB), EVR_WRITE);
		if (i % 200 == 0)
			syscall_event(t);
		if (i % 50 == 0)
			tape_counts(t, (i + 1) * TICK / 100, i, i);
	}
	tape_exit(t, EVX_EXIT);
}

/* What KPTI costs, and that it changes nothing else. */
static void kpti_in_one_run(void **state)
{
	const struct sim_machine_result *plain, *pcid, *none;
	struct sim_result r;
	struct sim *s;
	struct tape t;

	program(&t, false, 20000);
	s = tape_played(&t, "4k;4k,kpti=on;4k,kpti=on,pcid=off", CHECKED, &r);
	plain = &r.machine[0];
	pcid = &r.machine[1];
	none = &r.machine[2];
	for (unsigned i = 1; i < 3; i++) {
		assert_memory_equal(r.machine[i].count.os.faults, plain->count.os.faults,
				    sizeof(plain->count.os.faults));
		assert_memory_equal(r.machine[i].count.kernel_entries, plain->count.kernel_entries,
				    sizeof(plain->count.kernel_entries));
	}
	assert_int_equal(pcid->count.mmu.cr3_loads, none->count.mmu.cr3_loads);
	assert_true(pcid->count.mmu.cr3_flushes < 10 && none->count.mmu.cr3_flushes == none->count.mmu.cr3_loads);
	/* PCIDs keep what the plain machine keeps, but for user pages that the kernel copies from or to. */
	assert_true(pcid->count.mmu.l2_miss[0] < plain->count.mmu.l2_miss[0] + plain->count.mmu.l2_miss[0] / 20 + 20);
	/* Each entry without them costs the hot pages again: stack and data, twice the kernel's. */
	assert_true(none->count.mmu.l2_miss[0] >
		    plain->count.mmu.l2_miss[0] + 5 * sum(none->count.kernel_entries, KERNEL_ENTRY_NR));
	assert_true(none->count.kernel_walks[0] > 3 * sum(none->count.kernel_entries, KERNEL_ENTRY_NR));
	sim_destroy(s);
	tape_free(&t);
}

/* A window that a CR3 load flushed: the misses that nobody sends are made up for, within bounds. */
static void flushed_windows(void **state)
{
	struct sim_result f, u;
	struct sim *s1, *s2;
	struct tape tf, tu;

	program(&tf, false, 20000);
	program(&tu, true, 20000);
	s1 = tape_played(&tf, "4k,kpti=on,pcid=off", ",ram=1G", &f);
	s2 = tape_played(&tu, "4k,kpti=on,pcid=off", ",ram=1G", &u);
	for (unsigned kind = 0; kind < 2; kind++) {
		u64 a = f.machine[0].count.mmu.l2_miss[kind], b = u.machine[0].count.mmu.l2_miss[kind];

		if (a < b * 90 / 100 || a > b * 110 / 100)
			fail_msg("kind %u: %llu misses filtered, %llu unfiltered", kind, (unsigned long long)a,
				 (unsigned long long)b);
	}
	sim_destroy(s1);
	sim_destroy(s2);
	tape_free(&tf);
	tape_free(&tu);
}

/* ---- shared CPUs ---- */

/* A thread or process of the crowd: accesses of its own, some system calls, some mapping changes. */
static void member(struct tape *t, u64 base, unsigned seed, unsigned steps)
{
	u64 random = seed * 2 + 1;

	for (unsigned i = 0; i < steps; i++) {
		u64 r = tape_random(&random);

		tape_access(t, base + (r >> 8) % (512 * PAGE_SIZE), r % 3 ? EVR_READ : EVR_WRITE);
		if (i % 1000 == 999)
			syscall_event(t);
		if (i % 5000 == 4999)
			tape_range(t, EV_ADVISE, MADV_DONTNEED, base + (r >> 40) % 256 * PAGE_SIZE, 64 * PAGE_SIZE);
	}
	tape_exit(t, EVX_EXIT);
}

struct crowd {
	struct tape first, t[NR_STREAMS];
	unsigned nr;
};

/* forked: processes; else threads of one. Stream 0 begins, the others go on. */
static void crowd_init(struct crowd *c, unsigned nr, bool forked, unsigned steps)
{
	c->nr = nr;
	begin(&c->first, false);
	tape_sweep(&c->first, A, MIB, EVR_WRITE);
	for (unsigned i = 1; forked && i < nr; i++)
		tape_fork(&c->first, 10 + i, 0);
	for (unsigned i = 0; i < nr; i++) {
		tape_init(&c->t[i], false);
		if (i > 0)
			tape_thread(&c->t[i], forked ? 10 + i : 10, 10 + i, 0);
		member(&c->t[i], forked ? A : A + i * 2 * MIB, i, steps);
	}
}

static void crowd_free(struct crowd *c)
{
	tape_free(&c->first);
	for (unsigned i = 0; i < c->nr; i++)
		tape_free(&c->t[i]);
}

/* The streams in turns, `piece` words each. */
static struct sim *crowd_play(const struct crowd *c, const char *machines, const char *extra, size_t piece,
			      struct sim_result *r)
{
	struct sim *s = tape_sim(machines, extra);
	size_t at[NR_STREAMS] = {0};
	bool more = true;

	assert_int_equal(sim_feed(s, 0, c->first.word, c->first.nr), 0);
	while (more) {
		more = false;
		for (unsigned i = 0; i < c->nr; i++) {
			size_t n = min(piece, c->t[i].nr - at[i]);

			assert_int_equal(sim_feed(s, i, c->t[i].word + at[i], n), 0);
			at[i] += n;
			more |= at[i] < c->t[i].nr;
		}
	}
	sim_finish(s, r);
	assert_int_equal(r->program.malformed, 0);
	for (unsigned i = 0; i < r->nr_machines; i++) {
		assert_string_equal(r->machine[i].error, "");
		assert_int_equal(r->machine[i].count.mismatches, 0);
	}
	return s;
}

/* More processes than PCIDs on one CPU, every hit checked; all machines see the same faults. */
static void storm(void **state)
{
	struct sim_result r;
	struct crowd c;
	struct sim *s;

	crowd_init(&c, 10, true, 20000);
	s = crowd_play(&c, "4k;4k,cpus=1;4k,cpus=3;4k,cpus=1,pcid=off;4k,cpus=1,kpti=on;4k,cpus=2,kpti=on,pcid=off",
		       CHECKED, 500, &r);
	for (unsigned i = 1; i < r.nr_machines; i++)
		assert_memory_equal(r.machine[i].count.os.faults, r.machine[0].count.os.faults,
				    sizeof(r.machine[0].count.os.faults));
	assert_int_equal(r.machine[0].count.thread_switches, 0);
	assert_true(r.machine[1].count.thread_switches > 9 * 19);
	assert_true(r.machine[1].count.os.context_switches >= r.machine[1].count.thread_switches);
	assert_true(r.machine[3].count.mmu.l2_miss[0] > r.machine[1].count.mmu.l2_miss[0]);
	assert_int_equal(r.machine[1].count.os.ipis, 0);
	sim_destroy(s);
	crowd_free(&c);
}

/* Threads of one address space: on one CPU nobody is interrupted and CR3 stays, on several each change is shot down. */
static void threads(void **state)
{
	struct sim_result r;
	struct crowd c;
	struct sim *s;

	crowd_init(&c, 4, false, 20000);
	s = crowd_play(&c, "4k;4k,cpus=1;4k,cpus=2;4k,cpus=4;4k,cpus=4,kpti=on", CHECKED, 500, &r);
	for (unsigned i = 1; i < r.nr_machines; i++)
		assert_memory_equal(r.machine[i].count.os.faults, r.machine[0].count.os.faults,
				    sizeof(r.machine[0].count.os.faults));
	assert_int_equal(r.machine[1].count.os.ipis, 0);
	assert_int_equal(r.machine[1].count.kernel_entries[KERNEL_IPI], 0);
	assert_true(r.machine[1].count.thread_switches > 0 && r.machine[1].count.os.context_switches < 4);
	assert_true(r.machine[2].count.os.ipis > 0 && r.machine[3].count.os.ipis > r.machine[2].count.os.ipis);
	assert_int_equal(r.machine[3].count.thread_switches, 0);
	assert_int_equal(r.machine[3].count.os.ipis,
			 r.machine[0].count.os.ipis); /* as many CPUs as threads: each its own */
	assert_true(r.machine[3].count.kernel_entries[KERNEL_IPI] <= r.machine[3].count.os.ipis);
	assert_int_equal(r.machine[4].count.kernel_entries[KERNEL_IPI], r.machine[3].count.kernel_entries[KERNEL_IPI]);
	sim_destroy(s);
	crowd_free(&c);
}

/* What one thread did before another took the memory away is done before, though its slice is not whole. */
static void mappings_wait_for_slices(void **state)
{
	struct sim *s = tape_sim("4k;4k,cpus=1;4k,cpus=2", CHECKED);
	struct sim_result r;
	struct tape t;

	begin(&t, false);
	assert_int_equal(sim_feed(s, 0, t.word, t.nr), 0);
	for (unsigned i = 0; i < 20; i++) {
		tape_free(&t);
		tape_init(&t, false);
		tape_clock(&t, i); /* the other's change took the window away */
		tape_sweep(&t, A + i * MIB, MIB, EVR_WRITE);
		assert_int_equal(sim_feed(s, 0, t.word, t.nr), 0);
		tape_free(&t);
		tape_init(&t, false);
		if (i == 0)
			tape_thread(&t, 10, 11, 0);
		tape_range(&t, EV_UNMAP, 0, A + i * MIB, MIB);
		assert_int_equal(sim_feed(s, 1, t.word, t.nr), 0);
	}
	sim_finish(s, &r);
	for (unsigned i = 0; i < r.nr_machines; i++) {
		assert_int_equal(r.machine[i].count.os.faults[VM_FAULT_ZERO_WRITE], 20 * 256);
		assert_int_equal(r.machine[i].count.os.faults[VM_FAULT_MAPERR], 0);
		assert_int_equal(r.machine[i].count.mismatches, 0);
	}
	sim_destroy(s);
	tape_free(&t);
}

static bool same(const struct sim_machine_result *a, const struct sim_machine_result *b)
{
	struct sim_machine_result x = *a, y = *b;

	x.region = y.region = NULL;
	x.slice = y.slice = NULL;
	x.block = y.block = NULL;
	x.program_count = y.program_count = NULL;
	x.process_share = y.process_share = NULL;
	return memcmp(&x, &y, sizeof(x)) == 0;
}

/* The same words give the same bytes; other pieces may give other turns, and the same faults. */
static void scheduler_is_deterministic(void **state)
{
	static const size_t piece[] = {700, 700, 90};
	struct sim_result r[ARRAY_SIZE(piece)];
	struct sim *s[ARRAY_SIZE(piece)];
	struct crowd c;

	crowd_init(&c, 6, true, 10000);
	for (unsigned i = 0; i < ARRAY_SIZE(piece); i++)
		s[i] = crowd_play(&c, "4k,cpus=2;4k,cpus=1,kpti=on", ",ram=1G", piece[i], &r[i]);
	for (unsigned k = 0; k < 2; k++) {
		assert_true(same(&r[0].machine[k], &r[1].machine[k]));
		assert_int_equal(sum(r[0].machine[k].count.os.faults, VM_FAULT_NR),
				 sum(r[2].machine[k].count.os.faults, VM_FAULT_NR));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(piece); i++)
		sim_destroy(s[i]);
	crowd_free(&c);
}

/* Two processes in slices that end inside their windows: at each return the 16 pages of the window enter again, no more
 * and no less; nothing else is new. */
static void windows_over_switches(void **state)
{
	const unsigned slices = 6, per_slice = 32768;
	struct sim *s =
	    tape_sim("4k,kernel=off;4k,kernel=off,cpus=1;4k,kernel=off,cpus=1,pcid=off", ",ram=1G,oracle=1");
	struct sim_result r;
	struct tape t;

	begin(&t, false);
	tape_sweep(&t, A, 2048 * PAGE_SIZE, EVR_WRITE);
	tape_fork(&t, 11, 0);
	assert_int_equal(sim_feed(s, 0, t.word, t.nr), 0);
	for (unsigned slice = 0; slice < slices; slice++) {
		for (unsigned i = 0; i < 2; i++) {
			tape_free(&t);
			tape_init(&t, false);
			if (i == 1 && slice == 0)
				tape_thread(&t, 11, 11, 0);
			for (u64 k = 0; k < per_slice; k++) /* each page long out of the window: an event each */
				tape_access(&t, A + k % 2048 * PAGE_SIZE, EVR_READ);
			assert_int_equal(sim_feed(s, i, t.word, t.nr), 0);
		}
	}
	sim_finish(s, &r);
	for (unsigned i = 1; i < 3; i++) {
		assert_int_equal(r.machine[i].count.thread_switches, 2 * slices - 1);
		assert_int_equal(r.machine[i].count.mmu.lookups[0] - r.machine[0].count.mmu.lookups[0],
				 16 * (r.machine[i].count.thread_switches - 1));
		assert_memory_equal(r.machine[i].count.os.faults, r.machine[0].count.os.faults,
				    sizeof(r.machine[0].count.os.faults));
	}
	assert_true(r.machine[2].count.mmu.l2_miss[0] >= r.machine[1].count.mmu.l2_miss[0]);
	sim_destroy(s);
	tape_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(entries_by_cause),
	    cmocka_unit_test(absurd_time),
	    cmocka_unit_test(kpti_in_one_run),
	    cmocka_unit_test(flushed_windows),
	    cmocka_unit_test(storm),
	    cmocka_unit_test(threads),
	    cmocka_unit_test(mappings_wait_for_slices),
	    cmocka_unit_test(scheduler_is_deterministic),
	    cmocka_unit_test(windows_over_switches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
