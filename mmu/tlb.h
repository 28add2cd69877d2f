/* SPDX-License-Identifier: MIT
 *
 * mmu/tlb.h - associative arrays: what the TLBs and the paging-structure caches are made of.
 *
 *   level (L1 data, say)          array: sets x ways, entry i = set * ways + way
 *   +---------+---------+        +------+------+------+-----+    tag[i]  who: 0 = empty
 *   | array 0 | array 1 | ...    | way 0| way 1| ...  |     |    data[i] what it translates to
 *   +---------+---------+        +------+------+------+-----+    link[i] its place in its set's recency list, and the
 *    4K          2M, 1G           set 0, then set 1, ...                 recency-window slots that hold it; or used[i]
 *
 *   tag   63                  16  15  14  13  12  11     0
 *        |  va bits 59:12       | 0 | G | size+1 |  PCID  |     G: a global entry, its PCID field is 0
 *   data  63   52 51          12 11 10 9    8 7     4  3 2 1 0
 *        |  0    |  frame       |  0  | leaf |  pkey  | D X U W |     rights of all levels together
 *
 *   leaf: enum mmu_size of the page in the tables. The entry is a fraction of that page if its own size is smaller,
 *   and what invalidates one address of the page invalidates all its fractions.
 *
 * Invariants
 *  1. A tag is at most once in an array, and in the set (and the bucket, if there are any) that it hashes to.
 *  2. census.count[kind] = tags of that kind (bits 14:12) in all arrays of the level; bit `kind` of census.present =
 *     count is not 0.
 *  3. LRU, FIFO: a set's list has each of its entries once, most recent first, the empty ones last; of LRU's, those
 *     that are not held.
 *  4. link[i].hold = slots of the window that name entry i; an empty entry is held by none.
 *     used[i] in place of link[i]: the array's clock when entry i was used last, and i in the 16 bits below it. An
 *     empty one was never used.
 *  5. A set's mark (tlb_mark) is in its list, too: behind it is what was used before the kernel used the set
 *     last, inside a window, at passed[set] of the window's clock. 0: all held ones were used after that.
 *
 * What makes it fast: a lookup probes 4K and the other kinds that the level holds now, so the usual machine pays for one
 * page size and for no global entries; tags lie apart from the rest, so a set is one or two cache lines and is compared
 * without a branch; an array of many ways is found through buckets; recency is a linked list, so a hit, a victim and a
 * release take constant time, however many entries are held. Where few ways are LRU and none is held, a hit writes down
 * its time, and a victim is the least of a set's: neither has a branch. No division anywhere.
 */
#ifndef MMU_TLB_H
#define MMU_TLB_H

#include "mmu/mmu.h"

#define TLB_W          1u
#define TLB_U          2u
#define TLB_X          4u
#define TLB_D          8u
#define TLB_RIGHTS     15u
#define TLB_PKEY_SHIFT 4
#define TLB_PKEY       0xf0u
#define TLB_LEAF_SHIFT 8
#define TLB_FRAME      X86_PHYS_MASK

#define TLB_GLOBAL     4u /* bit of a kind */
#define TLB_KIND_SHIFT 12
#define TLB_TAG_GLOBAL ((u64)TLB_GLOBAL << TLB_KIND_SHIFT)
#define TLB_TAG_PCID   0xfffull
#define TLB_ONLY_4K    2u       /* census.present: 4K pages that are not global */
#define TLB_NONE       0xffffu  /* no entry */
#define TLB_CLOCK      0x10000u /* used[]: a tick, above an entry's number */
#define TLB_SCAN_WAYS  16u      /* arrays with more ways are found through buckets */

struct tlb_array;
struct tlb_ref { /* an entry; array == NULL: none */
	struct tlb_array *array;
	u32 i;
};

/* The consumer's side of the recency window (mmu.h): which entry each slot holds. */
struct tlb_window {
	struct tlb_ref slot[MMU_WINDOW_DATA + MMU_WINDOW_FETCH];
	u64 entered[MMU_WINDOW_DATA + MMU_WINDOW_FETCH]; /* when, on `clock` */
	u64 clock;
	u32 held; /* slots that hold an entry */
};

struct tlb_census {
	u32 count[8]; /* by kind */
	u32 present;
};
struct tlb_link {
	u16 prev, next;
	u16 head; /* entries + set: link[head].next = the set's most recent entry, link[head].prev = its least recent */
	u16 hold;
};
struct tlb_tree {
	u64 away; /* tree-PLRU: bit of a node = the half not used last; bit (group << tree_bits) + node */
	u32 group;
};

