/* SPDX-License-Identifier: MIT
 *
 * sim/sim.c - the simulator as a whole: its machines, made and destroyed; events fed to it by hand. internal.h draws
 * it.
 */
#include <errno.h>
#include <stdlib.h>

#include "sim/internal.h"
#include "sim/xalloc.h"

struct sim *sim_create(const struct machine_config *cfg, unsigned nr)
{
	struct sim *s = xcalloc(1, sizeof(*s));

	region_table_init(&s->regions);
	s->machine = xcalloc(nr, sizeof(*s->machine));
	for (; s->nr_machines < nr; s->nr_machines++) {
		s->sliced |= cfg[s->nr_machines].cpus != 0;
		s->check = max(s->check, cfg[s->nr_machines].check);
		if (machine_init(&s->machine[s->nr_machines], s, &cfg[s->nr_machines]) != 0) {
			int error = errno;

			sim_destroy(s);
			errno = error;
			return NULL;
		}
	}
	return s;
}

int sim_feed(struct sim *s, unsigned stream, const u64 *words, size_t n)
{
	struct stream *t = stream_get(s, stream);

	if (!t || t->state == STREAM_BAD)
		return -1;
	stream_take(s, t, words, n);
	return t->state == STREAM_BAD ? -1 : 0;
}

/* Machines that make up for what they miss of a window (cpu.c) want a small one. */
unsigned sim_window(const struct sim *s)
{
	unsigned window = EV_WINDOW;

	for (unsigned i = 0; i < s->nr_machines; i++) {
		const struct machine_config *cfg = &s->machine[i].cfg;

		window = min(window, cpu_preset_window(cfg->preset));
		if (cfg->kpti || cfg->cpus != 0)
			window = MMU_WINDOW_SMALL;
	}
	return window;
}

void sim_destroy(struct sim *s)
{
	process_free_all(s);
	for (unsigned i = 0; i < s->nr_machines; i++)
		machine_destroy(&s->machine[i]);
	for (unsigned i = 0; i < s->nr_streams; i++) {
		if (s->stream[i])
			free(s->stream[i]->slice);
		free(s->stream[i]);
	}
	result_free(s);
	region_table_free(&s->regions);
	free(s->machine);
	free(s->stream);
	free(s->space);
	free(s->file);
	free(s);
}
