/* SPDX-License-Identifier: MIT
 *
 * test/sim/pump.c - rings into streams: the order between threads, and that nobody can stop the others.
 *
 * The clock's order is shown by faults: an access taken before its map, or after its unmap, is a MAPERR.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/sim/tape.h"
#include "trace/ring.h"

#define A     0x7fff00000000ull
#define HEAP  0x555555560000ull
#define RW    (PROT_READ | PROT_WRITE)
#define WORDS 4096

static struct ring_hub *hub;
static struct sim *sim;
static int hub_fd;

static void start_with(unsigned rings)
{
	hub = ring_hub_create(rings, WORDS, &hub_fd);
	assert_non_null(hub);
	sim = tape_sim("4k", ",ram=64M,check=1,oracle=1");
}

static void start(void)
{
	start_with(16);
}

static struct sim_result finish(void)
{
	static struct sim_machine_result machine;
	struct sim_result r;

	sim_finish(sim, &r);
	machine = r.machine[0];
	r.machine = &machine;
	sim_destroy(sim);
	ring_hub_destroy(hub);
	close(hub_fd);
	return r;
}

static struct ring *open_ring(void)
{
	return ring_open(hub, getpid(), syscall(SYS_gettid));
}

/* Writes the tape's words and forgets them. */
static void write_tape(struct ring *r, struct tape *t)
{
	for (size_t i = 0; i < t->nr; i += 64)
		ring_put(r, t->word + i, min(t->nr - i, (size_t)64));
	tape_free(t);
	tape_init(t, false);
}

/* The first process, mapped and running: its ring. */
static struct ring *first_thread(struct tape *t)
{
	struct ring *r = open_ring();

	tape_begin(t, 100, HEAP);
	tape_map(t, A, 64 * PAGE_SIZE, RW, MAP_PRIVATE);
	write_tape(r, t);
	return r;
}

/* That of the first process and another, which is looked at after it, or with swap before it. */
static void two_rings(struct tape *t, bool swap, struct ring **one, struct ring **two)
{
	if (swap)
		*two = open_ring();
	*one = first_thread(t);
	if (!swap)
		*two = open_ring();
}

static void one_ring(void **state)
{
	struct tape t;
	struct ring *r;
	struct sim_result result;

	start();
	r = first_thread(&t);
	assert_true(sim_pump(sim, hub) > 0);
	assert_int_equal(sim_pump(sim, hub), 0);
	/* more than the ring holds, in many rounds, with clocks */
	for (unsigned round = 0; round < 20; round++) {
		tape_clock(&t, round + 1);
		tape_map(&t, A, 64 * PAGE_SIZE, RW, MAP_PRIVATE);
		for (unsigned i = 0; i < 900; i++)
			tape_access(&t, A + i * 7 % 64 * PAGE_SIZE, EVR_WRITE);
		write_tape(r, &t);
		assert_true(sim_pump(sim, hub) > 900);
	}
	ring_close(r);
	sim_pump(sim, hub);
	result = finish();
	assert_int_equal(result.machine[0].count.os.faults[VM_FAULT_ZERO_WRITE], 20 * 64);
	assert_int_equal(result.machine[0].count.os.faults[VM_FAULT_MAPERR], 0);
	assert_int_equal(result.program.lost, 1);
	assert_int_equal(result.program.malformed, 0);
}

/* Thread 2 reads a page before tick 7, at which thread 1 unmaps it; and another after tick 8, which maps it. The rings
 * are written in the order that is worst: the later ring index before, all at once. */
static void clock_order(void **state)
{
	struct tape t;
	struct ring *one, *two;
	struct sim_result result;

	for (unsigned swap = 0; swap < 2; swap++) {
		start();
		two_rings(&t, swap, &one, &two);
		sim_pump(sim, hub);
		tape_clock(&t, 7);
		tape_range(&t, EV_UNMAP, 0, A, 64 * PAGE_SIZE);
		tape_clock(&t, 8);
		tape_map(&t, A + 128 * PAGE_SIZE, 64 * PAGE_SIZE, RW, MAP_PRIVATE);
		tape_exit(&t, EVX_EXIT);
		write_tape(one, &t);
		tape_thread(&t, 100, 101, 0);
		tape_sweep(&t, A, 64 * PAGE_SIZE, EVR_WRITE);
		tape_clock(&t, 8);
		tape_sweep(&t, A + 128 * PAGE_SIZE, 64 * PAGE_SIZE, EVR_WRITE);
		tape_exit(&t, EVX_EXIT);
		write_tape(two, &t);
		ring_close(one);
		ring_close(two);
		sim_pump(sim, hub);
		assert_null(ring_get(hub, 0));
		assert_null(ring_get(hub, 1));
		result = finish();
		assert_int_equal(result.machine[0].count.os.faults[VM_FAULT_ZERO_WRITE], 128);
		assert_int_equal(result.machine[0].count.os.faults[VM_FAULT_MAPERR], 0);
		assert_int_equal(result.program.malformed, 0);
		assert_int_equal(result.program.lost, 0);
	}
}