struct tlb_array {
	u64 *tag, *data;
	struct tlb_link *link;
	u64 *used, clock;    /* LRU of few ways without a window: in place of link[]; else NULL */
	u16 *bucket, *chain; /* both end with `entries`, whose tag is 0; NULL: found by scanning the set */
	struct tlb_tree *tree;
	u64 *passed; /* by set, invariant 5 */
	struct tlb_census *census;
	struct tlb_window *window; /* NULL: entries are never held */
	u32 entries, ways, set_mask;
	u32 random;
	u32 passes; /* sets with a passed[] that is not 0 */
	u8 replace;
	u8 fold;       /* set = (vpn ^ vpn >> fold) & set_mask; 63 for a linear index */
	u8 hash_shift; /* 64 - log2(buckets) */
	u8 tree_bits;  /* log2 of the ways of one tree; ways >> tree_bits groups of them */
};

/* Where a page size lives: array[(vpn >> shift) & mask]. */
struct tlb_place {
	struct tlb_array *array[MMU_MAX_ARRAYS];
	u8 mask, shift;
	u8 size; /* the largest size <= this one that the level holds; MMU_NSIZES: none */
};
struct tlb_level {
	struct tlb_census census;
	struct tlb_place place[MMU_NSIZES];
	struct tlb_array array[MMU_MAX_ARRAYS];
	u32 nr;
	u64 fractions; /* it has held fractions of larger pages, in one of the 1G of va that share this bit */
};

/* Of tlb_level.fractions, that of the 1G around va: no page is larger. */
static inline u64 tlb_fractions_bit(u64 va)
{
	return 1ull << (va >> 30 & 63);
}

/* ---- keys ---- */

static inline unsigned tlb_kind(unsigned size, bool global)
{
	return size + 1 + (global ? TLB_GLOBAL : 0);
}
static inline unsigned tlb_kind_size(unsigned kind)
{
	return (kind & 3) - 1;
}
static inline unsigned tlb_size_shift(unsigned size)
{
	return PAGE_SHIFT + 9 * size;
}
static inline u64 tlb_size_bytes(unsigned size)
{
	return 1ull << tlb_size_shift(size);
}
static inline unsigned tlb_tag_kind(u64 tag)
{
	return (tag >> TLB_KIND_SHIFT) & 7;
}
static inline u64 tlb_tag_make(u64 va, unsigned kind, unsigned pcid)
{
	unsigned shift = tlb_size_shift(tlb_kind_size(kind));

	return va >> shift << (shift + 4) | kind << TLB_KIND_SHIFT | (kind & TLB_GLOBAL ? 0 : pcid);
}

static inline unsigned tlb_data_leaf(u64 data)
{
	return data >> TLB_LEAF_SHIFT & 3;
}

/* ---- lookup and recency: inline, they run once an event ---- */

static inline u32 tlb_array_set(const struct tlb_array *a, u64 vpn)
{
	return (vpn ^ vpn >> a->fold) & a->set_mask;
}
static inline u32 tlb_array_bucket(const struct tlb_array *a, u64 tag)
{
	return tag * 0x9e3779b97f4a7c15ull >> a->hash_shift;
}
static inline u32 tlb_array_find(const struct tlb_array *a, u64 tag, u64 vpn)
{
	const u64 *found = NULL, *t, *end;
	u32 i;

	if (a->bucket) { /* compared before it is known whether there is one: that takes no guess */
		for (i = a->bucket[tlb_array_bucket(a, tag)]; a->tag[i] != tag;)
			if (likely((i = a->chain[i]) == a->entries))
				return TLB_NONE;
		return i;
	}
	t = a->tag + tlb_array_set(a, vpn) * a->ways;
	end = t + a->ways;
	do {
		found = *t == tag ? t : found;
	} while (++t < end);
	return found ? (u32)(found - a->tag) : TLB_NONE;
}
static inline struct tlb_array *tlb_level_array(const struct tlb_level *l, unsigned size, u64 vpn)
{
	const struct tlb_place *p = &l->place[size];

	return likely(!p->mask) ? p->array[0] : p->array[(vpn >> p->shift) & p->mask];
}
static inline struct tlb_ref tlb_find_kind(const struct tlb_level *l, u64 va, unsigned kind, unsigned pcid)
{
	unsigned size = tlb_kind_size(kind);
	u64 vpn = va >> tlb_size_shift(size);
	struct tlb_array *a = tlb_level_array(l, size, vpn);
	u32 i = tlb_array_find(a, tlb_tag_make(va, kind, pcid), vpn);

	return (struct tlb_ref){i == TLB_NONE ? NULL : a, i};
}
/* The entry that translates va for this PCID, of one of these kinds. */
static inline struct tlb_ref tlb_find_kinds(const struct tlb_level *l, u64 va, unsigned pcid, u32 kinds)
{
	struct tlb_ref e = {NULL, 0};

	for (; kinds && !e.array; kinds &= kinds - 1)
		e = tlb_find_kind(l, va, __builtin_ctz(kinds), pcid);
	return e;
}
/* Of any page size, global or not; of all but 4K pages that are not global. */
static inline struct tlb_ref tlb_find(const struct tlb_level *l, u64 va, unsigned pcid)
{
	return tlb_find_kinds(l, va, pcid, l->census.present);
}
static inline struct tlb_ref tlb_find_other(const struct tlb_level *l, u64 va, unsigned pcid)
{
	return tlb_find_kinds(l, va, pcid, l->census.present & ~TLB_ONLY_4K);
}

