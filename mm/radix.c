/* SPDX-License-Identifier: MIT
 *
 * mm/radix.c - a sparse array as a tree of 64-slot nodes: six bits of the index a level, as Linux's xarray has it.
 *
 *   height 2:   root -> [ 64 slots: index 11..6 ] -> [ 64 slots: index 5..0 ] -> value
 *
 * The tree is as high as its largest index ever needed; a node without a slot in use is freed.
 */
#include "mm/internal.h"

static struct radix_node *node_at(u64 slot)
{
	return (struct radix_node *)slot;
}

static unsigned slot_of(u64 index, u32 level)
{
	return (index >> (RADIX_BITS * level)) & (RADIX_SLOTS - 1);
}

/* True when a tree of this height has a place for index. */
static bool fits(u64 index, u32 height)
{
	return RADIX_BITS * height >= 64 || index >> (RADIX_BITS * height) == 0;
}

u64 radix_get(const struct radix *r, u64 index)
{
	u64 slot = r->root;

	if (!fits(index, r->height))
		return 0;
	for (u32 level = r->height; level-- > 0 && slot;)
		slot = node_at(slot)->slot[slot_of(index, level)];
	return slot;
}

static int radix_grow(struct vm *vm, struct radix *r, u64 index)
{
	while (!fits(index, r->height)) {
		if (r->root) {
			struct radix_node *node = slab_alloc(vm, SLAB_NODE);

			if (!node)
				return -ENOMEM;
			node->slot[0] = r->root;
			node->used = 1;
			r->root = (u64)node;
		}
		r->height++;
	}
	return 0;
}

/* Sets index in the subtree that *slot names. A node that ends up empty, one made here for a failed insertion too,
 * goes. */
static int set_in(struct vm *vm, u64 *slot, u32 height, u64 index, u64 value)
{
	struct radix_node *node;
	u64 *child, had;
	int err;

	if (!height) {
		*slot = value;
		return 0;
	}
	if (!*slot) {
		if (!value)
			return 0;
		*slot = (u64)slab_alloc(vm, SLAB_NODE);
		if (!*slot)
			return -ENOMEM;
	}
	node = node_at(*slot);
	child = &node->slot[slot_of(index, height - 1)];
	had = *child;
	err = set_in(vm, child, height - 1, index, value);
	node->used += (*child != 0) - (had != 0);
	if (!node->used) {
		slab_free(vm, SLAB_NODE, node);
		*slot = 0;
	}
	return err;
}

int radix_set(struct vm *vm, struct radix *r, u64 index, u64 value)
{
	if (value && radix_grow(vm, r, index))
		return -ENOMEM;
	return fits(index, r->height) ? set_in(vm, &r->root, r->height, index, value) : 0;
}

/* The first value at index or above in the subtree of `slot`, whose indices start at base. */
static u64 next_in(u64 slot, u32 height, u64 base, u64 *index)
{
	if (!slot)
		return 0;
	if (!height) {
		*index = base;
		return slot;
	}
	for (unsigned i = base < *index ? slot_of(*index, height - 1) : 0; i < RADIX_SLOTS; i++) {
		u64 child = base + ((u64)i << (RADIX_BITS * (height - 1)));
		u64 found = next_in(node_at(slot)->slot[i], height - 1, child, index);

		if (found)
			return found;
	}
	return 0;
}

u64 radix_next(const struct radix *r, u64 *index)
{
	return fits(*index, r->height) ? next_in(r->root, r->height, 0, index) : 0;
}
