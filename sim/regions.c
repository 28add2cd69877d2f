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
}

static unsigned table_append(struct region_table *t, u8 kind, const char *name)
{
	struct region *r;

	if (t->nr == t->cap)
		t->region = xgrow(t->region, &t->cap, sizeof(*t->region));
	r = &t->region[t->nr];
	*r = (struct region){.info.kind = kind, .info.start = ~0ull, .next = REGION_NONE};
	strncpy(r->info.name, name, sizeof(r->info.name) - 1);
	return t->nr++;
}

static unsigned table_new(struct region_table *t, struct region_map *map, const struct region_area *area)
{
	unsigned i;

	if (t->nr >= MAX_REGIONS) {
		if (t->other == REGION_NONE)
			t->other = table_append(t, REGION_OTHER, "[other]");
		return t->other;
	}
	i = table_append(t, area->kind, area->name);
	t->region[i].info.pid_index = map->pid_index;
	t->region[i].info.start = area->start;
	t->region[i].info.end = area->end;
	t->region[i].grows = area->grows_to != 0;
	t->region[i].next = map->first;
	map->first = i;
	return i;
}

/* The space's region of this name and kind that the area touches and that grows as it does, or a new one. */
static unsigned table_region(struct region_table *t, struct region_map *map, const struct region_area *area)
{
	for (u32 i = map->first; i != REGION_NONE; i = t->region[i].next) {
		const struct sim_region *info = &t->region[i].info;

		if (info->kind == area->kind && t->region[i].grows == (area->grows_to != 0) &&
		    area->start <= info->end && area->end >= info->start &&
		    strncmp(info->name, area->name, sizeof(info->name) - 1) == 0)
			return i;
	}
	return table_new(t, map, area);
}

static void region_more(struct region *r, u64 start, u64 end)
{
	r->info.start = min(r->info.start, start);
	r->info.end = max(r->info.end, end);
	r->bytes += end - start;
	r->info.peak_bytes = max(r->info.peak_bytes, r->bytes);
}

static void region_less(struct region *r, u64 start, u64 end)
{
	if (r->grows)
		start = max(start, r->info.start);
	if (start < end)
		r->bytes -= min(r->bytes, end - start);
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
			region_more(r, max(start, map->span[i].start), min(end, map->span[i].end));
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

void region_map_cut(struct region_table *t, struct region_map *map, u64 start, u64 end)
{
	unsigned i = region_map_search(map, start), gone = i;

	if (start >= end)
		return;
	for (; gone < map->nr && map->span[gone].start < end; gone++) {
		struct span *s = &map->span[gone];

		region_less(&t->region[s->region], max(s->start, start), min(s->end, end));
	}
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

void region_map_init(struct region_map *map, u32 pid_index)
{
	*map = (struct region_map){.first = REGION_NONE, .pid_index = pid_index};
}

void region_map_free(struct region_table *t, struct region_map *map)
{
	region_map_cut(t, map, 0, ~0ull);
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
	region_map_cut(t, map, area->start, area->end);
	region = table_region(t, map, &named);
	region_more(&t->region[region], area->start, area->end);
	span_put(map, area->start, area->end, region);
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
	region_map_cut(t, map, old_start, old_end);
	region_map_cut(t, map, start, end);
	from = table_region(t, map, &area);
	region_more(&t->region[from], start, end);
	span_put(map, start, end, from);
}

void region_map_fork(struct region_table *t, struct region_map *child, const struct region_map *parent, u32 pid_index)
{
	region_map_init(child, pid_index);
	for (unsigned i = 0; i < parent->nr; i++) {
		const struct span *s = &parent->span[i];
		const struct region from = t->region[s->region];
		u64 start = from.grows ? max(s->start, from.info.start) : s->start;
		unsigned region;
		struct region_area area = {
		    .start = s->start, .end = s->end, .name = from.info.name, .kind = from.info.kind};

		if (from.grows) {
			area.start = from.info.start;
			area.end = from.info.end;
			area.grows_to = s->start;
		}
		region = table_region(t, child, &area);

		t->region[region].info.madvised |= from.info.madvised;
		if (start < s->end)
			region_more(&t->region[region], start, s->end);
		span_put(child, s->start, s->end, region);
	}
}

void region_map_madvise(struct region_table *t, struct region_map *map, u64 start, u64 end)
{
	for (unsigned i = region_map_search(map, start); i < map->nr && map->span[i].start < end; i++)
		t->region[map->span[i].region].info.madvised = true;
}
