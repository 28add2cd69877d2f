/* SPDX-License-Identifier: MIT
 *
 * trace/calls.c - a system call's way in and out: whether the thread may sleep in it, for how long it did, and what the
 * kernel would not do.
 *
 * Sleeping. A thread that waits leaves its CPU idle, which the machines have to know before others change the mappings
 * (EVS_WAITS). It is known on the way in, from the call's arguments, and for reads and writes from the file: has it
 * anything now? Not from what happened, which would be too late.
 *
 * Time. A sleep whose timeout ran out lasted as long as the timeout: EV_SLEPT. So the same program tells the same time
 * again, however slowly it is run; a deadline is taken from the clock on the way in. A wait that something else ended
 * tells nothing: what it waited for took its time elsewhere (docs/decisions/0002-time-asleep.md).
 */
#include "trace/calls_internal.h"

#define FOR_EVER (~0ull)
#define US_MAX   (86400ull * 365 * 1000000)
/* A deadline of the wall clock is half a century and more: what is told may be cut to a year, what is read may not. */
#define SECONDS_MAX (1ull << 40)

/* ---- sleeping ---- */

static u64 us_of(s64 seconds, s64 fraction, unsigned fractions_per_us)
{
	if (seconds < 0)
		return 0;
	return min((u64)seconds, SECONDS_MAX) * 1000000 + (u64)fraction / fractions_per_us;
}

/* The timeout at va. NULL, or unreadable: none. */
static u64 timeout_at(const struct telling *t, u64 va, unsigned fractions_per_us)
{
	s64 time[2];

	if (!va || !t->ops->read(t->thread, va, time, sizeof(time), false))
		return FOR_EVER;
	return us_of(time[0], time[1], fractions_per_us);
}

/* A deadline on a clock, us, as a timeout. */
static u64 until(const struct telling *t, u64 deadline_us, int clock)
{
	u64 now = t->ops->clock_ns(t->thread, clock) / 1000;

	return deadline_us == FOR_EVER ? FOR_EVER : deadline_us - min(deadline_us, now);
}

/* futex(2): WAIT has a timeout, all others a deadline; WAKE and its like have none. 0: it does not wait. */
static u64 futex_timeout(const struct telling *t)
{
	enum { WAIT, LOCK_PI = 6, WAIT_BITSET = 9, WAIT_REQUEUE_PI = 11, LOCK_PI2 = 13, REALTIME = 256 };
	const u64 *a = t->call->arg;
	unsigned op = a[1] & 127;
	u64 timeout;

	if (op != WAIT && op != LOCK_PI && op != WAIT_BITSET && op != WAIT_REQUEUE_PI && op != LOCK_PI2)
		return 0;
	timeout = timeout_at(t, a[3], 1000);
	if (op == WAIT)
		return timeout;
	return until(t, timeout, op == LOCK_PI || a[1] & REALTIME ? 0 : 1);
}

static u64 timespec_timeout(const struct telling *t, unsigned arg)
{
	enum { CLOCK_REALTIME, CLOCK_MONOTONIC, TIMER_ABSTIME = 1 };
	const u64 *a = t->call->arg;
	u64 timeout;

	if (t->call->nr == NR_futex)
		return futex_timeout(t);
	timeout = timeout_at(t, a[arg - 1], 1000);
	switch (t->call->nr) {
	case NR_clock_nanosleep:
		return a[1] & TIMER_ABSTIME ? until(t, timeout, (int)a[0]) : timeout;
	case NR_futex_wait:
		return until(t, timeout, (int)a[5]);
	case NR_futex_waitv:
		return until(t, timeout, (int)a[4]);
	case NR_mq_timedsend:
	case NR_mq_timedreceive:
		return until(t, timeout, CLOCK_REALTIME);
	default:
		return timeout;
	}
}

/* Calls that wait unless a flag forbids it. */
static bool may_wait(const struct call *c)
{
	enum { WNOHANG = 1, LOCK_NB = 4, IPC_NOWAIT = 04000, F_SETLKW = 7, F_OFD_SETLKW = 38 };
	const u64 *a = c->arg;

	switch (c->nr) {
	case NR_wait4:
		return !(a[2] & WNOHANG);
	case NR_waitid:
		return !(a[3] & WNOHANG);
	case NR_flock:
		return !(a[1] & LOCK_NB);
	case NR_fcntl:
		return a[1] == F_SETLKW || a[1] == F_OFD_SETLKW;
	case NR_msgsnd:
		return !(a[3] & IPC_NOWAIT);
	case NR_msgrcv:
		return !(a[4] & IPC_NOWAIT);
	case NR_io_uring_enter:
		return a[2] != 0;
	default:
		return true;
	}
}

