/* SPDX-License-Identifier: MIT
 *
 * lib/gap.c - the tree of lib/gap.h: an AVL tree with parent links and two derived facts a node.
 *
 *                     [C)  height 2, max_gap = the largest of: hole below C, max_gap of B, max_gap of D
 *                    /   \
 *                 [B)     [D)         threads: B <-> C <-> D, first = B, last = D
 *
 * Invariants (gap_valid)
 *  1. Threads list the nodes in address order, no two overlap, none is empty.
 *  2. In-order walk of the tree = the threads; parent links match; count counts them.
 *  3. height = 1 + the higher child's, and two siblings' heights differ by at most 1.
 *  4. max_gap = the largest hole below a node of the subtree.
 *
 * A node's two derived facts depend on the node, its children and its predecessor's end alone. So a change is repaired
 * along the path to the root, and the repair stops at the first subtree whose facts come out as they were.
 *
 * Sources: Adelson-Velsky and Landis 1962; Knuth, TAOCP vol. 3, 6.2.3.
 */
#include "lib/gap.h"

static s32 height_of(const struct gap_node *n)
{
	return n ? n->height : 0;
}

static u64 max_gap_of(const struct gap_node *n)
{
	return n ? n->max_gap : 0;
}

/* The hole below n is [hole_start, n->start). */
static u64 hole_start(const struct gap_node *n)
{
	return n->prev ? n->prev->end : 0;
}

static u64 hole_size(const struct gap_node *n)
{
	return n->start - hole_start(n);
}

/* What is placed below n must not reach beyond this. It may lie below the hole's start. */
static u64 guarded_start(const struct gap_node *n)
{
	return n->start > n->guard ? n->start - n->guard : 0;
}

/* ---- balance ---- */

static void update(struct gap_node *n)
{
	n->height = 1 + max(height_of(n->left), height_of(n->right));
	n->max_gap = max(hole_size(n), max(max_gap_of(n->left), max_gap_of(n->right)));
}

/* Puts `to` where `from` hangs: under from's parent, or as the root. */
static void replace_child(struct gap_tree *t, struct gap_node *from, struct gap_node *to)
{
	struct gap_node *parent = from->parent;

	if (!parent)
		t->root = to;
	else if (parent->left == from)
		parent->left = to;
	else
		parent->right = to;
	if (to)
		to->parent = parent;
}

/*       n               r
 *      / \             / \
 *     a   r    -->    n   c      and the mirror image. Returns the new top.
 *        / \         / \
 *       b   c       a   b
 */
static struct gap_node *rotate_left(struct gap_tree *t, struct gap_node *n)
{
	struct gap_node *r = n->right;

	replace_child(t, n, r);
	n->right = r->left;
	if (n->right)
		n->right->parent = n;
	r->left = n;
	n->parent = r;
	update(n);
	update(r);
	return r;
}

static struct gap_node *rotate_right(struct gap_tree *t, struct gap_node *n)
{
	struct gap_node *l = n->left;

	replace_child(t, n, l);
	n->left = l->right;
	if (n->left)
		n->left->parent = n;
	l->right = n;
	n->parent = l;
	update(n);
	update(l);
	return l;
}

/* Makes invariants 3 and 4 true at n, whose children have them. Returns the subtree's top. */
static struct gap_node *balance(struct gap_tree *t, struct gap_node *n)
{
	s32 lean = height_of(n->left) - height_of(n->right);

	if (lean > 1) {
		if (height_of(n->left->left) < height_of(n->left->right))
			rotate_left(t, n->left);
		return rotate_right(t, n);
	}
	if (lean < -1) {
		if (height_of(n->right->right) < height_of(n->right->left))
			rotate_right(t, n->right);
		return rotate_left(t, n);
	}
	update(n);
	return n;
}

/* n, or what n's hole depends on, changed: repair upwards. n may be NULL. */
static void repair(struct gap_tree *t, struct gap_node *n)
{
	while (n) {
		s32 height = n->height;
		u64 max_gap = n->max_gap;

		n = balance(t, n);
		if (n->height == height && n->max_gap == max_gap)
			return;
		n = n->parent;
	}
}

/* ---- changes ---- */

void gap_init(struct gap_tree *t)
{
	*t = (struct gap_tree){0};
}

static void thread(struct gap_tree *t, struct gap_node *n, struct gap_node *prev, struct gap_node *next)
{
	n->prev = prev;
	n->next = next;
	*(prev ? &prev->next : &t->first) = n;
	*(next ? &next->prev : &t->last) = n;
}

void gap_insert(struct gap_tree *t, struct gap_node *n)
{
	struct gap_node *parent = NULL, *prev = NULL, *next = NULL, **link = &t->root;

	while (*link) {
		parent = *link;
		if (n->start < parent->start) {
			next = parent;
			link = &parent->left;
		} else {
			prev = parent;
			link = &parent->right;
		}
	}
	*link = n;
	n->parent = parent;
	n->left = n->right = NULL;
	n->height = 0; /* no subtree's: repair() goes on to the parent */
	n->max_gap = 0;
	thread(t, n, prev, next);
	t->count++;
	repair(t, n);
	repair(t, next);
}

