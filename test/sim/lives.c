/* SPDX-License-Identifier: MIT
 *
 * test/sim/lives.c - who outlives whom: what a machine remembers of an address space, a process or a thread is gone
 * with it, on the machine where the OOM killer ended it, too.
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

#define A    0x7fff00000000ull
#define B    0x7ffe00000000ull
#define HEAP 0x555555560000ull
#define RW   (PROT_READ | PROT_WRITE)

static void feed(struct sim *s, unsigned stream, struct tape *t)
{
	assert_int_equal(sim_feed(s, stream, t->word, t->nr), 0);
	tape_free(t);
}

/* Whatever machines point to is one of the program's spaces, and lives on that machine. */
static void assert_pointers_live(const struct sim *s)
{
	for (unsigned i = 0; i < s->nr_machines; i++) {
		const struct machine *m = &s->machine[i];
		bool found = !m->running;

		for (unsigned id = 0; id < s->nr_spaces; id++)
			found |= s->space[id] && s->space[id] == m->running && machine_has(m, s->space[id]);
		assert_true(found);
	}
}

static void left_by_exit(void **state)
{
	struct sim *s = tape_sim("4k;thp,kpti=on;4k,cpus=1", ",ram=64M,check=3");
	struct tape t;

	tape_begin(&t, 1, HEAP);
	tape_exit(&t, EVX_EXIT);
	feed(s, 0, &t);
	assert_pointers_live(s);
	tape_begin(&t, 2, HEAP);
	tape_exec(&t, HEAP);
	feed(s, 1, &t);
	assert_pointers_live(s);
	sim_destroy(s);
}

/* The last to run has ended, and the next exec finds so little memory that pages go, and huge ones are split. */
static void exec_reclaims(void **state)
{
	for (unsigned around = 0; around < 90; around++) {
		struct sim *s = tape_sim("thp;thp,kpti=on", ",ram=64M,reclaim=fifo");
		struct tape t;

		tape_begin(&t, 1, HEAP);
		tape_map(&t, A, 58 * MIB, RW, MAP_PRIVATE);
		tape_sweep(&t, A, 58 * MIB, EVR_WRITE);
		feed(s, 0, &t);
		tape_begin(&t, 2, HEAP);
		tape_map_file(&t, B, 16 * MIB, PROT_READ, MAP_SHARED, 77, 16 * MIB, "/file");
		tape_sweep(&t, B, (around * 16 + 1) * PAGE_SIZE, EVR_READ);
		tape_exit(&t, EVX_EXIT);
		feed(s, 1, &t);
		tape_begin(&t, 3, HEAP);
		feed(s, 2, &t);
		assert_pointers_live(s);
		sim_destroy(s);
	}
}

/* One process takes all; on these machines it is killed. The program knows nothing of it and ends it later. */
static void killed_first(void **state)
{
	struct sim *s = tape_sim("4k;4k,kpti=on;thp,cpus=1", ",ram=8M,swap=0");
	struct sim_result r;
	struct tape t;

	tape_begin(&t, 1, HEAP);
	tape_map(&t, A, 16 * MIB, RW, MAP_PRIVATE);
	tape_sweep(&t, A, 16 * MIB, EVR_WRITE);
	tape_map(&t, B, MIB, RW, MAP_PRIVATE);
	feed(s, 0, &t);
	assert_pointers_live(s);
	tape_init(&t, false);
	tape_exit(&t, EVX_EXIT);
	feed(s, 0, &t);
	assert_pointers_live(s);
	tape_begin(&t, 2, HEAP);
	tape_map(&t, A, MIB, RW, MAP_PRIVATE);
	tape_sweep(&t, A, MIB, EVR_WRITE);
	feed(s, 1, &t);
	assert_pointers_live(s);
	sim_finish(s, &r);
	for (unsigned i = 0; i < r.nr_machines; i++) {
		assert_int_equal(r.machine[i].count.os.oom_kills, 1);
		assert_string_equal(r.machine[i].error, "");
	}
	sim_destroy(s);
}

/* The kernel's own writes at the end of exec are several: the first takes all memory, and the rest find nobody. */
static void killed_in_exec(void **state)
{
	struct ev_exec_done done = {.sp = TAPE_STACK_TOP - 8192,
				    .strings_start = TAPE_STACK_TOP - 64,
				    .strings_len = 64,
				    .bss_clear_start = A,
				    .bss_clear_len = 16 * MIB,
				    .interp_clear_start = A,
				    .interp_clear_len = 16 * MIB,
				    .brk_start = HEAP};
	struct sim *s = tape_sim("4k;4k,kpti=on", ",ram=8M,swap=0");
	struct tape t;

	tape_begin(&t, 1, HEAP);
	tape_map(&t, A, 16 * MIB, RW, MAP_PRIVATE);
	tape_put(&t, EV_EXEC_DONE, 0, &done, EV_PAYLOAD_WORDS(done));
	feed(s, 0, &t);
	assert_pointers_live(s);
	for (unsigned i = 0; i < s->nr_machines; i++)
		assert_false(machine_has(&s->machine[i], s->space[0]));
	sim_destroy(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(left_by_exit),
	    cmocka_unit_test(exec_reclaims),
	    cmocka_unit_test(killed_first),
	    cmocka_unit_test(killed_in_exec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
