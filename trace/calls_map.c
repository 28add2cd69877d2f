/* SPDX-License-Identifier: MIT
 *
 * trace/calls_map.c - system calls that change mappings, as events. Only what succeeded is told, after it did.
 */
#include "trace/calls_internal.h"

#define MAP_ANONYMOUS  0x20
#define MAP_SHARED     0x01
#define PROT_READ      1
#define PROT_WRITE     2
#define SHM_RDONLY     010000
#define MLOCK_ONFAULT  1
#define PR_THP_DISABLE 41

bool calls_is_map(const struct call *call)
{
	switch (call->nr) {
	case NR_mmap:
	case NR_munmap:
	case NR_mprotect:
	case NR_pkey_mprotect:
	case NR_mremap:
	case NR_brk:
	case NR_madvise:
	case NR_msync:
	case NR_mlock:
	case NR_mlock2:
	case NR_munlock:
	case NR_mlockall:
	case NR_munlockall:
	case NR_shmat:
	case NR_shmdt:
		return true;
	default:
		return false;
	}
}

static void tell_range(const struct telling *t, unsigned type, u64 arg, u64 start, u64 len)
{
	struct ev_range e = {start, len};

	t->ops->change(t->thread, type, arg, &e, EV_PAYLOAD_WORDS(e), NULL);
}

static void tell_mmap(const struct telling *t)
{
	const u64 *a = t->call->arg;
	struct ev_map e = {.start = (u64)t->ret, .len = pages_up(a[1]), .prot = a[2], .flags = a[3]};
	struct call_file file;

	file.name[0] = 0;
	if (!(a[3] & MAP_ANONYMOUS)) {
		e.offset = a[5];
		if (t->ops->file(t->thread, (int)a[4], &file, true) && !file.zero) {
			e.dev = file.dev;
			e.ino = file.ino;
			e.size = file.regular ? file.size : e.offset + e.len;
			if (file.regular)
				t->ops->note_mapped(t->thread, &file);
		} else {
			e.flags |= MAP_ANONYMOUS;
			file.name[0] = 0;
		}
	}
	t->ops->change(t->thread, EV_MAP, 0, &e, EV_PAYLOAD_WORDS(e), file.name);
}

static void tell_mremap(const struct telling *t)
{
	const u64 *a = t->call->arg;
	struct ev_remap e = {a[0], pages_up(a[1]), (u64)t->ret, pages_up(a[2]), a[3]};

	t->ops->change(t->thread, EV_REMAP, 0, &e, EV_PAYLOAD_WORDS(e), NULL);
}

static void tell_brk(struct calls *calls, const struct telling *t)
{
	u64 brk = (u64)t->ret;

	if (brk == calls->brk)
		return;
	calls->brk = brk;
	tell_range(t, EV_BRK, 0, calls->brk_start, brk - calls->brk_start);
}

/* A segment is shared memory with an identity of its own: no device has number 0, and inodes are not negative. */
static void tell_shmat(struct calls *calls, const struct telling *t)
{
	const u64 *a = t->call->arg;
	struct ev_map e = {.start = (u64)t->ret, .flags = MAP_SHARED, .ino = ~a[0]};

	e.len = e.size = pages_up(t->ops->segment_bytes(t->thread, (int)a[0]));
	if (!e.len)
		return;
	e.prot = a[2] & SHM_RDONLY ? PROT_READ : PROT_READ | PROT_WRITE;
	t->ops->change(t->thread, EV_MAP, 0, &e, EV_PAYLOAD_WORDS(e), "/SYSV (deleted)");
	for (unsigned i = 0; i < ARRAY_SIZE(calls->attached); i++) {
		if (calls->attached[i].len)
			continue;
		calls->attached[i].start = e.start;
		calls->attached[i].len = e.len;
		return;
	}
}

static void tell_shmdt(struct calls *calls, const struct telling *t)
{
	for (unsigned i = 0; i < ARRAY_SIZE(calls->attached); i++) {
		if (!calls->attached[i].len || calls->attached[i].start != t->call->arg[0])
			continue;
		tell_range(t, EV_UNMAP, 0, calls->attached[i].start, calls->attached[i].len);
		calls->attached[i].len = 0;
		return;
	}
}

static void tell_lock(const struct telling *t)
{
	const u64 *a = t->call->arg;
	s64 nr = t->call->nr;
	u64 start = ALIGN_DOWN(a[0], 4096ull), how = nr == NR_munlock ? EVL_UNLOCK : EVL_LOCK;

	if (nr == NR_mlockall || nr == NR_munlockall) {
		tell_range(t, EV_LOCK, EVL_ALL | (nr == NR_mlockall ? a[0] : 0), 0, 0);
		return;
	}
	if (nr == NR_mlock2 && a[2] & MLOCK_ONFAULT)
		how = EVL_LOCK_ONFAULT;
	if (a[1])
		tell_range(t, EV_LOCK, how, start, pages_up(a[1] + (a[0] - start)));
}

void maps_tell(struct calls *calls, const struct telling *t)
{
	const u64 *a = t->call->arg;

	switch (t->call->nr) {
	case NR_mmap:
		tell_mmap(t);
		break;
	case NR_munmap:
		tell_range(t, EV_UNMAP, 0, a[0], pages_up(a[1]));
		break;
	case NR_mprotect:
	case NR_pkey_mprotect:
		if (a[1])
			tell_range(t, EV_PROTECT, a[2], a[0], pages_up(a[1]));
		break;
	case NR_mremap:
		tell_mremap(t);
		break;
	case NR_brk:
		tell_brk(calls, t);
		break;
	case NR_madvise:
		if (a[1])
			tell_range(t, EV_ADVISE, a[2], a[0], pages_up(a[1]));
		break;
	case NR_msync:
		if (a[1])
			tell_range(t, EV_SYNC, a[2], a[0], pages_up(a[1]));
		break;
	case NR_prctl:
		if (a[0] == PR_THP_DISABLE)
			t->ops->change(t->thread, EV_THP_DISABLE, (a[1] != 0) | a[2] << 1, NULL, 0, NULL);
		break;
	case NR_mlock:
	case NR_mlock2:
	case NR_munlock:
	case NR_mlockall:
	case NR_munlockall:
		tell_lock(t);
		break;
	case NR_shmat:
		tell_shmat(calls, t);
		break;
	case NR_shmdt:
		tell_shmdt(calls, t);
		break;
	}
}
