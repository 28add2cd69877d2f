/* SPDX-License-Identifier: MIT
 *
 * mmu/tlb.c - associative arrays of any geometry: victims, filling, dropping. Lookup is inline in tlb.h, where the
 * structure is drawn and the invariants are numbered.
 *
 * Replacement
 *   LRU     the set's list, most recent first; the victim is its last. Or times of last use: the one longest ago.
 *   FIFO    the same list, but a hit does not move an entry.
 *   random  a xorshift generator with a fixed seed: equal runs give equal misses.
 *   tree    tree-PLRU. Ways that are no power of two are `group`s of one (12 ways: 3 groups of 4), the victim is taken
 *           from the group after the one used last: "(MRU+1)%3PLRU4", as Skylake's STLB does.
 *
 *           node 1                 a node's bit points away from the half used last;
 *          /      \                the victim is where the bits lead
 *       node 2   node 3
 *       /   \    /   \
 *      w0   w1  w2   w3
 *
 * Sources: TLB;DR (USENIX Security 2022) and its tool's README for the policies of Intel's TLBs.
 */
#include <string.h>

#include "mmu/tlb.h"

#define LIB_PANIC(text) __builtin_trap()
#include "lib/assert.h"

/* ---- size and layout ---- */

/* So many that few hold two: there a removal has to guess where its entry is. */
static u32 array_buckets(const struct tlb_array_config *cfg)
{
	u32 entries = (u32)cfg->sets * cfg->ways, n = 1;

	while (n < 8 * entries || n < 2048)
		n *= 2;
	return cfg->ways > TLB_SCAN_WAYS ? n : 0;
}

u64 tlb_array_bytes(const struct tlb_array_config *cfg)
{
	u64 entries = (u64)cfg->sets * cfg->ways, buckets = array_buckets(cfg);
	u64 bytes = entries * 2 * sizeof(u64) + (entries + 2 * cfg->sets) * sizeof(struct tlb_link) +
		    cfg->sets * (sizeof(struct tlb_tree) + sizeof(u64));

	if (buckets)
		bytes += sizeof(u64) + (buckets + entries + 1) * sizeof(u16);
	return ALIGN_UP(bytes, 64);
}

static void array_reset(struct tlb_array *a)
{
	u32 sets = a->set_mask + 1;

	for (u32 set = 0; set < sets; set++) {
		u32 head = a->entries + set;

		a->link[head] = (struct tlb_link){head, head, head, 0};
		tlb_list_insert(a->link, head + sets, head);
		for (u32 i = set * a->ways; i < (set + 1) * a->ways; i++) {
			a->link[i] = (struct tlb_link){i, i, head, 0};
			tlb_list_move(a->link, i, head);
		}
	}
}

u8 *tlb_array_init(struct tlb_array *a, const struct tlb_array_config *cfg, struct tlb_census *census,
		   struct tlb_window *window, u8 *mem)
{
	u32 sets = cfg->sets, entries = sets * cfg->ways, buckets = array_buckets(cfg);
	u8 *end = mem + tlb_array_bytes(cfg);

	ASSERT(sets && cfg->ways && !(sets & (sets - 1)) && entries + 2 * sets < TLB_NONE);
	ASSERT(cfg->replace != MMU_TREE_PLRU || cfg->ways <= 64);
	memset(mem, 0, end - mem);
	*a = (struct tlb_array){.census = census,
				.window = window,
				.entries = entries,
				.ways = cfg->ways,
				.set_mask = sets - 1,
				.random = 2463534242u,
				.replace = cfg->replace,
				.fold = cfg->index == MMU_INDEX_XOR ? __builtin_ctz(sets) : 63,
				.tree_bits = __builtin_ctz(cfg->ways)};
	a->tag = (u64 *)mem;
	a->data = a->tag + entries + (buckets != 0);
	a->tree = (struct tlb_tree *)(a->data + entries);
	a->passed = (u64 *)(a->tree + sets);
	a->link = (struct tlb_link *)(a->passed + sets);
	if (buckets) {
		a->bucket = (u16 *)(a->link + entries + 2 * sets);
		a->chain = a->bucket + buckets;
		a->hash_shift = 64 - __builtin_ctz(buckets);
		for (u32 b = 0; b < buckets; b++)
			a->bucket[b] = (u16)entries;
		a->chain[entries] = (u16)entries;
	}
	if (cfg->replace == MMU_LRU && !window && !buckets) {
		a->used = (u64 *)a->link;
		a->link = NULL;
		for (u32 i = 0; i < entries; i++)
			a->used[i] = i;
	} else {
		array_reset(a);
	}
	return end;
}

/* ---- victims ---- */

void tlb_tree_touch(struct tlb_array *a, u32 i)
{
	u32 set = a->link[i].head - a->entries, way = i - set * a->ways;
	struct tlb_tree *t = &a->tree[set];
	u32 node = 1;

	t->group = way >> a->tree_bits;
	for (int bit = a->tree_bits - 1; bit >= 0; bit--) {
		u32 half = (way >> bit) & 1;
		u64 mask = 1ull << ((t->group << a->tree_bits) + node);

		t->away = half ? t->away & ~mask : t->away | mask;
		node = 2 * node + half;
	}
}