void gap_erase(struct gap_tree *t, struct gap_node *n)
{
	struct gap_node *next = n->next, *heir = NULL, *changed = n->parent;

	*(n->prev ? &n->prev->next : &t->first) = next;
	*(next ? &next->prev : &t->last) = n->prev;
	t->count--;

	if (!n->left || !n->right) {
		replace_child(t, n, n->left ? n->left : n->right);
	} else {
		/* The successor, leftmost on the right, takes n's place. */
		heir = next;
		changed = heir->parent == n ? heir : heir->parent;
		if (heir->parent != n) {
			replace_child(t, heir, heir->right);
			heir->right = n->right;
			heir->right->parent = heir;
		}
		heir->left = n->left;
		heir->left->parent = heir;
		replace_child(t, n, heir);
		heir->height = n->height;
		heir->max_gap = n->max_gap;
	}
	repair(t, changed);
	repair(t, heir);
	repair(t, next);
}

void gap_resize(struct gap_tree *t, struct gap_node *n, u64 start, u64 end, u64 guard)
{
	n->start = start;
	n->end = end;
	n->guard = guard;
	repair(t, n);
	repair(t, n->next);
}

/* ---- questions ---- */

struct gap_node *gap_find(const struct gap_tree *t, u64 addr)
{
	struct gap_node *n = t->root, *found = NULL;

	while (n) {
		if (n->end > addr) {
			found = n;
			if (n->start <= addr)
				break;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return found;
}

/* Of subtree n, which has a hole of len: the node above the highest one, or (up) above the lowest one. */
static struct gap_node *extreme_hole(struct gap_node *n, u64 len, bool lowest)
{
	for (;;) {
		struct gap_node *first = lowest ? n->left : n->right;

		if (max_gap_of(first) >= len)
			n = first;
		else if (hole_size(n) >= len)
			return n;
		else
			n = lowest ? n->right : n->left;
	}
}

/* The last node whose hole holds len and starts at or below `limit`. Holes' starts ascend, so the nodes allowed are a
 * prefix: one path from the root separates them, and what hangs off its left is allowed as a whole. */
static struct gap_node *last_hole_from(const struct gap_tree *t, u64 len, u64 limit)
{
	struct gap_node *n = t->root, *found = NULL;

	while (n) {
		if (hole_start(n) > limit) {
			n = n->left;
			continue;
		}
		if (hole_size(n) >= len)
			found = n;
		else if (max_gap_of(n->left) >= len)
			found = extreme_hole(n->left, len, false);
		n = n->right;
	}
	return found;
}

u64 gap_search_topdown(const struct gap_tree *t, u64 len, u64 low, u64 high)
{
	u64 above = t->last ? t->last->end : 0;

	while (high >= len && high - len >= low) {
		struct gap_node *n;
		u64 top;

		if (above <= high - len)
			return high - len;
		n = last_hole_from(t, len, high - len);
		if (!n)
			break;
		top = min(n->start, high);
		if (guarded_start(n) >= top)
			return top - len >= low ? top - len : ~0ull;
		high = guarded_start(n);
	}
	return ~0ull;
}

/* The first node with start >= limit whose hole holds len. The mirror image of last_hole_from(). */
static struct gap_node *first_hole_to(const struct gap_tree *t, u64 len, u64 limit)
{
	struct gap_node *n = t->root, *found = NULL;

	while (n) {
		if (n->start < limit) {
			n = n->right;
			continue;
		}
		if (hole_size(n) >= len)
			found = n;
		else if (max_gap_of(n->right) >= len)
			found = extreme_hole(n->right, len, true);
		n = n->left;
	}
	return found;
}

u64 gap_search_bottomup(const struct gap_tree *t, u64 len, u64 low, u64 high)
{
	u64 above = t->last ? t->last->end : 0;

	while (high >= len && low <= high - len) {
		struct gap_node *n = first_hole_to(t, len, low + len);
		u64 addr = max(low, n ? hole_start(n) : above);

		if (addr > high - len)
			break;
		if (!n || addr + len <= guarded_start(n))
			return addr;
		low = n->end;
	}
	return ~0ull;
}

/* ---- checks ---- */

static bool node_valid(const struct gap_node *n)
{
	s32 l = height_of(n->left), r = height_of(n->right);

	return n->start < n->end && (!n->prev || n->prev->end <= n->start) && n->height == 1 + max(l, r) &&
	       l - r <= 1 && r - l <= 1 && (!n->left || n->left->parent == n) && (!n->right || n->right->parent == n) &&
	       n->max_gap == max(hole_size(n), max(max_gap_of(n->left), max_gap_of(n->right)));
}

/* The next node in order, by the tree's links alone. */
static const struct gap_node *successor(const struct gap_node *n)
{
	if (n->right) {
		for (n = n->right; n->left;)
			n = n->left;
		return n;
	}
	while (n->parent && n->parent->right == n)
		n = n->parent;
	return n->parent;
}

bool gap_valid(const struct gap_tree *t)
{
	const struct gap_node *n = t->root, *prev = NULL;
	u64 count = 0;

	if (n && n->parent)
		return false;
	while (n && n->left)
		n = n->left;
	if (n != t->first)
		return false;
	for (; n; prev = n, n = successor(n), count++)
		if (!node_valid(n) || n->prev != prev || (prev && prev->next != n) || count > t->count)
			return false;
	return prev == t->last && (!prev || !prev->next) && count == t->count;
}
