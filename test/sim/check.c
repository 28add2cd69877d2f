/* SPDX-License-Identifier: MIT
 *
 * test/sim/check.c - sim_check() finds what is wrong: each case breaks one fact of a healthy simulator, in a process of
 * its own, and the check must panic with the file and the number of that invariant.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/internal.h"
#include "test/sim/tape.h"

#define A    0x7fff00000000ull
#define HEAP 0x555555560000ull
#define RW   (PROT_READ | PROT_WRITE)

static struct sim *sim;
static struct machine *m;

/* Two processes, one of them with huge pages and a thread whose accesses are put by; one thread waits at a tick. */
static int setup(void **state)
{
	struct tape t;

	sim = tape_sim("thp;2m,cpus=1,kpti=on,host-page=4k", ",ram=64M,check=1");
	m = &sim->machine[1];
	for (unsigned pid = 1; pid <= 2; pid++) {
		tape_begin(&t, pid, HEAP);
		tape_map(&t, A, 4 * MIB, RW, MAP_PRIVATE);
		tape_map(&t, A + 8 * MIB, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_STACK);
		tape_sweep(&t, A, 4 * MIB, EVR_WRITE);
		tape_range(&t, EV_PROTECT, PROT_READ, A, PAGE_SIZE);
		tape_sweep(&t, A, 4 * PAGE_SIZE, EVR_READ);
		if (pid == 1)
			tape_range(&t, EV_TOUCH, EVR_READ, A, 8);
		assert_int_equal(sim_feed(sim, pid - 1, t.word, t.nr), 0);
		tape_free(&t);
	}
	assert_true(sim->stream[1]->nr_slice > 0 && m->touch.touched_pages > 0);
	assert_true(sim_check(sim));
	return 0;
}

static int teardown(void **state)
{
	sim_destroy(sim);
	return 0;
}

static void users(void)
{
	sim->space[0]->users++;
}
static void threads(void)
{
	sim->processes->threads++;
}
static void space_without_owner(void)
{
	m->space[3].mm = m->space[0].mm;
}
static void slice_of_the_future(void)
{
	sim->timeline.end[sim->timeline.nr++] = sim->program.instructions + 1;
}
static void block_astray(void)
{
	sim->heat.block[0].start += 1ull << 40;
}
static void cpu_unused(void)
{
	sim->cpus_used |= 1ull << 40;
}
static void process_of_the_dead(void)
{
	sim->stream[0]->state = STREAM_FRESH;
}
static void slice_of_nobody(void)
{
	sim->processes->space->users--;
	sim->processes->space = NULL; /* found first by process.c 1 if anybody still counts there */
	sim->space[1] = NULL;
}
static void long_part(void)
{
	sim->stream[0]->part[0] = ev_long_make(EV_CLOCK, 1, 0);
	sim->stream[0]->nr_part = 3;
}
static void waits_with_a_map(void)
{
	sim->stream[0]->part[0] = ev_long_make(EV_UNMAP, 2, 0);
	sim->stream[0]->nr_part = 3;
	sim->stream[0]->waits = true;
}
static void spans_overlap(void)
{
	sim->space[0]->map.span[1].start = sim->space[0]->map.span[0].start;
}
static void spans_not_one(void)
{
	struct span *span = sim->space[0]->map.span;

	span[1].start = span[0].end;
	span[1].region = span[0].region;
}
static void region_of_another_program(void)
{
	sim->regions.region[sim->space[0]->map.span[0].region].info.program++;
}
static void ran_by_nobody(void)
{
	sim->program.instructions++;
}
static void row_of_another(void)
{
	sim->processes->payer ^= 1;
}
static void peak(void)
{
	m->peak_rss_pages = m->rss_pages - 1;
}
static void running_is_gone(void)
{
	static struct space gone;

	m->running = &gone;
}
static void cpu_keeps_mm(void)
{
	m->cpu[0].mm = (struct mm_struct *)m;
}
static void killed_and_here(void)
{
	m->space[0].killed = true;
}
static void idle_in_user_mode(void)
{
	m->cpu[0].in_kernel = m->cpu[0].runs = false;
}
static void slot_of_another(void)
{
	m->thread[0].slot[3].word = ev_enter_make(A >> PAGE_SHIFT, 4, EVR_READ);
}
static void slot_of_another_kind(void)
{
	m->thread[0].slot[3].word = ev_enter_make(A >> PAGE_SHIFT, 3, EVR_FETCH);
}
static void touched_pages(void)
{
	m->touch.touched_pages++;
}
/* What walks read, of the guest's tables and of the host's. */
static struct mmu_counters *walks(void)
{
	return (struct mmu_counters *)m->cpu[0].counters;
}
static void nearer_than_nearest(void)
{
	walks()->read_from[MMU_MEMORY][MMU_NEAREST] += 1u << 20;
	walks()->read_from[MMU_L2][MMU_NEAREST] -= 1u << 20;
}
static void read_from_nowhere(void)
{
	walks()->read_from[MMU_L2][MMU_FARTHEST]++;
}
static void host_nearer_than_nearest(void)
{
	walks()->host_read_from[MMU_L3][MMU_NEAREST] += 1u << 20;
	walks()->host_read_from[MMU_L2][MMU_NEAREST] -= 1u << 20;
}
static void host_read_from_nowhere(void)
{
	walks()->host_steps++;
}

