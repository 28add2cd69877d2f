/* SPDX-License-Identifier: MIT
 *
 * engine/limits.c - the program's RLIMIT_AS and RLIMIT_DATA (limits.h).
 *
 * Source: Linux 6.12 kernel/sys.c (do_prlimit), mm/mmap.c (may_expand_vm), include/linux/mm.h (check_data_rlimit).
 */
#include "engine/limits.h"

#include <asm/resource.h>
#include <errno.h>

#include "engine/areas.h"
#include "engine/engine.h"
#include "engine/threads.h"
#include "lib/sys.h"

bool limits_begun;

static struct {
	u64 resource, taken; /* taken: bytes mapped by the engine that the kernel counts in it */
	bool ours;           /* it is kept here */
} kinds[NR_LIMITS] = {[LIMIT_AS] = {RLIMIT_AS, 0, false}, [LIMIT_DATA] = {RLIMIT_DATA, 0, false}};

/* What the program may map beside the engine. Linux takes an RLIMIT_DATA of 0 for the hard limit, but for brk. */
static u64 most(unsigned kind, const struct limit *l)
{
	return limit_more(kind == LIMIT_DATA && !l->soft ? l->hard : l->soft, kinds[kind].taken);
}

static long set(unsigned kind, const struct limit *own, enum limits_for what)
{
	struct limit l = {own->soft, limit_more(own->hard, LIMITS_ROOM)};

	if (what == LIMITS_PROGRAM)
		l.soft = most(kind, own);
	else if (what == LIMITS_ENGINE)
		l.soft = limit_more(own->soft, LIMITS_ROOM);
	return sys6(SYS_prlimit64, 0, kinds[kind].resource, (u64)&l, 0, 0, 0);
}

bool limits_set(const struct process *p, enum limits_for what)
{
	bool ok = true;

	for (unsigned kind = 0; kind < NR_LIMITS; kind++)
		if (kinds[kind].ours && p->limits[kind].soft != ~0ull)
			ok &= set(kind, &p->limits[kind], what) == 0;
	return ok;
}

void limits_took(u64 bytes)
{
	for (unsigned kind = 0; kind < NR_LIMITS; kind++)
		kinds[kind].taken += bytes;
}

/* ---- the start ---- */

static void count(const struct maps_line *line)
{
	u64 bytes = line->end - line->start;

	if (line->start < ENGINE_START || line->start >= ENGINE_END)
		return;
	kinds[LIMIT_AS].taken += bytes;
	if (line->prot[1] == 'w' && line->prot[3] == 'p')
		kinds[LIMIT_DATA].taken += bytes;
}

void limits_begin(struct process *p)
{
	for (unsigned kind = 0; kind < NR_LIMITS; kind++) {
		struct limit l = {0}, *own = &p->limits[kind];

		sys3(SYS_getrlimit, kinds[kind].resource, (u64)&l, 0);
		kinds[kind].ours = l.hard >= LIMITS_ROOM;
		own->soft = l.soft == ~0ull ? l.soft : l.soft - LIMITS_ROOM;
		own->hard = l.hard == ~0ull ? l.hard : l.hard - LIMITS_ROOM;
	}
	maps_read(count);
	limits_begun = true;
	limits_set(p, LIMITS_PROGRAM);
}

/* ---- the program's calls ---- */

static bool is_own(const struct thread *t, u64 pid)
{
	return pid == 0 || pid == t->tid || pid == t->process->pid;
}

bool limits_answer(struct thread *t, long nr, const u64 a[6], long *ret)
{
	bool both = nr == SYS_prlimit64, sets = nr == SYS_setrlimit || (both && a[2]);
	u64 resource = (u32)a[both], new_at = a[both ? 2 : 1], old_at = a[both ? 3 : 1];
	unsigned kind = resource == RLIMIT_DATA ? LIMIT_DATA : LIMIT_AS;
	struct limit old, new;

	if ((nr != SYS_getrlimit && nr != SYS_setrlimit && !both) || (both && !is_own(t, (u32)a[0])) ||
	    resource != kinds[kind].resource || !kinds[kind].ours)
		return false;
	*ret = -EFAULT;
	if (sets && program_read(&new, new_at, sizeof(new)) != sizeof(new))
		return true;
	*ret = 0;
	lock_take(&maps);
	old = t->process->limits[kind];
	if (sets)
		*ret = new.soft > new.hard ? -EINVAL : set(kind, &new, LIMITS_PROGRAM);
	if (sets && *ret == 0)
		t->process->limits[kind] = new;
	lock_give(&maps);
	if (*ret == 0 && (nr == SYS_getrlimit || (both && old_at)))
		*ret = program_write(old_at, &old, sizeof(old));
	return true;
}

bool limits_brk(const struct process *p, u64 brk_start, u64 brk, u64 data)
{
	return !kinds[LIMIT_DATA].ours || brk < brk_start || brk - brk_start + data <= p->limits[LIMIT_DATA].soft;
}
