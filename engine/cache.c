/* SPDX-License-Identifier: MIT
 *
 * engine/cache.c - tables of what was translated. Their memory is reserved whole; what is used of it is taken.
 */
#include "engine/cache.h"

#include <string.h>
#include <sys/mman.h>

#include "engine/emit.h"
#include "engine/lock.h"
#include "engine/runtime.h"

#define HASH_BITS  20
#define MAX_BLOCKS (1u << (HASH_BITS - 1))
#define MAX_LINKS  (1u << 21)
#define MAX_SITES  (1u << 21)
#define MAX_COPIED (1u << 23)
#define MAX_NEEDS  (1u << 20)

struct page {
	u64 at;
	u32 blocks, needs; /* the first of them; 0: none */
};

struct need {
	u32 page, next;
};

/* Of the table of blocks: those of 64 bytes of code share a line of the CPU's caches, and others are not looked at. */
struct block_slot {
	u32 pc;     /* its low half */
	u32 number; /* 0: none */
};
#define SLOTS_IN_LINE 8

struct cache cache;

static struct cache whole;
/* blocks[], links[], pages[], needs[] from 1 on, in the order in which they came; the hashes hold their numbers, 0: none. */
static struct block *blocks;
static struct page *pages;
static struct block_slot *block_hash;
static u32 *page_hash;
static unsigned block_hash_bits = 10; /* in use: so that a small program touches little */
static struct link *links;
static struct need *needs;
static struct site *sites;
static struct copied *copied;
static unsigned nr_blocks, nr_links, nr_sites, nr_pages, nr_copied, nr_needs;
static u64 generation = 1;
static struct lock lock;

void cache_lock(void)
{
	lock_take(&lock);
}

void cache_unlock(void)
{
	lock_give(&lock);
}

/* What is written next comes many pages at a time: a page fault for each costs several times that. So far they are
 * there, of each that grows: */
#define AHEAD (64u << 10)
static u8 *ahead[6];

static void take_ahead(void)
{
	u8 *at[] = {cache.hot,
		    cache.cold,
		    (u8 *)&blocks[nr_blocks],
		    (u8 *)&links[nr_links],
		    (u8 *)&sites[nr_sites],
		    (u8 *)&copied[nr_copied]};

	for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
		if (at[i] + 4096 < ahead[i])
			continue;
		ahead[i] = (u8 *)ALIGN_UP((u64)at[i] + AHEAD, (u64)AHEAD);
		sys3(SYS_madvise, (u64)at[i] & ~0xfffull, (u64)(ahead[i] - at[i]), MADV_POPULATE_WRITE);
	}
}

bool cache_is_locked(const void *start, const void *end)
{
	return lock_is_held(&lock, start, end);
}

void cache_lost(void)
{
	memset(block_hash, 0, sizeof(*block_hash) << block_hash_bits);
	memset(page_hash, 0, sizeof(*page_hash) << HASH_BITS);
	nr_blocks = nr_pages = 0;
}

void cache_init(u8 *base, u64 size)
{
	whole = (struct cache){base, base + size / 2, base + size / 2, base + size};
	cache = whole;
	blocks = memory_get(sizeof(*blocks) * (MAX_BLOCKS + 1));
	block_hash = memory_get(sizeof(*block_hash) << HASH_BITS);
	pages = memory_get(sizeof(*pages) * (CACHE_MAX_PAGES + 1));
	page_hash = memory_get(sizeof(*page_hash) << HASH_BITS);
	links = memory_get(sizeof(*links) * (MAX_LINKS + 1));
	sites = memory_get(sizeof(*sites) * MAX_SITES);
	copied = memory_get(sizeof(*copied) * MAX_COPIED);
	needs = memory_get(sizeof(*needs) * (MAX_NEEDS + 1));
}

/* Where the block at pc (the page, below) is, with the other two tables, or an empty place for it. */
static struct block_slot *block_place(u64 pc)
{
	u64 line = ((pc >> 6) * 0x9e3779b97f4a7c15ull) >> (64 - block_hash_bits);
	u64 i = (line & ~(SLOTS_IN_LINE - 1ull)) | (pc >> 3 & (SLOTS_IN_LINE - 1));

	while (block_hash[i].number && (block_hash[i].pc != (u32)pc || blocks[block_hash[i].number].pc != pc))
		i = (i + 1) & ((1u << block_hash_bits) - 1);
	return &block_hash[i];
}