static inline void tlb_list_remove(struct tlb_link *link, u32 i)
{
	u32 prev = link[i].prev, next = link[i].next;

	link[prev].next = next;
	link[next].prev = prev;
}
static inline void tlb_list_insert(struct tlb_link *link, u32 i, u32 after)
{
	u32 second = link[after].next;

	link[i].prev = after;
	link[i].next = second;
	link[second].prev = i;
	link[after].next = i;
}
static inline void tlb_list_move(struct tlb_link *link, u32 i, u32 after)
{
	tlb_list_remove(link, i);
	tlb_list_insert(link, i, after);
}
static inline void tlb_use(struct tlb_array *a, u32 i)
{
	a->clock += TLB_CLOCK;
	a->used[i] = a->clock | i;
}
void tlb_tree_touch(struct tlb_array *a, u32 i);
/* Entry i was used now. */
static inline void tlb_touch(struct tlb_array *a, u32 i)
{
	if (likely(a->used)) {
		tlb_use(a, i);
	} else if (likely(a->replace == MMU_LRU)) {
		u32 head = a->link[i].head;

		if (a->link[head].next != i && !a->link[i].hold)
			tlb_list_move(a->link, i, head);
	} else if (a->replace == MMU_TREE_PLRU) {
		tlb_tree_touch(a, i);
	}
}

/* ---- the recency window ---- */

/* Of the list whose head this is. */
static inline u32 tlb_mark(const struct tlb_array *a, u32 head)
{
	return head + a->set_mask + 1;
}
/* Behind what entry i belongs in its set's list, whose page entered then and has left: its last use is more recent than
 * those of all that left before. Whether the kernel's was later nobody says: it counts as later, until a page leaves that
 * entered after it. */
static inline u32 tlb_window_place(struct tlb_array *a, u32 i, u64 entered)
{
	u32 head = a->link[i].head;
	u64 *passed;

	if (likely(!a->passes))
		return head;
	passed = &a->passed[head - a->entries];
	if (entered < *passed)
		return tlb_mark(a, head);
	a->passes -= *passed != 0;
	*passed = 0;
	return head;
}
/* The page of the slot has left. */
static inline void tlb_window_release(struct tlb_ref e, u64 entered)
{
	u16 hold = --e.array->link[e.i].hold;

	if (unlikely(e.array->replace != MMU_LRU))
		tlb_touch(e.array, e.i);
	else if (likely(hold == 0))
		tlb_list_insert(e.array->link, e.i, tlb_window_place(e.array, e.i, entered));
}
static inline void tlb_window_leave(struct tlb_window *w, unsigned slot)
{
	if (!w->slot[slot].array)
		return;
	tlb_window_release(w->slot[slot], w->entered[slot]);
	w->slot[slot].array = NULL;
	w->held--;
}
static inline bool tlb_window_has(const struct tlb_window *w, unsigned slot, struct tlb_ref e)
{
	return w->slot[slot].array == e.array && w->slot[slot].i == e.i;
}
/* The use that enters a slot, or of the page that is in it. It needs no place in an LRU list now: the release gives it
 * the right one. */
static inline void tlb_window_enter(struct tlb_window *w, unsigned slot, struct tlb_ref e)
{
	struct tlb_link *link = e.array->link;
	u64 before = w->entered[slot];

	w->entered[slot] = ++w->clock;
	if (likely(!tlb_window_has(w, slot, e))) {
		if (likely(w->slot[slot].array))
			tlb_window_release(w->slot[slot], before);
		else
			w->held++;
		w->slot[slot] = e;
		if (link[e.i].hold++ == 0 && likely(e.array->replace == MMU_LRU))
			tlb_list_remove(link, e.i);
	}
	if (unlikely(e.array->replace != MMU_LRU))
		tlb_touch(e.array, e.i);
}
/* A use that enters none: the kernel's. Held pages were used before it. */
static inline void tlb_window_pass(struct tlb_window *w, struct tlb_ref e)
{
	struct tlb_link *link = e.array->link;
	u32 head = link[e.i].head;
	u64 *passed = &e.array->passed[head - e.array->entries];

	tlb_touch(e.array, e.i);
	if (e.array->replace != MMU_LRU || *passed == w->clock + 1 || link[e.i].hold)
		return;
	e.array->passes += *passed == 0;
	*passed = w->clock + 1;
	tlb_list_move(link, tlb_mark(e.array, head), e.i);
}
static inline void tlb_window_use(struct tlb_window *w, int slot, struct tlb_ref e)
{
	if (slot >= 0)
		tlb_window_enter(w, (unsigned)slot, e);
	else
		tlb_window_pass(w, e);
}
/* Every slot is vacated, in the order in which they were entered (the order of last uses is the producer's secret). */
void tlb_window_flush(struct tlb_window *w);

