/* SPDX-License-Identifier: MIT
 *
 * sim/regions.c - spans and regions. regions.h draws them and numbers the invariants.
 *
 * A sorted array, not a tree: it is searched at every TLB miss and changed only by system calls, and neighbours of one
 * region are one span, so it stays short.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/regions.h"
#include "sim/xalloc.h"

#define MAX_REGIONS 16384 /* beyond it, new ones are counted together */

/* ---- the table ---- */

void region_table_init(struct region_table *t)
{
	*t = (struct region_table){.other = REGION_NONE};
}

void region_table_free(struct region_table *t)
{
	free(t->region);
	free(t->first);
}

static unsigned table_append(struct region_table *t, u8 kind, const char *name)
{
	struct region *r;

	if (t->nr == t->cap)
		t->region = xgrow(t->region, &t->cap, sizeof(*t->region));
	r = &t->region[t->nr];
	*r = (struct region){
	    .info.kind = kind, .info.program = SIM_NO_PROGRAM, .info.start = ~0ull, .next = REGION_NONE};
	strncpy(r->info.name, name, sizeof(r->info.name) - 1);
	return t->nr++;
}

static u32 *table_first(struct region_table *t, u32 program)
{
	while (t->cap_programs <= program)
		t->first = xgrow(t->first, &t->cap_programs, sizeof(*t->first));
	while (t->nr_programs <= program)
		t->first[t->nr_programs++] = REGION_NONE;
	return &t->first[program];
}

static unsigned table_new(struct region_table *t, const struct region_map *map, const struct region_area *area)
{
	u32 *first = table_first(t, map->program);
	unsigned i;

	if (t->nr >= MAX_REGIONS) {
		if (t->other == REGION_NONE)
			t->other = table_append(t, REGION_OTHER, "[other]");
		return t->other;
	}
	i = table_append(t, area->kind, area->name);
	t->region[i].info.program = map->program;
	t->region[i].info.start = area->start;
	t->region[i].info.end = area->end;
	t->region[i].grows = area->grows_to != 0;
	t->region[i].shared = area->shared;
	t->region[i].next = *first;
	*first = i;
	return i;
}

static bool touches(const struct sim_region *info, u64 start, u64 end)
{
	return start <= info->end && end >= info->start;
}

/* The program's region of this name and kind that the area belongs to, or a new one. */
static unsigned table_region(struct region_table *t, const struct region_map *map, const struct region_area *area)
{
	for (u32 i = *table_first(t, map->program); i != REGION_NONE; i = t->region[i].next) {
		const struct region *r = &t->region[i];

		if (r->info.kind == area->kind && r->grows == (area->grows_to != 0) && r->shared == area->shared &&
		    (r->shared || touches(&r->info, area->start, area->end)) &&
		    strncmp(r->info.name, area->name, sizeof(r->info.name) - 1) == 0)
			return i;
	}
	return table_new(t, map, area);
}

u64 region_bytes(const struct region_table *t, const struct region_map *map, unsigned region)
{
	const struct region *r = &t->region[region];
	u64 bytes = 0;

	for (unsigned i = 0; i < map->nr; i++) {
		u64 start = r->grows ? max(map->span[i].start, r->info.start) : map->span[i].start;

		if (map->span[i].region == region && start < map->span[i].end)
			bytes += map->span[i].end - start;
	}
	return bytes;
}

/* [start, end) of the map is the region's now. What is shared may lie elsewhere in another process: then it keeps the
 * range where it was first. */
static void region_more(struct region_table *t, const struct region_map *map, unsigned region, u64 start, u64 end)
{
	struct sim_region *info = &t->region[region].info;

	if (!t->region[region].shared || touches(info, start, end)) {
		info->start = min(info->start, start);
		info->end = max(info->end, end);
	}
	info->peak_bytes = max(info->peak_bytes, region_bytes(t, map, region));
}

/* ---- spans ---- */

