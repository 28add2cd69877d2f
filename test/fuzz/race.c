/* SPDX-License-Identifier: MIT
 *
 * test/fuzz/race.c - a hostile program (events.h) that writes into the hub while the simulator reads it: one thread does
 * what the bytes say, pokes and storms of them included, and another calls sim_pump() all the time. What was checked
 * must be what is used, whatever becomes of the shared memory in between.
 *
 * Who comes first differs from run to run, so an input that failed may have to be run many times: -runs=10000 FILE.
 *
 * The first byte: bit 0, the rings begin with bytes alone; the rest, which machines.
 */
#include <pthread.h>
#include <semaphore.h>

#include "test/fuzz/events.h"

static struct events *events; /* whose turn it is; NULL: nobody's */
static sem_t begin_writing;

static void *write_events(void *arg)
{
	for (;;) {
		struct events *f;

		sem_wait(&begin_writing);
		f = __atomic_load_n(&events, __ATOMIC_ACQUIRE);
		for (unsigned i = 0; i < MAX_EVENTS && f->in.left; i++)
			events_next(f);
		events_end(f);
		__atomic_store_n(&events, NULL, __ATOMIC_RELEASE);
	}
	return arg;
}

static void start_writer(void)
{
	static bool started;
	pthread_t writer;

	if (started)
		return;
	started = true;
	MUST(sem_init(&begin_writing, 0, 0) == 0 && pthread_create(&writer, NULL, write_events, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct events f = {.in = {data, size}, .pokes = true, .storms = true};
	u64 how = bytes_take(&f.in, 1);
	struct sim *s = events_sim(how >> 1);

	start_writer();
	events_open(&f);
	if (!(how & 1))
		events_begin(&f);
	__atomic_store_n(&events, &f, __ATOMIC_RELEASE);
	sem_post(&begin_writing);
	while (__atomic_load_n(&events, __ATOMIC_ACQUIRE))
		sim_pump(s, f.hub);
	while (sim_pump(s, f.hub))
		;
	events_check(s);
	sim_destroy(s);
	return 0;
}