/* A program with one thread maps a stack and starts a second: no clock, but the order is clear. */
static void second_thread(void **state)
{
	struct tape t;
	struct ring *one, *two;
	struct sim_result result;

	start();
	two = open_ring();
	one = first_thread(&t);
	sim_pump(sim, hub);
	tape_map(&t, A + 128 * PAGE_SIZE, 64 * PAGE_SIZE, RW, MAP_PRIVATE);
	write_tape(one, &t);
	tape_thread(&t, 100, 101, 0);
	tape_clock(&t, 0);
	tape_sweep(&t, A + 128 * PAGE_SIZE, 64 * PAGE_SIZE, EVR_WRITE);
	write_tape(two, &t);
	sim_pump(sim, hub);
	ring_close(one);
	ring_close(two);
	sim_pump(sim, hub);
	result = finish();
	assert_int_equal(result.machine[0].count.os.faults[VM_FAULT_ZERO_WRITE], 64);
	assert_int_equal(result.machine[0].count.os.faults[VM_FAULT_MAPERR], 0);
	assert_int_equal(result.program.threads, 2);
}

/* A child's ring may be seen before its parent's EV_FORK: it waits for it. */
static void child_first(void **state)
{
	struct tape t;
	struct ring *child, *parent;
	struct sim_result result;

	start();
	child = open_ring();
	tape_init(&t, false);
	parent = first_thread(&t);
	tape_thread(&t, 200, 200, 100);
	tape_sweep(&t, A, 64 * PAGE_SIZE, EVR_WRITE);
	tape_exit(&t, EVX_EXIT);
	write_tape(child, &t);
	sim_pump(sim, hub);
	tape_sweep(&t, A, 64 * PAGE_SIZE, EVR_WRITE);
	tape_fork(&t, 200, 0);
	write_tape(parent, &t);
	ring_close(child);
	sim_pump(sim, hub);
	ring_close(parent);
	sim_pump(sim, hub);
	result = finish();
	assert_int_equal(result.machine[0].count.os.faults[VM_FAULT_ZERO_WRITE], 64);
	assert_int_equal(result.machine[0].count.os.faults[VM_FAULT_COW_COPY], 64);
	assert_int_equal(result.program.processes, 2);
	assert_int_equal(result.program.lost, 1);
}

/* An event of a process with one thread, as its producer tells it (event.h): with a tick of the clock where other
 * processes go by it. */
static void tell(struct tape *t, u64 tick, unsigned type, const void *payload, unsigned words)
{
	if (ev_for_others(type))
		tape_clock(t, tick);
	tape_put(t, type, 0, payload, words);
}

/* Parent and child at one pipe, in this order at these ticks: the child reads it (2), the parent puts 64 pages into it
 * (3), the child reads half of them (4) and ends (5), the parent writes. So the first half are its own again, and the
 * pipe still has the others. Whichever ring is looked at first. */
static void a_pipe_of_two(void **state)
{
	const struct ev_hold hold = {A, 64 * PAGE_SIZE, 3, 4};
	const struct ev_drain drain = {3, 4, 32 * PAGE_SIZE};
	const struct ev_exit gone = {0};

	for (unsigned swap = 0; swap < 2; swap++) {
		struct ring *child, *parent;
		struct sim_result result;
		struct tape t;

		start();
		two_rings(&t, swap, &parent, &child);
		tape_sweep(&t, A, 64 * PAGE_SIZE, EVR_WRITE);
		tell(&t, 1, EV_FORK, &(struct ev_fork){200, 0}, EV_PAYLOAD_WORDS(struct ev_fork));
		tell(&t, 3, EV_HOLD, &hold, EV_PAYLOAD_WORDS(hold));
		tape_clock(&t, 5);
		tape_sweep(&t, A, 64 * PAGE_SIZE, EVR_WRITE);
		write_tape(parent, &t);
		tape_thread(&t, 200, 200, 100);
		tell(&t, 2, EV_DRAIN, &drain, EV_PAYLOAD_WORDS(drain));
		tell(&t, 4, EV_DRAIN, &drain, EV_PAYLOAD_WORDS(drain));
		tell(&t, 5, EV_EXIT, &gone, EV_PAYLOAD_WORDS(gone));
		write_tape(child, &t);
		ring_close(child);
		ring_close(parent);
		sim_pump(sim, hub);
		result = finish();
		assert_int_equal(result.program.malformed, 0);
		assert_int_equal(result.machine[0].count.os.faults[VM_FAULT_COW_REUSE], 32);
		assert_int_equal(result.machine[0].count.os.faults[VM_FAULT_COW_COPY], 32);
	}
}