unsigned region_map_search(const struct region_map *map, u64 va)
{
	unsigned low = 0, high = map->nr;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (map->span[mid].end > va)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

void region_grow(struct region_table *t, const struct region_map *map, unsigned region, u64 va)
{
	struct region *r = &t->region[region];
	u64 start = ALIGN_DOWN(va, PAGE_SIZE), end = r->info.start;

	if (!r->grows || start >= end)
		return;
	for (unsigned i = region_map_search(map, start); i < map->nr && map->span[i].start < end; i++)
		if (map->span[i].region == region)
			region_more(t, map, region, max(start, map->span[i].start), min(end, map->span[i].end));
}

static void span_insert(struct region_map *map, unsigned i, struct span s)
{
	if (map->nr == map->cap)
		map->span = xgrow(map->span, &map->cap, sizeof(*map->span));
	memmove(map->span + i + 1, map->span + i, (map->nr - i) * sizeof(s));
	map->span[i] = s;
	map->nr++;
}

static void span_remove(struct region_map *map, unsigned i, unsigned n)
{
	memmove(map->span + i, map->span + i + n, (map->nr - i - n) * sizeof(*map->span));
	map->nr -= n;
}

/* Puts a span into a hole, as part of its neighbours where invariant 2 wants that. */
static void span_put(struct region_map *map, u64 start, u64 end, u32 region)
{
	unsigned i = region_map_search(map, start);
	bool below = i > 0 && map->span[i - 1].end == start && map->span[i - 1].region == region;
	bool above = i < map->nr && map->span[i].start == end && map->span[i].region == region;

	if (below && above) {
		map->span[i - 1].end = map->span[i].end;
		span_remove(map, i, 1);
	} else if (below) {
		map->span[i - 1].end = end;
	} else if (above) {
		map->span[i].start = start;
	} else {
		span_insert(map, i, (struct span){start, end, region});
	}
}

void region_map_cut(struct region_map *map, u64 start, u64 end)
{
	unsigned i = region_map_search(map, start), gone = i;

	if (start >= end)
		return;
	while (gone < map->nr && map->span[gone].start < end)
		gone++;
	if (gone == i)
		return;
	struct span first = map->span[i], last = map->span[gone - 1];

	span_remove(map, i, gone - i);
	if (last.end > end)
		span_insert(map, i, (struct span){end, last.end, last.region});
	if (first.start < start)
		span_insert(map, i, (struct span){first.start, start, first.region});
}

/* ---- the events ---- */

void region_map_init(struct region_map *map, u32 program)
{
	*map = (struct region_map){.program = program};
}

void region_map_free(struct region_map *map)
{
	free(map->span);
}

/* An anonymous area that continues a file's data above is the file's bss. */
static struct region_area area_named(const struct region_table *t, const struct region_map *map,
				     const struct region_area *area)
{
	unsigned i = region_map_search(map, area->start);
	struct region_area named = *area;

	if (area->kind == REGION_ANON && i > 0 && map->span[i - 1].end == area->start) {
		const struct sim_region *below = &t->region[map->span[i - 1].region].info;

		if (below->kind == REGION_FILE_DATA) {
			named.kind = REGION_FILE_DATA;
			named.name = below->name;
		}
	}
	return named;
}

void region_map_add(struct region_table *t, struct region_map *map, const struct region_area *area)
{
	char name[sizeof(t->region->info.name)];
	struct region_area named = area_named(t, map, area);
	unsigned region;

	strncpy(name, named.name, sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	named.name = name;
	region_map_cut(map, area->start, area->end);
	region = table_region(t, map, &named);
	span_put(map, area->start, area->end, region);
	region_more(t, map, region, area->start, area->end);
	if (area->grows_to) {
		unsigned i = region_map_search(map, area->start); /* it may be one span with what was below */
		u64 low = i > 0 ? max(area->grows_to, map->span[i - 1].end) : area->grows_to, high = map->span[i].start;

		if (low < high)
			span_put(map, low, high, region);
	}
}

void region_map_move(struct region_table *t, struct region_map *map, u64 old_start, u64 old_end, u64 start, u64 end)
{
	unsigned from = region_find(map, old_start);
	char name[sizeof(t->region->info.name)];
	struct region_area area = {.start = start, .end = end, .name = name};

	if (from == REGION_NONE)
		return;
	memcpy(name, t->region[from].info.name, sizeof(name));
	area.kind = t->region[from].info.kind;
	area.shared = t->region[from].shared;
	region_map_cut(map, old_start, old_end);
	region_map_cut(map, start, end);
	from = table_region(t, map, &area);
	span_put(map, start, end, from);
	region_more(t, map, from, start, end);
}

void region_map_fork(struct region_map *child, const struct region_map *parent)
{
	*child = *parent;
	child->span = xcalloc(parent->cap + 1, sizeof(*child->span));
	for (unsigned i = 0; i < parent->nr; i++)
		child->span[i] = parent->span[i];
}

void region_map_madvise(struct region_table *t, struct region_map *map, u64 start, u64 end)
{
	for (unsigned i = region_map_search(map, start); i < map->nr && map->span[i].start < end; i++)
		t->region[map->span[i].region].info.madvised = true;
}
