/* SPDX-License-Identifier: MIT
 *
 * measure/counters.c - the hardware's counter of data-TLB walks of this thread, where this host gives it.
 *
 * Most virtual machines have none (ENOENT), a container's seccomp filter may refuse (EPERM, EACCES), a kernel may be
 * without perf events (ENOSYS). User mode alone is asked for: perf_event_paranoid = 2, the usual setting, allows it.
 * "dTLB-load-misses" are completed walks on Intel and misses of both TLBs on AMD (docs/perf.md).
 *
 * Source: perf_event_open(2).
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "measure/measure.h"

void counters_open(struct counters *c)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_HW_CACHE,
				       .size = sizeof(attr),
				       .config = PERF_COUNT_HW_CACHE_DTLB | PERF_COUNT_HW_CACHE_OP_READ << 8 |
						 PERF_COUNT_HW_CACHE_RESULT_MISS << 16,
				       .exclude_kernel = 1,
				       .exclude_hv = 1};
	const char *why;

	*c = (struct counters){.walks = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC)};
	if (c->walks >= 0)
		return;
	why = errno == ENOENT || errno == EOPNOTSUPP ? "this machine shows none (most virtual machines do not)"
	      : errno == EACCES || errno == EPERM    ? "not allowed here (perf_event_paranoid, or a container's filter)"
	      : errno == ENOSYS ? "this kernel has no perf events, or a container's filter hides them"
				: strerror(errno);
	snprintf(c->missing, sizeof(c->missing), "%s", why);
}

void counters_close(struct counters *c)
{
	if (c->walks >= 0)
		close(c->walks);
}

u64 counter_read(int fd)
{
	u64 value;

	return fd >= 0 && read(fd, &value, sizeof(value)) == sizeof(value) ? value : 0;
}
