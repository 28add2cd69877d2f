/* SPDX-License-Identifier: MIT
 *
 * engine/cache.c - tables of what was translated. Their memory is reserved whole; what is used of it is taken.
 */
#include "engine/cache.h"

#include <string.h>

#include "engine/emit.h"
#include "engine/lock.h"

#define HASH_BITS  20
#define MAX_BLOCKS (1u << (HASH_BITS - 1))
#define MAX_LINKS  (1u << 21)
#define MAX_SITES  (1u << 21)
#define MAX_COPIED (1u << 23)

struct cache cache;

static struct cache whole;
/* blocks[], page_at[] from 1 on, in the order in which they came; the hashes hold their numbers, 0: none. */
static struct block *blocks;
static u64 *page_at;
static u32 *block_hash, *page_hash;
static struct link *links;
static struct site *sites;
static struct copied *copied;
static unsigned nr_blocks, nr_links, nr_sites, nr_pages, nr_copied;
static u64 generation;
static struct lock lock;

void cache_lock(void)
{
	lock_take(&lock);
}

void cache_unlock(void)
{
	lock_give(&lock);
}

void cache_init(u8 *base, u64 size)
{
	whole = (struct cache){base, base + size / 2, base + size / 2, base + size};
	cache = whole;
	blocks = memory_get(sizeof(*blocks) * (MAX_BLOCKS + 1));
	block_hash = memory_get(sizeof(*block_hash) << HASH_BITS);
	page_at = memory_get(sizeof(*page_at) * CACHE_MAX_PAGES);
	page_hash = memory_get(sizeof(*page_hash) << HASH_BITS);
	links = memory_get(sizeof(*links) * MAX_LINKS);
	sites = memory_get(sizeof(*sites) * MAX_SITES);
	copied = memory_get(sizeof(*copied) * MAX_COPIED);
}

/* Where the number of the block at pc (of the page, with the other two tables) is, or an empty place for it. */
static u32 *block_place(u64 pc)
{
	u64 i = (pc * 0x9e3779b97f4a7c15ull) >> (64 - HASH_BITS);

	while (block_hash[i] && blocks[block_hash[i]].pc != pc)
		i = (i + 1) & ((1u << HASH_BITS) - 1);
	return &block_hash[i];
}

static u32 *page_place(u64 page)
{
	u64 i = (page * 0x9e3779b97f4a7c15ull) >> (64 - HASH_BITS);

	while (page_hash[i] && page_at[page_hash[i]] != page)
		i = (i + 1) & ((1u << HASH_BITS) - 1);
	return &page_hash[i];
}

/* Places are emptied from the last to the first: no search meets a hole before it should. */
void cache_clear(void)
{
	for (; nr_blocks; nr_blocks--)
		*block_place(blocks[nr_blocks].pc) = 0;
	for (; nr_pages; nr_pages--)
		*page_place(page_at[nr_pages]) = 0;
	nr_links = nr_sites = nr_copied = 0;
	cache = whole;
	generation++;
}

u64 cache_generation(void)
{
	return generation;
}

void links_undo(void)
{
	for (unsigned i = 0; i < nr_links; i++)
		emit_patch(links[i].field, links[i].stub);
}

struct block *block_find(u64 pc)
{
	u32 n = *block_place(pc);

	return n ? &blocks[n] : NULL;
}

struct block *block_add(u64 pc)
{
	u32 *place = block_place(pc);

	*place = ++nr_blocks;
	blocks[nr_blocks] = (struct block){.pc = pc};
	return &blocks[nr_blocks];
}

unsigned link_add(struct link l)
{
	links[nr_links] = l;
	return nr_links++;
}

struct link *link_get(unsigned index)
{
	return &links[index];
}

unsigned site_add(struct site s)
{
	sites[nr_sites] = s;
	return nr_sites++;
}

struct site *site_get(unsigned index)
{
	return &sites[index];
}

u32 page_number(u64 pc)
{
	u64 page = pc & ~0xfffull;
	u32 *place = page_place(page);

	if (!*place) {
		*place = ++nr_pages;
		page_at[nr_pages] = page;
	}
	return *place;
}

u64 page_of_number(u32 number)
{
	return page_at[number];
}

unsigned copied_add(struct copied c)
{
	copied[nr_copied] = c;
	return nr_copied++;
}

bool cache_holds(u64 code)
{
	return code >= (u64)whole.hot && code < (u64)whole.cold_end;
}

unsigned copied_next(void)
{
	return nr_copied;
}

/* Blocks lie in the cache in the order of their numbers. */
struct block *block_at(const u8 *code)
{
	unsigned low = 1, high = nr_blocks + 1;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (blocks[middle].end <= code)
			low = middle + 1;
		else
			high = middle;
	}
	return low <= nr_blocks && code >= blocks[low].outer ? &blocks[low] : NULL;
}

const struct copied *copied_at(const struct block *b, const u8 *code)
{
	const struct copied *found = NULL;

	for (unsigned n = b->first_insn; n < b->first_insn + b->nr_insns && b->outer + copied[n].code <= code; n++)
		found = &copied[n];
	return found;
}

bool cache_is_full(void)
{
	return cache.hot_end - cache.hot < CACHE_ROOM || cache.cold_end - cache.cold < CACHE_ROOM ||
	       nr_blocks + 1 > MAX_BLOCKS || nr_links > MAX_LINKS - BLOCK_TABLES ||
	       nr_sites > MAX_SITES - BLOCK_TABLES || nr_pages > CACHE_MAX_PAGES - BLOCK_TABLES ||
	       nr_copied > MAX_COPIED - BLOCK_TABLES;
}