static void block_put(u64 pc, u32 number)
{
	*block_place(pc) = (struct block_slot){(u32)pc, number};
}

/* At most half of it is ever used. */
static void block_hash_grow(void)
{
	memset(block_hash, 0, sizeof(*block_hash) << block_hash_bits);
	block_hash_bits++;
	for (u32 n = 1; n <= nr_blocks; n++)
		block_put(blocks[n].pc, n);
}

/* Pages beside each other have places beside each other. */
static u32 *page_place(u64 page)
{
	u64 i = ((page >> 12) + (page >> 32) * 0x9e3779b9) & ((1u << HASH_BITS) - 1);

	while (page_hash[i] && pages[page_hash[i]].at != page)
		i = (i + 1) & ((1u << HASH_BITS) - 1);
	return &page_hash[i];
}

/* Places are emptied from the last to the first: no search meets a hole before it should. */
void cache_clear(void)
{
	for (; nr_blocks; nr_blocks--)
		block_put(blocks[nr_blocks].pc, blocks[nr_blocks].before);
	for (; nr_pages; nr_pages--)
		*page_place(pages[nr_pages].at) = 0;
	nr_links = nr_sites = nr_copied = nr_needs = 0;
	cache = whole;
	generation++;
}

u64 cache_generation(void)
{
	return generation;
}

void links_undo(void)
{
	for (unsigned i = 1; i <= nr_links; i++)
		emit_patch(links[i].field, links[i].stub);
}

struct block *block_find(u64 pc)
{
	u32 n = block_place(pc)->number;

	return n && !blocks[n].forgotten ? &blocks[n] : NULL;
}

struct block *block_get(u32 number)
{
	return &blocks[number];
}

u32 block_number(const struct block *b)
{
	return (u32)(b - blocks);
}

struct block *block_add(u64 pc)
{
	u32 page = page_number(pc);

	take_ahead();
	if (2 * nr_blocks >= 1u << block_hash_bits)
		block_hash_grow();
	blocks[++nr_blocks] =
	    (struct block){.pc = pc, .before = block_place(pc)->number, .on_page = pages[page].blocks};
	block_put(pc, nr_blocks);
	pages[page].blocks = nr_blocks;
	return &blocks[nr_blocks];
}

void block_forget(struct block *b)
{
	if (b->forgotten)
		return;
	b->forgotten = true;
	for (u32 i = b->links; i; i = links[i].next) {
		emit_patch(links[i].field, links[i].stub);
		links[i].linked = false;
	}
	b->links = 0;
	runtime_purge(b->pc);
}

unsigned link_add(struct link l)
{
	links[++nr_links] = l;
	return nr_links;
}

void link_set(unsigned index, struct block *b)
{
	struct link *l = &links[index];

	if (l->linked) /* by another thread, which had come from there, too */
		return;
	l->linked = true;
	l->next = b->links;
	b->links = index;
	emit_patch(l->field, l->inner ? b->inner : b->changed);
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
		pages[nr_pages] = (struct page){.at = page};
	}
	return *place;
}

u64 page_of_number(u32 number)
{
	return pages[number].at;
}

void page_needs(u32 number, u32 on)
{
	if (number == on)
		return;
	for (u32 i = pages[number].needs; i; i = needs[i].next)
		if (needs[i].page == on)
			return;
	needs[++nr_needs] = (struct need){on, pages[number].needs};
	pages[number].needs = nr_needs;
}

static void page_forget(struct page *p)
{
	for (u32 i = p->blocks; i; i = blocks[i].on_page)
		block_forget(&blocks[i]);
	p->blocks = p->needs = 0;
}

static bool page_rests_on(const struct page *p, u64 start, u64 end)
{
	if (p->at + 4096 > start && p->at < end)
		return true;
	for (u32 i = p->needs; i; i = needs[i].next)
		if (pages[needs[i].page].at + 4096 > start && pages[needs[i].page].at < end)
			return true;
	return false;
}

void cache_forget(u64 start, u64 end)
{
	for (unsigned i = 1; i <= nr_pages; i++)
		if (pages[i].blocks && page_rests_on(&pages[i], start, end))
			page_forget(&pages[i]);
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
	       nr_copied > MAX_COPIED - BLOCK_TABLES || nr_needs > MAX_NEEDS - BLOCK_TABLES;
}