/* ---- making and changing (tlb.c) ---- */

/* Bytes of memory that init wants, a multiple of 8. init returns the first byte after what it took. */
u64 tlb_array_bytes(const struct tlb_array_config *cfg);
u8 *tlb_array_init(struct tlb_array *a, const struct tlb_array_config *cfg, struct tlb_census *census,
		   struct tlb_window *window, u8 *mem);
u64 tlb_level_bytes(const struct tlb_level_config *cfg);
u8 *tlb_level_init(struct tlb_level *l, const struct tlb_level_config *cfg, struct tlb_window *window, u8 *mem);

void tlb_array_drop(struct tlb_array *a, u32 i);
/* Drops each entry whose tag masked is `match`; returns their number. */
u64 tlb_array_drop_if(struct tlb_array *a, u64 mask, u64 match);

u64 tlb_level_drop_if(struct tlb_level *l, u64 mask, u64 match);
/* Drops what translates va for this PCID; global entries too if `global`. Returns the number of entries. */
u64 tlb_level_drop_va(struct tlb_level *l, u64 va, unsigned pcid, bool global);

/* ---- filling: inline, most events of many programs do it ---- */

static inline void tlb_chain_remove(struct tlb_array *a, u32 i, u64 tag)
{
	u16 *at = &a->bucket[tlb_array_bucket(a, tag)];

	while (*at != i)
		at = &a->chain[*at];
	*at = a->chain[i];
}
static inline void tlb_chain_insert(struct tlb_array *a, u32 i, u64 tag)
{
	u16 *bucket = &a->bucket[tlb_array_bucket(a, tag)];

	a->chain[i] = *bucket;
	*bucket = (u16)i;
}
void tlb_census_change(struct tlb_census *c, unsigned kind, unsigned old);
/* Entry i, which no slot holds, is of this page now. Its place in the order is the caller's. */
static inline void tlb_array_replace(struct tlb_array *a, u32 i, u64 tag, u64 data)
{
	u64 old = a->tag[i];

	a->tag[i] = tag;
	a->data[i] = data;
	if (unlikely((old ^ tag) >> TLB_KIND_SHIFT & 7))
		tlb_census_change(a->census, tlb_tag_kind(tag), tlb_tag_kind(old));
	if (!a->bucket)
		return;
	if (likely(old))
		tlb_chain_remove(a, i, old);
	tlb_chain_insert(a, i, tag);
}
u32 tlb_array_put_listed(struct tlb_array *a, u32 set, u64 tag, u64 data);
/* Puts a tag that the array does not have, in the victim's place. set: the tag's. Returns the entry. */
static inline u32 tlb_array_put(struct tlb_array *a, u32 set, u64 tag, u64 data)
{
	u32 first = set * a->ways, i;
	u64 least;

	if (unlikely(!a->used))
		return tlb_array_put_listed(a, set, tag, data);
	least = a->used[first];
	for (i = first + a->ways; --i > first;)
		least = min(least, a->used[i]);
	i = (u16)least;
	tlb_array_replace(a, i, tag, data);
	tlb_use(a, i);
	return i;
}
void tlb_window_put_any(struct tlb_window *w, unsigned slot, struct tlb_array *a, u32 set, u64 tag, u64 data);
/* The same, as the use that enters an empty slot: an LRU entry goes from its list's end straight to being held. */
static inline void tlb_window_put(struct tlb_window *w, unsigned slot, struct tlb_array *a, u32 set, u64 tag, u64 data)
{
	struct tlb_link *link = a->link;
	u32 head = a->entries + set, i = link[head].prev;

	i = i == tlb_mark(a, head) ? link[i].prev : i;
	if (unlikely(a->replace != MMU_LRU || i == head)) {
		tlb_window_put_any(w, slot, a, set, tag, data);
		return;
	}
	tlb_list_remove(link, i);
	link[i].hold = 1;
	w->slot[slot] = (struct tlb_ref){a, i};
	w->entered[slot] = ++w->clock;
	w->held++;
	tlb_array_replace(a, i, tag, data);
}

#endif