static const struct {
	const char *wanted;
	void (*break_it)(void);
} cases[] = {
    {"sim/process.c: invariant 1 ", users},
    {"sim/process.c: invariant 2 ", threads},
    {"sim/process.c: invariant 3 ", space_without_owner},
    {"sim/process.c: invariant 4 ", cpu_unused},
    {"sim/timeline.h: invariant 1 ", slice_of_the_future},
    {"sim/heat.h: invariant 1 ", block_astray},
    {"sim/decode.c: invariant 1 ", process_of_the_dead},
    {"sim/decode.c: invariant 2 ", slice_of_nobody},
    {"sim/decode.c: invariant 3 ", long_part},
    {"sim/pump.c: invariant 1 ", waits_with_a_map},
    {"sim/regions.h: invariant 1 ", spans_overlap},
    {"sim/regions.h: invariant 2 ", spans_not_one},
    {"sim/regions.h: invariant 3 ", region_of_another_program},
    {"sim/programs.c: invariant 1 ", ran_by_nobody},
    {"sim/programs.c: invariant 2 ", row_of_another},
    {"sim/machine.c: invariant 2 ", cpu_keeps_mm},
    {"sim/machine.c: invariant 3 ", peak},
    {"sim/machine.c: invariant 4 ", running_is_gone},
    {"sim/machine.c: invariant 5 ", killed_and_here},
    {"sim/entry.c: invariant 1 ", idle_in_user_mode},
    {"sim/cpu.c: invariant 1 ", slot_of_another},
    {"sim/cpu.c: invariant 1 ", slot_of_another_kind},
    {"sim/touch.h: invariant 1 ", touched_pages},
    {"mmu/lines.h: invariant 1 ", nearer_than_nearest},
    {"mmu/lines.h: invariant 2 ", read_from_nowhere},
    {"mmu/lines.h: invariant 1 ", host_nearer_than_nearest},
    {"mmu/lines.h: invariant 2 ", host_read_from_nowhere},
};

static void each_is_found(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char said[512] = "";
		int pipe_end[2], status;
		pid_t pid;

		assert_int_equal(pipe(pipe_end), 0);
		pid = fork();
		if (pid == 0) {
			dup2(pipe_end[1], STDERR_FILENO);
			signal(SIGABRT, SIG_DFL);
			cases[i].break_it();
			sim_check(sim);
			_exit(0);
		}
		close(pipe_end[1]);
		assert_true(read(pipe_end[0], said, sizeof(said) - 1) >= 0);
		close(pipe_end[0]);
		waitpid(pid, &status, 0);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT || !strstr(said, cases[i].wanted))
			fail_msg("%swas not found: %s", cases[i].wanted, said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(each_is_found, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