/* Two processes share a file: one uses all of it before the other makes it shorter, which hits nobody. */
static void a_file_of_two(void **state)
{
	const struct ev_file_size shorter = {1, 7, PAGE_SIZE};

	for (unsigned swap = 0; swap < 2; swap++) {
		struct ring *child, *parent;
		struct sim_result result;
		struct tape t;

		start();
		two_rings(&t, swap, &parent, &child);
		tape_map_file(&t, A, 64 * PAGE_SIZE, RW, MAP_SHARED, 7, 64 * PAGE_SIZE, "/x");
		tell(&t, 1, EV_FORK, &(struct ev_fork){200, 0}, EV_PAYLOAD_WORDS(struct ev_fork));
		write_tape(parent, &t);
		tape_thread(&t, 200, 200, 100);
		write_tape(child, &t);
		sim_pump(sim, hub);
		tape_sweep(&t, A, 64 * PAGE_SIZE, EVR_WRITE);
		write_tape(parent, &t);
		tell(&t, 2, EV_FILE_SIZE, &shorter, EV_PAYLOAD_WORDS(shorter));
		write_tape(child, &t);
		ring_close(child);
		ring_close(parent);
		sim_pump(sim, hub);
		result = finish();
		assert_int_equal(result.program.malformed, 0);
		assert_int_equal(result.machine[0].count.os.faults[VM_FAULT_BUS], 0);
	}
}

/* A child whose parent is gone, a stream of rubbish, and a thread that says nothing: the others go on. */
static void nobody_stops_the_others(void **state)
{
	static const u64 rubbish[] = {~0ull, 1, 2, 3};
	struct tape t;
	struct ring *orphan, *wild, *silent, *good;
	struct sim_result result;

	start();
	orphan = open_ring();
	wild = open_ring();
	silent = open_ring();
	tape_init(&t, false);
	tape_thread(&t, 300, 300, 299);
	write_tape(orphan, &t);
	tape_thread(&t, 400, 400, 0);
	write_tape(silent, &t);
	ring_put(wild, rubbish, ARRAY_SIZE(rubbish));
	good = first_thread(&t);
	tape_clock(&t, 1000);
	tape_sweep(&t, A, 64 * PAGE_SIZE, EVR_WRITE);
	tape_exit(&t, EVX_EXIT);
	write_tape(good, &t);
	sim_pump(sim, hub);
	for (unsigned i = 0; i < 5000; i++)
		ring_put(wild, rubbish, 1 + sim_pump(sim, hub) % 3);
	ring_close(orphan);
	ring_close(wild);
	ring_close(good);
	sim_pump(sim, hub);
	assert_null(ring_get(hub, 0));
	assert_null(ring_get(hub, 1));
	assert_non_null(ring_get(hub, 2));
	assert_null(ring_get(hub, 3));
	ring_close(silent);
	result = finish();
	assert_int_equal(result.machine[0].count.os.faults[VM_FAULT_ZERO_WRITE], 64);
	assert_int_equal(result.program.malformed, 1);
}

