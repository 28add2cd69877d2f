/* SPDX-License-Identifier: MIT
 *
 * engine/groups.c - which accesses of a block share a check.
 */
#include "engine/groups.h"

#include "engine/state.h"

#define GROUP_REACH 128 /* bytes */

struct group groups[MAX_INSNS * MAX_OPERANDS];
unsigned nr_groups;
static unsigned open_groups, nr_roots;
static struct value value[18];

static void new_root(unsigned r)
{
	value[r] = (struct value){nr_roots++, 0};
}

static bool same_group(const struct group *g, const struct operand *o, s64 at)
{
	s64 lo = min(g->first + g->lo, at), hi = max(g->first + g->hi, at + o->len);

	return g->base.root == value[o->base].root && g->index.root == value[o->index].root && g->scale == o->scale &&
	       g->segment == o->segment && !o->addr32 && !o->masked && !g->masked && hi - lo <= GROUP_REACH &&
	       g->nr < ARRAY_SIZE(g->access);
}

static void group_add(struct group *g, const struct operand *o, s64 at)
{
	g->lo = min(g->lo, at - g->first);
	g->hi = max(g->hi, at - g->first + o->len);
	g->rw = max(g->rw, o->rw); /* a write asks for more */
	g->access[g->nr].lo = at - g->first;
	g->access[g->nr].len = o->len;
	g->access[g->nr++].rw = o->rw;
}

static void group_operand(unsigned n, unsigned k)
{
	const struct operand *o = &insns[n].operand[k];
	s64 at = o->disp + value[o->base].offset + value[o->index].offset * o->scale;
	struct group *g;

	for (unsigned i = open_groups; i < nr_groups; i++) {
		if (!same_group(&groups[i], o, at))
			continue;
		group_add(&groups[i], o, at);
		return;
	}
	g = &groups[nr_groups++];
	*g = (struct group){value[o->base], value[o->index], o->scale, 0, (u8)k, 0, o->segment, o->masked, n, at, 0, 0,
			    {{0}}};
	group_add(g, o, at);
}

/* What the instruction does to the registers' values. */
static void follow_values(const struct insn *i)
{
	u32 changed = (u32)(i->kills | i->writes);

	if (i->steps != BASE_NONE) {
		value[i->steps].offset += i->step;
		changed &= ~(1u << i->steps);
	}
	for (; changed; changed &= changed - 1)
		new_root((unsigned)__builtin_ctz(changed));
}

void find_groups(void)
{
	nr_groups = open_groups = nr_roots = 0;
	for (unsigned r = 0; r < ARRAY_SIZE(value); r++)
		new_root(r);
	for (unsigned n = 0; n < nr_insns; n++) {
		for (unsigned k = 0; k < insns[n].nr_operands; k++)
			group_operand(n, k);
		follow_values(&insns[n]);
		if (insns[n].kind != INSN_COPY)
			open_groups = nr_groups;
	}
}