static u32 tree_victim(const struct tlb_array *a, u32 set)
{
	const struct tlb_tree *t = &a->tree[set];
	u32 leaves = 1u << a->tree_bits, node = 1;
	u32 group = t->group + 1 == a->ways >> a->tree_bits ? 0 : t->group + 1;

	while (node < leaves)
		node = 2 * node + ((t->away >> ((group << a->tree_bits) + node)) & 1);
	return (group << a->tree_bits) + node - leaves;
}

static u32 random_victim(struct tlb_array *a)
{
	a->random ^= a->random << 13;
	a->random ^= a->random >> 17;
	a->random ^= a->random << 5;
	return (u64)a->random * a->ways >> 32;
}

/* A folded access is a hit that leaves the array as the model has it, as long as its page is surely there and the order
 * in which held pages were used is known whenever a victim is chosen: each use of LRU's and tree-PLRU's entries only
 * matters if it is the entry's last.
 *   LRU     any page of a set's last `ways` is there; held entries are never victims, so their order is no matter
 *   tree    the last two are there; when a third comes one of them has left, and the other is the most recent
 *   others  the last one is there; a hit changes nothing */
unsigned mmu_window_ways(const struct tlb_array_config *a)
{
	return a->replace == MMU_LRU ? a->ways : a->replace == MMU_TREE_PLRU ? min(a->ways, (u16)2) : 1;
}

/* Tree and random: an empty way, or the policy's; the next one that is not held if that one is. Held entries are the
 * ones used last. */
static u32 way_victim(struct tlb_array *a, u32 set)
{
	u32 first = set * a->ways, way, i;

	for (i = first; i < first + a->ways; i++)
		if (!a->tag[i])
			return i;
	for (i = first; i < first + a->ways && a->replace == MMU_TREE_PLRU; i++)
		if (a->link[i].hold)
			tlb_tree_touch(a, i);
	way = a->replace == MMU_TREE_PLRU ? tree_victim(a, set) : random_victim(a);
	for (u32 n = 0, w = way; n < a->ways; n++) {
		if (!a->link[first + w].hold)
			return first + w;
		w = w + 1 == a->ways ? 0 : w + 1;
	}
	return first + way;
}

/* The set's entry that entered its slot before the others, of which each has one. */
static u32 oldest_held(const struct tlb_array *a, u32 set)
{
	const struct tlb_window *w = a->window;
	u32 oldest = TLB_NONE;

	for (u32 slot = 0; slot < ARRAY_SIZE(w->slot); slot++)
		if (w->slot[slot].array == a && a->link[w->slot[slot].i].head == a->entries + set &&
		    (oldest == TLB_NONE || w->entered[slot] < w->entered[oldest]))
			oldest = slot;
	return w->slot[oldest].i;
}

/* LRU and FIFO: the list's last. FIFO's have held ones in it, which go to the front. */
static u32 list_victim(struct tlb_array *a, u32 set)
{
	u32 head = a->entries + set;

	for (u32 n = 0; n < a->ways; n++) {
		u32 i = a->link[head].prev;

		if (unlikely(i == tlb_mark(a, head)))
			i = a->link[i].prev;
		if (unlikely(i == head))
			return oldest_held(a, set);
		if (!a->link[i].hold)
			return i;
		tlb_list_move(a->link, i, head);
	}
	return a->link[head].prev;
}

/* ---- filling and dropping ---- */

static void window_forget(struct tlb_window *w, const struct tlb_array *a, u32 i)
{
	for (u32 slot = 0; slot < ARRAY_SIZE(w->slot); slot++)
		if (w->slot[slot].array == a && w->slot[slot].i == i) {
			w->slot[slot].array = NULL;
			w->held--;
		}
}

/* A tag of `kind` comes where one of `old` kind was; kind 0 is none. */
void tlb_census_change(struct tlb_census *c, unsigned kind, unsigned old)
{
	if (kind && !c->count[kind]++)
		c->present |= 1u << kind;
	if (old && !--c->count[old])
		c->present &= ~(1u << old);
}

/* No slot holds entry i any more. It is in its list then. */
static void array_release(struct tlb_array *a, u32 i)
{
	window_forget(a->window, a, i);
	a->link[i].hold = 0;
	if (a->replace == MMU_LRU)
		tlb_list_insert(a->link, i, a->link[i].head);
}

void tlb_array_drop(struct tlb_array *a, u32 i)
{
	tlb_census_change(a->census, 0, tlb_tag_kind(a->tag[i]));
	if (a->bucket)
		tlb_chain_remove(a, i, a->tag[i]);
	a->tag[i] = 0;
	if (a->used) {
		a->used[i] = i;
		return;
	}
	if (a->link[i].hold)
		array_release(a, i);
	if (i != a->link[a->link[i].head].prev)
		tlb_list_move(a->link, i, a->link[a->link[i].head].prev);
}