/* Most threads sleep: the one that wakes up is heard whichever it is, and all whose process was killed have ended. */
static void sleepers(void **state)
{
	enum { THREADS = 200 };
	struct ring *ring[THREADS];
	struct sim_result result;
	struct tape t;
	pid_t killed = fork();

	if (killed == 0) {
		pause();
		_exit(0);
	}
	start_with(THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		ring[i] = ring_open(hub, killed, killed);
		if (i == 0) {
			tape_begin(&t, 100, HEAP);
			tape_map(&t, A, THREADS * PAGE_SIZE, RW, MAP_PRIVATE);
		} else {
			tape_thread(&t, 100, 100 + i, 0);
		}
		write_tape(ring[i], &t);
	}
	sim_pump(sim, hub);
	for (unsigned i = 0; i < THREADS; i++) {
		tape_access(&t, A + i * PAGE_SIZE, EVR_WRITE);
		write_tape(ring[i], &t);
		assert_true(sim_pump(sim, hub) > 0);
	}
	kill(killed, SIGKILL);
	assert_int_equal(waitpid(killed, NULL, 0), killed);
	for (unsigned ms = 0; ms < 20000 && sim_processes(sim) > 0; ms += 5) {
		usleep(5000);
		sim_pump(sim, hub);
	}
	for (unsigned i = 0; i < THREADS; i++)
		ring_memory_free(ring[i]); /* the writer's, which went without closing it */
	result = finish();
	assert_int_equal(result.machine[0].count.os.faults[VM_FAULT_ZERO_WRITE], THREADS);
	assert_int_equal(result.program.lost, THREADS);
}

/* Real threads that map and unmap in one process, each its own part, and tell each other's ticks. */
struct writer {
	pthread_t thread;
	unsigned id;
};
static pthread_mutex_t map_lock = PTHREAD_MUTEX_INITIALIZER;
static u64 shared_at;        /* where everybody's page is mapped now */
static bool first_page_used; /* before anybody mapped another */

static void *write_events(void *arg)
{
	struct writer *w = arg;
	struct ring *r = open_ring();
	struct tape t;
	u64 seen = 0;

	tape_init(&t, false);
	tape_thread(&t, 100, 101 + w->id, 0);
	write_tape(r, &t);
	for (unsigned i = 0; i < 400; i++) {
		pthread_mutex_lock(&map_lock);
		if (i % 4 == w->id % 4) {
			u64 old = shared_at;

			tape_clock(&t, ring_clock_tick(hub));
			tape_range(&t, EV_UNMAP, 0, old, PAGE_SIZE);
			shared_at = A + (64 + (w->id * 1000 + i)) * PAGE_SIZE;
			tape_clock(&t, ring_clock_tick(hub));
			tape_map(&t, shared_at, PAGE_SIZE, RW, MAP_PRIVATE);
			seen = ring_clock(hub);
		} else if (ring_clock(hub) != seen) {
			seen = ring_clock(hub);
			tape_clock(&t, seen);
		}
		first_page_used |= shared_at == A;
		tape_access(&t, shared_at, EVR_WRITE);
		write_tape(r, &t);
		pthread_mutex_unlock(&map_lock);
	}
	tape_exit(&t, EVX_EXIT);
	write_tape(r, &t);
	ring_close(r);
	return NULL;
}

static void real_threads(void **state)
{
	struct writer w[4];
	struct tape t;
	struct ring *r;
	struct sim_result result;
	unsigned done = 0;

	start();
	r = first_thread(&t);
	sim_pump(sim, hub);
	shared_at = A;
	for (unsigned i = 0; i < 4; i++) {
		w[i].id = i;
		assert_int_equal(pthread_create(&w[i].thread, NULL, write_events, &w[i]), 0);
	}
	for (unsigned idle = 0; idle < 400 && done < 4;) {
		if (sim_pump(sim, hub) == 0) {
			ring_wait(hub, 5);
			idle++;
		}
		sim_finish(sim, &result);
		done = result.program.threads == 5;
		for (unsigned i = 1; i < ring_count(hub); i++)
			done &= !ring_get(hub, i);
		done *= 4;
	}
	for (unsigned i = 0; i < 4; i++)
		pthread_join(w[i].thread, NULL);
	ring_close(r);
	sim_pump(sim, hub);
	result = finish();
	assert_int_equal(done, 4);
	assert_int_equal(result.program.malformed, 0);
	assert_int_equal(result.machine[0].count.mismatches, 0);
	assert_int_equal(result.machine[0].count.os.faults[VM_FAULT_MAPERR], 0);
	assert_int_equal(result.machine[0].count.os.faults[VM_FAULT_ZERO_WRITE], 400 + first_page_used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_ring),
	    cmocka_unit_test(clock_order),
	    cmocka_unit_test(second_thread),
	    cmocka_unit_test(child_first),
	    cmocka_unit_test(a_pipe_of_two),
	    cmocka_unit_test(a_file_of_two),
	    cmocka_unit_test(nobody_stops_the_others),
	    cmocka_unit_test(sleepers),
	    cmocka_unit_test(real_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
