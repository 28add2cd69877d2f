/* SPDX-License-Identifier: MIT
 *
 * engine/descriptor.c - the one descriptor that stays open beside the program's: the hub's, for the engine that the
 * next execve starts. By then the process may have another user, be in a namespace, or have lost its simulator; no path
 * would lead to the hub.
 *
 *   0 1 2 ... the program's ... | RLIMIT_NOFILE, or 1000 | the hub's, closed by an exec that is not followed
 *
 * To the program it is closed: calls with it are EBADF, close_range() passes over it, dup2() to its number makes it
 * move, and /proc/self/fd does not list it.
 */
#include <asm/resource.h>
#include <errno.h>
#include <fcntl.h>

#include "engine/engine.h"
#include "engine/paths.h"
#include "lib/sys.h"

#define PLACE_MOST 1000 /* the kernel's table of descriptors is as long as the highest */

static int hub_fd = -1;

struct limit {
	u64 soft, hard;
};

static struct limit limit_set(const struct limit *new)
{
	struct limit old = {0};

	sys6(SYS_prlimit64, 0, RLIMIT_NOFILE, (u64) new, (u64)&old, 0, 0);
	return old;
}

static void own_limit(struct limit *before)
{
	struct limit most;

	*before = limit_set(NULL);
	most = (struct limit){before->hard, before->hard};
	limit_set(&most);
}

void descriptor_keep(int fd, bool adopted)
{
	struct limit before;
	long high;

	hub_fd = fd;
	sys3(SYS_fcntl, (u64)fd, F_SETFD, FD_CLOEXEC);
	if (adopted)
		return;
	own_limit(&before);
	high = sys3(SYS_fcntl, (u64)fd, F_DUPFD_CLOEXEC, min(before.soft, (u64)PLACE_MOST));
	limit_set(&before);
	if (high < 0)
		return;
	sys3(SYS_close, (u64)fd, 0, 0);
	hub_fd = (int)high;
}

void descriptor_stays(bool stays)
{
	sys3(SYS_fcntl, (u64)hub_fd, F_SETFD, stays ? 0 : FD_CLOEXEC);
}

int descriptor_hub(void)
{
	return hub_fd;
}

static long close_range(const u64 a[6])
{
	u64 fd = (u64)hub_fd, part[6] = {a[0], fd - 1, a[2]};
	long ret;

	if ((u32)a[0] > fd || (u32)a[1] < fd || (u32)a[0] > (u32)a[1])
		return gate_call(SYS_close_range, a);
	ret = (u32)a[0] < fd ? gate_call(SYS_close_range, part) : 0;
	part[0] = fd + 1;
	part[1] = a[1];
	return ret || (u32)a[1] == fd ? ret : gate_call(SYS_close_range, part);
}

/* Those by which a program would find or harm it: of the first argument. */
static bool by_descriptor(long nr)
{
	static const u16 calls[] = {SYS_close,     SYS_fcntl,      SYS_fstat,       SYS_fstatfs,     SYS_dup,
				    SYS_dup2,      SYS_dup3,       SYS_read,        SYS_readv,       SYS_pread64,
				    SYS_preadv,    SYS_preadv2,    SYS_write,       SYS_writev,      SYS_pwrite64,
				    SYS_pwritev,   SYS_pwritev2,   SYS_ftruncate,   SYS_fallocate,   SYS_ioctl,
				    SYS_lseek,     SYS_flock,      SYS_fsync,       SYS_fdatasync,   SYS_fchmod,
				    SYS_fchown,    SYS_fchdir,     SYS_fgetxattr,   SYS_fsetxattr,   SYS_flistxattr,
				    SYS_fadvise64, SYS_getsockopt, SYS_getsockname, SYS_getpeername, SYS_setsockopt};

	for (unsigned n = 0; n < ARRAY_SIZE(calls); n++)
		if (calls[n] == nr)
			return true;
	return false;
}

/* By a name beside the descriptor, or the empty one; at an absolute name nobody looks at it. */
static bool by_name_beside(long nr, u64 name)
{
	char first = 0;

	switch (nr) {
	case SYS_newfstatat:
	case SYS_statx:
	case SYS_openat:
	case SYS_openat2:
	case SYS_readlinkat:
	case SYS_faccessat:
	case SYS_faccessat2:
	case SYS_fchmodat:
	case SYS_fchownat:
	case SYS_utimensat:
	case SYS_linkat:
		return program_read(&first, name, 1) != 1 || first != '/';
	default:
		return false;
	}
}

/* What getdents64(2) writes. */
struct entry {
	u64 ino, offset;
	u16 bytes;
	u8 type;
	char name[];
};

/* Is it /proc/PID/fd or fdinfo of this process? */
static bool lists_descriptors(int fd)
{
	char link[32], path[64], *at = path + 6;
	long got;
	u64 pid = 0;

	link_of(fd, link);
	got = sys3(SYS_readlink, (u64)link, (u64)path, sizeof(path) - 1);
	if (got <= 6 || memcmp(path, "/proc/", 6) != 0)
		return false;
	path[got] = 0;
	while (*at >= '0' && *at <= '9')
		pid = 10 * pid + (u64)(*at++ - '0');
	return pid == (u64)sys3(SYS_getpid, 0, 0, 0) && memcmp(at, "/fd", 3) == 0;
}

/* Without the hub's entry. */
static long getdents(const u64 a[6])
{
	u8 *list = (u8 *)a[1];
	char hub[16];
	long got;

	number_text((unsigned)hub_fd, hub);
	do {
		got = gate_call(SYS_getdents64, a);
		if (got <= 0 || !lists_descriptors((int)a[0]))
			return got;
		for (long at = 0; at < got;) {
			const struct entry *e = (const struct entry *)(list + at);
			u16 bytes = e->bytes;

			if (strcmp(e->name, hub) == 0) {
				memmove(list + at, list + at + bytes, (u64)(got - at - bytes));
				got -= bytes;
			} else {
				at += bytes;
			}
		}
	} while (got == 0);
	return got;
}

bool descriptor_answer(long nr, const u64 a[6], long *ret)
{
	if (nr == SYS_close_range) {
		*ret = close_range(a);
		return true;
	}
	if (nr == SYS_getdents64) {
		*ret = getdents(a);
		return true;
	}
	if ((int)a[0] == hub_fd && (by_descriptor(nr) || by_name_beside(nr, a[1]))) {
		*ret = -EBADF;
		return true;
	}
	if ((nr == SYS_dup2 || nr == SYS_dup3) && (int)a[1] == hub_fd && (int)a[0] != hub_fd) {
		struct limit before;
		long other;

		own_limit(&before);
		other = sys3(SYS_fcntl, (u64)hub_fd, F_DUPFD_CLOEXEC, (u64)hub_fd + 1);
		limit_set(&before);
		if (other >= 0)
			hub_fd = (int)other;
	}
	return false;
}
