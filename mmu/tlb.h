/* SPDX-License-Identifier: MIT
 *
 * mmu/tlb.h - associative arrays: what the TLBs and the paging-structure caches are made of.
 *
 *   level (L1 data, say)          array: sets x ways, entry i = set * ways + way
 *   +---------+---------+        +------+------+------+-----+    tag[i]  who: 0 = empty
 *   | array 0 | array 1 | ...    | way 0| way 1| ...  |     |    data[i] what it translates to
 *   +---------+---------+        +------+------+------+-----+    link[i] its place in its set's recency list, and the
 *    4K          2M, 1G           set 0, then set 1, ...                 recency-window slots that hold it
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
 *  3. LRU, FIFO: a set's list has each of its entries once, most recent first, the empty ones last.
 *  4. link[i].hold = slots of the window that name entry i; an empty entry is held by none.
 *
 * What makes it fast: a lookup probes only the kinds that the level holds now, so the usual machine pays for one page
 * size and for no global entries; tags lie apart from the rest, so a set is one or two cache lines and is compared
 * without a branch; an array of many ways is found through buckets; recency is a linked list, so a hit, a victim and a
 * release take constant time; a held entry that comes up as the victim moves to the front, so it is passed over once in
 * a whole turn of its set. No division anywhere.
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
#define TLB_NONE       0xffffu /* no entry */
#define TLB_SCAN_WAYS  16u     /* arrays with more ways are found through buckets */

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
	u16 *bucket, *chain; /* NULL: found by scanning the set */
	struct tlb_tree *tree;
	struct tlb_census *census;
	struct tlb_window *window; /* NULL: entries are never held */
	u32 entries, ways, set_mask;
	u32 random;
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
	bool fractions; /* it has held fractions of larger pages */
};

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
	u32 found = TLB_NONE, first, i;

	if (a->bucket) {
		for (i = a->bucket[tlb_array_bucket(a, tag)]; i != TLB_NONE && a->tag[i] != tag;)
			i = a->chain[i];
		return i;
	}
	first = tlb_array_set(a, vpn) * a->ways;
	for (i = first; i < first + a->ways; i++)
		found = a->tag[i] == tag ? i : found;
	return found;
}
static inline struct tlb_array *tlb_level_array(const struct tlb_level *l, unsigned size, u64 vpn)
{
	const struct tlb_place *p = &l->place[size];

	return p->array[(vpn >> p->shift) & p->mask];
}
static inline struct tlb_ref tlb_find_kind(const struct tlb_level *l, u64 va, unsigned kind, unsigned pcid)
{
	unsigned size = tlb_kind_size(kind);
	u64 vpn = va >> tlb_size_shift(size);
	struct tlb_array *a = tlb_level_array(l, size, vpn);
	u32 i = tlb_array_find(a, tlb_tag_make(va, kind, pcid), vpn);

	return (struct tlb_ref){i == TLB_NONE ? NULL : a, i};
}
/* The entry that translates va for this PCID, of any page size, global or not. 4K comes first, with constant shifts. */
static inline struct tlb_ref tlb_find(const struct tlb_level *l, u64 va, unsigned pcid)
{
	u32 present = l->census.present;
	struct tlb_ref e = {NULL, 0};

	if (present & 1u << tlb_kind(MMU_4K, false))
		e = tlb_find_kind(l, va, tlb_kind(MMU_4K, false), pcid);
	for (u32 left = present & ~(1u << tlb_kind(MMU_4K, false)); left && !e.array; left &= left - 1)
		e = tlb_find_kind(l, va, __builtin_ctz(left), pcid);
	return e;
}

static inline void tlb_list_move(struct tlb_link *link, u32 i, u32 after)
{
	u32 prev = link[i].prev, next = link[i].next, second;

	link[prev].next = next;
	link[next].prev = prev;
	second = link[after].next;
	link[i].prev = after;
	link[i].next = second;
	link[second].prev = i;
	link[after].next = i;
}
void tlb_tree_touch(struct tlb_array *a, u32 i);
/* Entry i was used now. */
static inline void tlb_touch(struct tlb_array *a, u32 i)
{
	if (likely(a->replace == MMU_LRU)) {
		u32 head = a->link[i].head;

		if (a->link[head].next != i)
			tlb_list_move(a->link, i, head);
	} else if (a->replace == MMU_TREE_PLRU) {
		tlb_tree_touch(a, i);
	}
}

/* ---- the recency window ---- */

/* The use that enters a slot. In an LRU list it needs no place now: the release gives it the right one. */
static inline void tlb_window_enter(struct tlb_window *w, unsigned slot, struct tlb_ref e)
{
	if (unlikely(e.array->replace != MMU_LRU))
		tlb_touch(e.array, e.i);
	w->slot[slot] = e;
	w->entered[slot] = w->clock++;
	e.array->link[e.i].hold++;
}
/* The page in the slot has left: its last use is more recent than that of all that left before. */
static inline void tlb_window_leave(struct tlb_window *w, unsigned slot)
{
	struct tlb_ref e = w->slot[slot];

	if (!e.array)
		return;
	w->slot[slot].array = NULL;
	e.array->link[e.i].hold--;
	tlb_touch(e.array, e.i);
}
/* Every slot is vacated, in the order in which they were entered (the order of last uses is the producer's secret). */
void tlb_window_flush(struct tlb_window *w);

/* ---- making and changing (tlb.c) ---- */

/* Bytes of memory that init wants, a multiple of 8. init returns the first byte after what it took. */
u64 tlb_array_bytes(const struct tlb_array_config *cfg);
u8 *tlb_array_init(struct tlb_array *a, const struct tlb_array_config *cfg, struct tlb_census *census, u8 *mem);
u64 tlb_level_bytes(const struct tlb_level_config *cfg);
u8 *tlb_level_init(struct tlb_level *l, const struct tlb_level_config *cfg, struct tlb_window *window, u8 *mem);

/* Puts a tag that the array does not have, in the victim's place. vpn: the tag's. Returns the entry. */
u32 tlb_array_put(struct tlb_array *a, u64 vpn, u64 tag, u64 data);
void tlb_array_drop(struct tlb_array *a, u32 i);
/* Drops each entry whose tag masked is `match`; returns their number. */
u64 tlb_array_drop_if(struct tlb_array *a, u64 mask, u64 match);

u64 tlb_level_drop_if(struct tlb_level *l, u64 mask, u64 match);
/* Drops what translates va for this PCID; global entries too if `global`. Returns the number of entries. */
u64 tlb_level_drop_va(struct tlb_level *l, u64 va, unsigned pcid, bool global);

#endif