u32 tlb_array_put_listed(struct tlb_array *a, u32 set, u64 tag, u64 data)
{
	bool listed = a->replace == MMU_LRU || a->replace == MMU_FIFO;
	u32 i = listed ? list_victim(a, set) : way_victim(a, set);

	if (unlikely(a->link[i].hold))
		array_release(a, i);
	tlb_array_replace(a, i, tag, data);
	if (likely(listed))
		tlb_list_move(a->link, i, a->entries + set);
	else
		tlb_touch(a, i);
	return i;
}

void tlb_window_put_any(struct tlb_window *w, unsigned slot, struct tlb_array *a, u32 set, u64 tag, u64 data)
{
	tlb_window_enter(w, slot, (struct tlb_ref){a, tlb_array_put_listed(a, set, tag, data)});
}

u64 tlb_array_drop_if(struct tlb_array *a, u64 mask, u64 match)
{
	u64 dropped = 0;

	for (u32 i = 0; i < a->entries; i++) {
		if (!a->tag[i] || (a->tag[i] & mask) != match)
			continue;
		tlb_array_drop(a, i);
		dropped++;
	}
	return dropped;
}

void tlb_window_flush(struct tlb_window *w)
{
	while (w->held) {
		u32 oldest = ARRAY_SIZE(w->slot);

		for (u32 slot = 0; slot < ARRAY_SIZE(w->slot); slot++)
			if (w->slot[slot].array &&
			    (oldest == ARRAY_SIZE(w->slot) || w->entered[slot] < w->entered[oldest]))
				oldest = slot;
		tlb_window_leave(w, oldest);
	}
}

/* ---- levels ---- */

u64 tlb_level_bytes(const struct tlb_level_config *cfg)
{
	u64 bytes = 0;

	for (u32 n = 0; n < MMU_MAX_ARRAYS && cfg->array[n].ways; n++)
		bytes += tlb_array_bytes(&cfg->array[n]);
	return bytes;
}

/* A size that several arrays hold goes to the one that the VPN bits above the set index choose. */
static void level_place(struct tlb_level *l, const struct tlb_level_config *cfg, unsigned size)
{
	struct tlb_place *p = &l->place[size];
	u32 nr = 0;

	for (u32 n = 0; n < l->nr; n++)
		if (cfg->array[n].sizes & 1u << size)
			p->array[nr++] = &l->array[n];
	ASSERT(!(nr & (nr - 1)));
	p->size = size;
	if (!nr) {
		p->size = size ? l->place[size - 1].size : MMU_NSIZES;
		return;
	}
	p->mask = nr - 1;
	p->shift = __builtin_ctz(p->array[0]->set_mask + 1);
}

u8 *tlb_level_init(struct tlb_level *l, const struct tlb_level_config *cfg, struct tlb_window *window, u8 *mem)
{
	memset(l, 0, sizeof(*l));
	for (; l->nr < MMU_MAX_ARRAYS && cfg->array[l->nr].ways; l->nr++) {
		struct tlb_array *a = &l->array[l->nr];

		mem = tlb_array_init(a, &cfg->array[l->nr], &l->census, window, mem);
	}
	for (unsigned size = 0; size < MMU_NSIZES; size++)
		level_place(l, cfg, size);
	ASSERT(!window || l->place[MMU_4K].array[0]);
	return mem;
}

u64 tlb_level_drop_if(struct tlb_level *l, u64 mask, u64 match)
{
	u64 dropped = 0;

	for (u32 n = 0; n < l->nr && l->census.present; n++)
		dropped += tlb_array_drop_if(&l->array[n], mask, match);
	return dropped;
}

/* Is entry i a fraction of a page that holds va? */
static bool fraction_of(const struct tlb_array *a, u32 i, u64 va)
{
	unsigned leaf = tlb_data_leaf(a->data[i]);

	if (!a->tag[i] || leaf <= tlb_kind_size(tlb_tag_kind(a->tag[i])))
		return false;
	return !((va << 4 ^ a->tag[i]) >> (tlb_size_shift(leaf) + 4));
}

static u64 array_drop_fractions(struct tlb_array *a, u64 va, unsigned pcid, bool global)
{
	u64 dropped = 0;

	for (u32 i = 0; i < a->entries; i++) {
		if (!fraction_of(a, i, va))
			continue;
		if (a->tag[i] & TLB_TAG_GLOBAL ? !global : (a->tag[i] & TLB_TAG_PCID) != pcid)
			continue;
		tlb_array_drop(a, i);
		dropped++;
	}
	return dropped;
}

u64 tlb_level_drop_va(struct tlb_level *l, u64 va, unsigned pcid, bool global)
{
	u64 dropped = 0;

	for (u32 left = l->census.present; left; left &= left - 1) {
		unsigned kind = __builtin_ctz(left);
		struct tlb_ref e = tlb_find_kind(l, va, kind, pcid);

		if (!e.array || (kind & TLB_GLOBAL && !global))
			continue;
		tlb_array_drop(e.array, e.i);
		dropped++;
	}
	for (u32 n = 0; n < l->nr && unlikely(l->fractions & tlb_fractions_bit(va)); n++)
		dropped += array_drop_fractions(&l->array[n], va, pcid, global);
	return dropped;
}
