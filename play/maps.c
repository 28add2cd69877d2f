/* SPDX-License-Identifier: MIT
 *
 * play/maps.c - lists of areas: comparing, drawing.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "play/maps.h"
#include "play/names.h"
#include "sim/xalloc.h"

void maps_add(struct play_maps *m, u64 start, u64 end, u32 prot, bool shared)
{
	if (m->nr == m->cap)
		m->area = xgrow(m->area, &m->cap, sizeof(*m->area));
	m->area[m->nr++] = (struct play_area){.start = start, .end = end, .prot = prot, .shared = shared};
}

void maps_free(struct play_maps *m)
{
	free(m->area);
	*m = (struct play_maps){0};
}

bool maps_equal(const struct play_maps *a, const struct play_maps *b)
{
	if (a->nr != b->nr)
		return false;
	for (unsigned i = 0; i < a->nr; i++) {
		const struct play_area *x = &a->area[i], *y = &b->area[i];

		if (x->start != y->start || x->end != y->end || x->prot != y->prot || x->shared != y->shared ||
		    x->locked != y->locked)
			return false;
	}
	return true;
}

static const struct play_area *area_at(const struct play_maps *m, u64 va)
{
	for (unsigned i = 0; i < m->nr; i++)
		if (m->area[i].start <= va && va < m->area[i].end)
			return &m->area[i];
	return NULL;
}

void maps_picture(const struct play_maps *m, u64 at, u64 unit, unsigned letters, char *text, size_t size)
{
	const struct play_area *last = NULL;
	size_t n = 0;

	for (unsigned i = 0; i < letters && n + 3 < size; i++, at += unit) {
		const struct play_area *area = area_at(m, at);

		if (area && last && area != last)
			text[n++] = '|';
		text[n++] = area ? prot_letter(area->prot, area->shared) : '.';
		last = area;
	}
	text[n] = 0;
}

void maps_print(const struct play_maps *m, const char *indent, FILE *out)
{
	for (unsigned i = 0; i < m->nr; i++) {
		const struct play_area *a = &m->area[i];
		char size[24];

		fprintf(out, "%s%012" PRIx64 "-%012" PRIx64 " %c%c%c%c %8s%s\n", indent, a->start, a->end,
			a->prot & PROT_READ ? 'r' : '-', a->prot & PROT_WRITE ? 'w' : '-',
			a->prot & PROT_EXEC ? 'x' : '-', a->shared ? 's' : 'p', size_text(a->end - a->start, size),
			a->locked ? " locked" : "");
	}
	if (m->nr == 0)
		fprintf(out, "%s(no areas)\n", indent);
}
