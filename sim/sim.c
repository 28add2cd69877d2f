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
	timeline_begin(s);
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

/* A set this large limits how many pages the window holds at all, and leaves room for those that the kernel touches
 * inside a window (entry.c). Where sets are smaller these have no exact place (cpu.c). */
static bool window_fit_pages(struct window_shape *shape, u32 ways, u32 sets)
{
	if (sets != 1 || ways < MMU_WINDOW_SMALL + KERNEL_PAGES)
		return ways >= EV_WINDOW;
	shape->pages = min(shape->pages, ways - KERNEL_PAGES);
	return true;
}

/* The window keeps to what is exact in this L1 (mmu_window_ways, trace/window.h). An array whose index is no plain modulo
 * counts as one set, and so does one that holds several sizes: a small and a large page may meet in any of its sets. No
 * limit for instruction pages of 2M: files lie in small pages. */
static void window_fit_level(struct window_shape *shape, const struct tlb_level_config *l1, unsigned sizes)
{
	for (unsigned n = 0; n < MMU_MAX_ARRAYS && l1->array[n].ways; n++) {
		const struct tlb_array_config *a = &l1->array[n];
		bool plain = a->index == MMU_INDEX_LINEAR && !(a->sizes & (a->sizes - 1));
		u32 ways = mmu_window_ways(a), sets = plain ? a->sets : 1;

		for (unsigned size = 0; size < sizes; size++) {
			struct window_limit *limit = &shape->limit[size];

			if (!(a->sizes & 1u << size))
				continue;
			limit->order = limit->order ? min(limit->order, sets) : sets;
			if (window_fit_pages(shape, ways, sets))
				continue;
			limit->sets = limit->most ? min(limit->sets, sets) : sets;
			limit->most = limit->most ? min(limit->most, ways) : ways;
		}
	}
}

/* Machines that make up for what they miss of a window (cpu.c) want a small one. Only where there can be 2M pages do they
 * set limits. */
void sim_window(const struct sim *s, struct window_shape shape[2])
{
	for (unsigned kind = 0; kind < 2; kind++)
		shape[kind] = (struct window_shape){.pages = EV_WINDOW};
	for (unsigned i = 0; i < s->nr_machines; i++) {
		const struct machine_config *cfg = &s->machine[i].cfg;

		bool large = cfg->thp != VM_THP_NEVER || cfg->hugepages != 0;

		window_fit_level(&shape[0], &cfg->preset->l1d, large ? 2 : 1);
		window_fit_level(&shape[1], &cfg->preset->l1i, 1);
		if (cfg->kpti || cfg->cpus != 0)
			shape[0].pages = shape[1].pages = MMU_WINDOW_SMALL;
	}
	for (unsigned kind = 0; kind < 2; kind++) {
		const struct window_limit *small = &shape[kind].limit[0];

		if (small->most)
			shape[kind].pages = min(shape[kind].pages, small->sets * small->most);
	}
}

void sim_destroy(struct sim *s)
{
	process_free_all(s);
	heat_clear(s);
	for (unsigned i = 0; i < s->nr_machines; i++)
		machine_destroy(&s->machine[i]);
	for (unsigned i = 0; i < s->nr_streams; i++) {
		if (s->stream[i])
			free(s->stream[i]->slice);
		free(s->stream[i]);
	}
	result_free(s);
	region_table_free(&s->regions);
	free(s->program_row);
	free(s->row);
	free(s->machine);
	free(s->stream);
	free(s->space);
	free(s->file);
	free(s);
}
