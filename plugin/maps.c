/* SPDX-License-Identifier: MIT
 *
 * plugin/maps.c - system calls that change mappings, as events. Only what succeeded is told, after it did.
 *
 * Threads of one process make these calls one at a time, from entry to return (QEMU locks them anyway): so the events'
 * order is the kernel's, also when one thread gets the addresses that another has just given back.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "plugin/plugin.h"

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

/* Attached System V segments: shmdt names only the address. */
static struct {
	u64 start, len;
} attached[64];

static bool is_lock(s64 nr)
{
	return nr == SYS_mlock || nr == SYS_mlock2 || nr == SYS_munlock || nr == SYS_mlockall || nr == SYS_munlockall;
}

bool maps_is_call(s64 nr)
{
	return nr == SYS_mmap || nr == SYS_munmap || nr == SYS_mprotect || nr == SYS_pkey_mprotect ||
	       nr == SYS_mremap || nr == SYS_brk || nr == SYS_madvise || nr == SYS_msync || nr == SYS_shmat ||
	       nr == SYS_shmdt || is_lock(nr);
}

void maps_enter(struct thread *t)
{
	pthread_mutex_lock(&order);
}

/* Another thread of the parent may have held it; here it is gone. */
void maps_forked(void)
{
	pthread_mutex_init(&order, NULL);
}

static u64 pages_up(u64 bytes)
{
	return ALIGN_UP(bytes, 4096ull);
}

static void emit_range(struct thread *t, unsigned type, u64 arg, u64 start, u64 len)
{
	struct ev_range e = {start, len};

	emit_change(t, type, arg, &e, EV_PAYLOAD_WORDS(e), NULL);
}

/* The identity and the name of an open file. /dev/zero is what it gives: memory without a file. */
static void file_identity(int fd, struct ev_map *e, char name[PATH_MAX])
{
	char link[32];
	struct stat st;
	ssize_t n;

	name[0] = '\0';
	if (fstat(fd, &st) != 0)
		return;
	if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 5)) {
		e->flags |= MAP_ANONYMOUS;
		return;
	}
	e->dev = st.st_dev;
	e->ino = st.st_ino;
	e->size = S_ISREG(st.st_mode) ? (u64)st.st_size : e->offset + e->len;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, PATH_MAX - 1);
	name[n > 0 ? n : 0] = '\0';
}

static void on_mmap(struct thread *t, u64 start)
{
	const u64 *a = t->call.arg;
	struct ev_map e = {.start = start, .len = pages_up(a[1]), .prot = a[2], .flags = a[3]};
	char name[PATH_MAX] = "";

	if (!(a[3] & MAP_ANONYMOUS)) {
		e.offset = a[5];
		file_identity((int)a[4], &e, name);
	}
	emit_change(t, EV_MAP, 0, &e, EV_PAYLOAD_WORDS(e), name);
}

static void on_brk(struct thread *t, u64 brk)
{
	if (brk == process.brk)
		return;
	process.brk = brk;
	emit_range(t, EV_BRK, 0, process.brk_start, brk - process.brk_start);
}

static void on_mremap(struct thread *t, u64 start)
{
	const u64 *a = t->call.arg;
	struct ev_remap e = {a[0], pages_up(a[1]), start, pages_up(a[2]), a[3]};

	emit_change(t, EV_REMAP, 0, &e, EV_PAYLOAD_WORDS(e), NULL);
}

/* A segment is shared memory with an identity of its own: no device has number 0, and inodes are not negative. */
static void on_shmat(struct thread *t, u64 start)
{
	const u64 *a = t->call.arg;
	struct ev_map e = {.start = start, .flags = MAP_SHARED, .ino = ~a[0]};
	struct shmid_ds ds;

	if (shmctl((int)a[0], IPC_STAT, &ds) != 0)
		return;
	e.len = e.size = pages_up(ds.shm_segsz);
	e.prot = a[2] & SHM_RDONLY ? PROT_READ : PROT_READ | PROT_WRITE;
	emit_change(t, EV_MAP, 0, &e, EV_PAYLOAD_WORDS(e), "/SYSV (deleted)");
	for (unsigned i = 0; i < ARRAY_SIZE(attached); i++) {
		if (attached[i].len)
			continue;
		attached[i].start = start;
		attached[i].len = e.len;
		return;
	}
}

static void on_shmdt(struct thread *t)
{
	for (unsigned i = 0; i < ARRAY_SIZE(attached); i++) {
		if (!attached[i].len || attached[i].start != t->call.arg[0])
			continue;
		emit_range(t, EV_UNMAP, 0, attached[i].start, attached[i].len);
		attached[i].len = 0;
		return;
	}
}

static void on_lock(struct thread *t)
{
	const u64 *a = t->call.arg;
	s64 nr = t->call.nr;
	u64 start = a[0] & ~4095ull, how = nr == SYS_munlock ? EVL_UNLOCK : EVL_LOCK;

	if (nr == SYS_mlockall || nr == SYS_munlockall) {
		emit_range(t, EV_LOCK, EVL_ALL | (nr == SYS_mlockall ? a[0] : 0), 0, 0);
		return;
	}
	if (nr == SYS_mlock2 && a[2] & MLOCK_ONFAULT)
		how = EVL_LOCK_ONFAULT;
	if (a[1])
		emit_range(t, EV_LOCK, how, start, pages_up(a[1] + (a[0] - start)));
}

static void emit_mapping(struct thread *t, u64 ret)
{
	const u64 *a = t->call.arg;

	switch (t->call.nr) {
	case SYS_mmap:
		on_mmap(t, ret);
		break;
	case SYS_munmap:
		emit_range(t, EV_UNMAP, 0, a[0], pages_up(a[1]));
		break;
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		if (a[1])
			emit_range(t, EV_PROTECT, a[2], a[0], pages_up(a[1]));
		break;
	case SYS_mremap:
		on_mremap(t, ret);
		break;
	case SYS_brk:
		on_brk(t, ret);
		break;
	case SYS_madvise:
		if (a[1])
			emit_range(t, EV_ADVISE, a[2], a[0], pages_up(a[1]));
		break;
	case SYS_msync:
		emit_range(t, EV_SYNC, a[2], a[0], pages_up(a[1]));
		break;
	case SYS_mlock:
	case SYS_mlock2:
	case SYS_munlock:
	case SYS_mlockall:
	case SYS_munlockall:
		on_lock(t);
		break;
	case SYS_shmat:
		on_shmat(t, ret);
		break;
	case SYS_shmdt:
		on_shmdt(t);
		break;
	}
}

void maps_return(struct thread *t, s64 ret)
{
	if ((ret >= 0 || ret < -4095) && thread_ready(t))
		emit_mapping(t, ret);
	pthread_mutex_unlock(&order);
}