static bool fd_must_wait(const struct telling *t, int fd, bool write)
{
	return fd_get(t, fd).kind == FD_WAITS && t->ops->must_wait(t->thread, fd, write);
}

/* How long the thread may sleep in the call, us; 0: not at all. */
static u64 longest_wait(const struct telling *t, const struct call_row *row)
{
	const u64 *a = t->call->arg;

	switch (row->wait) {
	case WAIT_YES:
		return may_wait(t->call) ? FOR_EVER : 0;
	case WAIT_READ:
	case WAIT_WRITE:
		return fd_must_wait(t, (int)a[row->wait_arg - 1], row->wait == WAIT_WRITE) ? FOR_EVER : 0;
	case WAIT_MS:
		return (int)a[row->wait_arg - 1] < 0 ? FOR_EVER : 1000ull * (u32)a[row->wait_arg - 1];
	case WAIT_SPEC:
		return timespec_timeout(t, row->wait_arg);
	case WAIT_VAL:
		return timeout_at(t, a[row->wait_arg - 1], 1);
	default:
		return 0;
	}
}

static bool timed_out(const struct call *c, s64 ret)
{
	switch (c->nr) {
	case NR_futex:
	case NR_futex_wait:
	case NR_futex_waitv:
	case NR_mq_timedsend:
	case NR_mq_timedreceive:
		return ret == -ETIMEDOUT;
	case NR_rt_sigtimedwait:
	case NR_semtimedop:
		return ret == -EAGAIN;
	default:
		return ret == 0;
	}
}

/* ---- what the kernel would not do ---- */

/* Of a call's operations the one that it was asked for. */
static u64 operation_of(const struct call *c)
{
	switch (c->nr) {
	case NR_madvise:
		return c->arg[2];
	case NR_mmap:
	case NR_mremap:
		return c->arg[3];
	case NR_ioctl:
	case NR_fcntl:
	case NR_futex:
		return c->arg[1];
	case NR_prctl:
	case NR_arch_prctl:
		return c->arg[0];
	default:
		return 0;
	}
}

/* prctl(2) has a hundred operations, and programs try which there are. */
static bool prctl_of_memory(u64 operation)
{
	enum { SET_MM = 35, SET_THP_DISABLE = 41, SET_MDWE = 65, SET_MEMORY_MERGE = 67, SET_VMA = 0x53564d41 };

	return operation == SET_MM || operation == SET_THP_DISABLE || operation == SET_MDWE ||
	       operation == SET_MEMORY_MERGE || operation == SET_VMA;
}

/* A call that this kernel does not know; or that is about memory, with something in it that it does not know. */
static bool was_refused(const struct call *c, s64 ret)
{
	if (ret == -ENOSYS)
		return true;
	if (ret != -EINVAL && ret != -EOPNOTSUPP)
		return false;
	return c->nr == NR_madvise || c->nr == NR_mmap || c->nr == NR_mremap || c->nr == NR_mlock2 ||
	       (c->nr == NR_prctl && prctl_of_memory(c->arg[0]));
}

/* ---- in and out ---- */

void calls_enter(struct calls *calls, void *thread, struct call *call)
{
	struct telling t = {calls, calls->ops, thread, call, 0};
	const struct call_row *row = calls_row((u64)call->nr);

	call->timeout_us = row && row->wait != WAIT_NO ? longest_wait(&t, row) : 0;
	t.ops->emit(thread, EV_SYSCALL, (u64)call->nr | (call->timeout_us ? EVS_WAITS : 0), NULL, 0, NULL);
}

void calls_return(struct calls *calls, void *thread, const struct call *call, s64 ret)
{
	struct telling t = {calls, calls->ops, thread, call, ret};
	struct ev_refused refused = {(u64)call->nr, operation_of(call), (u64)-ret};

	if (call->timeout_us && call->timeout_us != FOR_EVER && timed_out(call, ret))
		t.ops->emit(thread, EV_SLEPT, min(call->timeout_us, US_MAX), NULL, 0, NULL);
	touches_tell(&t);
	fds_forget(&t);
	if (!call_failed(ret)) {
		maps_tell(calls, &t);
		files_tell(&t);
	} else if (was_refused(call, ret)) {
		t.ops->emit(thread, EV_REFUSED, 0, &refused, EV_PAYLOAD_WORDS(refused), NULL);
	}
}
