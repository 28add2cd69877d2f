/* SPDX-License-Identifier: MIT
 *
 * engine/mlock.c - mlockall() locks what the program has mapped, not the engine: area by area.
 *
 * Source: Linux 6.12 mm/mlock.c (mlockall, apply_mlockall_flags).
 */
#include <asm/resource.h>
#include <errno.h>
#include <linux/capability.h>
#include <sys/mman.h>

#include "engine/areas.h"
#include "engine/engine.h"
#include "engine/limits.h"
#include "lib/sys.h"

static bool future; /* what is mapped from now on will be locked */
static u64 total;   /* bytes that the program has mapped */
static u64 how;     /* mlock2()'s flags */

static bool ours(const struct maps_line *line)
{
	return (line->start >= ENGINE_START && line->start < ENGINE_END) || line->end > 1ull << 47;
}

static void add(const struct maps_line *line)
{
	if (!ours(line))
		total += line->end - line->start;
}

static void lock(const struct maps_line *line)
{
	if (!ours(line))
		sys3(SYS_mlock2, line->start, line->end - line->start, how);
}

static bool may_lock_all(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{0}};

	sys3(SYS_capget, (u64)&header, (u64)data, 0);
	return data[0].effective >> CAP_IPC_LOCK & 1;
}

long mlock_call(long nr, const u64 a[6])
{
	int flags = nr == SYS_mlockall ? (int)a[0] : 0;
	struct limit l = {0};
	long ret;

	if (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || !(flags & MCL_CURRENT)) {
		ret = gate_call(nr, a);
		if (ret == 0)
			future = flags & MCL_FUTURE;
		return ret;
	}
	sys3(SYS_getrlimit, RLIMIT_MEMLOCK, (u64)&l, 0);
	total = 0;
	maps_read(add);
	if (total > l.soft && !may_lock_all())
		return l.soft ? -ENOMEM : -EPERM;
	if (flags & MCL_FUTURE)
		sys3(SYS_mlockall, (u64)flags & ~(u64)MCL_CURRENT, 0, 0);
	else if (future)
		sys3(SYS_munlockall, 0, 0, 0);
	future = flags & MCL_FUTURE;
	how = flags & MCL_ONFAULT ? MLOCK_ONFAULT : 0;
	maps_read(lock);
	return 0;
}

void mlock_not(u64 start, u64 bytes)
{
	if (future)
		sys3(SYS_munlock, start, bytes, 0);
}
