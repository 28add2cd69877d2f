/* SPDX-License-Identifier: MIT
 *
 * trace/calls_touch_code.c - user memory in the system calls whose arguments mean different things by an operation: the
 * rows of syscalls.h that say CODE.
 *
 * Numbers and sizes are the ABI's. Source: Linux include/uapi.
 */
#include "trace/calls_internal.h"

/* What one operation does with the memory at its argument. */
struct operation {
	u32 first, last; /* operations [first, last] */
	u8 rwx;
	u16 size;
};

static void touch_operation(const struct telling *t, const struct operation *table, unsigned n, u64 operation, u64 va)
{
	for (unsigned i = 0; i < n; i++) {
		if (operation < table[i].first || operation > table[i].last)
			continue;
		if (table[i].rwx & EVR_READ)
			touch(t, EVR_READ, va, table[i].size);
		if (table[i].rwx & EVR_WRITE)
			touch(t, EVR_WRITE, va, table[i].size);
		return;
	}
}

#define IN    EVR_READ
#define OUT   EVR_WRITE
#define INOUT (EVR_READ | EVR_WRITE)

/* Requests from before they said their size and direction themselves (_IOC). */
static const struct operation old_ioctls[] = {
    {0x1260, 0x1260, OUT, 8},                              /* BLKGETSIZE */
    {0x1268, 0x1268, OUT, 4},                              /* BLKSSZGET */
    {0x5401, 0x5401, OUT, 36},   {0x5402, 0x5404, IN, 36}, /* TCGETS TCSETS.. */
    {0x5405, 0x5405, OUT, 18},   {0x5406, 0x5408, IN, 18}, /* TCGETA TCSETA.. */
    {0x540f, 0x540f, OUT, 4},    {0x5410, 0x5410, IN, 4},  /* TIOCGPGRP TIOCSPGRP */
    {0x5411, 0x5411, OUT, 4},    {0x5412, 0x5412, IN, 1},  /* TIOCOUTQ TIOCSTI */
    {0x5413, 0x5413, OUT, 8},    {0x5414, 0x5414, IN, 8},  /* TIOCGWINSZ TIOCSWINSZ */
    {0x5415, 0x5415, OUT, 4},    {0x5416, 0x5418, IN, 4},  /* TIOCMGET TIOCMBIS.. */
    {0x5419, 0x5419, OUT, 4},    {0x541a, 0x541a, IN, 4},  /* TIOCGSOFTCAR TIOCSSOFTCAR */
    {0x541b, 0x541b, OUT, 4},    {0x5420, 0x5421, IN, 4},  /* FIONREAD TIOCPKT FIONBIO */
    {0x5423, 0x5423, IN, 4},     {0x5424, 0x5424, OUT, 4}, /* TIOCSETD TIOCGETD */
    {0x5429, 0x5429, OUT, 4},    {0x5452, 0x5452, IN, 4},  /* TIOCGSID FIOASYNC */
    {0x5460, 0x5460, OUT, 8},                              /* FIOQSIZE */
    {0x8901, 0x8901, IN, 4},     {0x8903, 0x8905, OUT, 4}, /* FIOSETOWN FIOGETOWN SIOCATMARK */
    {0x8912, 0x8912, INOUT, 16},                           /* SIOCGIFCONF */
    {0x8910, 0x8955, INOUT, 40},                           /* interfaces: struct ifreq */
};

static const struct operation fcntls[] = {
    {5, 5, INOUT, 32},    {6, 7, IN, 32},      {36, 36, INOUT, 32},  {37, 38, IN, 32},    /* locks */
    {15, 15, IN, 8},      {16, 16, OUT, 8},                                               /* F_SETOWN_EX F_GETOWN_EX */
    {1035, 1035, OUT, 8}, {1036, 1036, IN, 8}, {1037, 1037, OUT, 8}, {1038, 1038, IN, 8}, /* hints */
};

static const struct operation prctls[] = {
    {2, 2, OUT, 4},    {5, 5, OUT, 4},   {9, 9, OUT, 4},   {11, 11, OUT, 4}, {15, 15, IN, 16},
    {16, 16, OUT, 16}, {19, 19, OUT, 4}, {25, 25, OUT, 4}, {37, 37, OUT, 4}, {40, 40, OUT, 8},
};

static const struct operation arch_prctls[] = {
    {0x1003, 0x1004, OUT, 8}, {0x1021, 0x1022, OUT, 8}, {0x1024, 0x1024, OUT, 8}};
static const struct operation shmctls[] = {{1, 1, IN, 112},    {2, 2, OUT, 112},  {3, 3, OUT, 72},
					   {13, 13, OUT, 112}, {14, 14, OUT, 48}, {15, 15, OUT, 112}};
static const struct operation semctls[] = {{1, 1, IN, 104},    {2, 2, OUT, 104},  {3, 3, OUT, 40},
					   {18, 18, OUT, 104}, {19, 19, OUT, 40}, {20, 20, OUT, 104}};
static const struct operation msgctls[] = {{1, 1, IN, 120},    {2, 2, OUT, 120},  {3, 3, OUT, 32},
					   {11, 11, OUT, 120}, {12, 12, OUT, 32}, {13, 13, OUT, 120}};

#define BY_OPERATION(t, table, operation, va) touch_operation(t, table, ARRAY_SIZE(table), operation, va)

static void touch_ioctl(const struct telling *t)
{
	u64 request = (u32)t->call->arg[1], va = t->call->arg[2], size = request >> 16 & 0x3fff;

	if (request >> 30 == 0) {
		BY_OPERATION(t, old_ioctls, request, va);
		return;
	}
	if (request >> 30 & 1)
		touch(t, EVR_READ, va, size);
	if (request >> 30 & 2)
		touch(t, EVR_WRITE, va, size);
}

static void touch_futex(const struct telling *t)
{
	enum {
		WAIT,
		WAKE,
		FD,
		REQUEUE,
		CMP_REQUEUE,
		WAKE_OP,
		LOCK_PI,
		UNLOCK_PI,
		TRYLOCK_PI,
		WAIT_BITSET,
		WAKE_BITSET,
		WAIT_REQUEUE_PI,
		CMP_REQUEUE_PI,
		LOCK_PI2
	};
	const u64 *a = t->call->arg;
	unsigned op = a[1] & 127;
	bool pi = op == LOCK_PI || op == UNLOCK_PI || op == TRYLOCK_PI || op == LOCK_PI2;

	if (t->ret == -EINVAL)
		return;
	if (op == WAIT || op == WAIT_BITSET || op == WAIT_REQUEUE_PI || op == LOCK_PI || op == LOCK_PI2)
		touch(t, EVR_READ, a[3], 16);
	if (op == WAIT || op == WAIT_BITSET || op == WAIT_REQUEUE_PI || op == CMP_REQUEUE || op == CMP_REQUEUE_PI || pi)
		touch(t, EVR_READ, a[0], 4);
	if (pi)
		touch(t, EVR_WRITE, a[0], 4);
	if (op == WAKE_OP)
		touch(t, EVR_WRITE, a[4], 4);
}

/* Requests whose buffers are read and written while they are submitted, as those of a file without O_DIRECT are. */
static void touch_io_submit(const struct telling *t)
{
	enum { PREAD, PWRITE, PREADV = 7, PWRITEV = 8 };
	const u64 *a = t->call->arg;

	touch(t, EVR_READ, a[2], (u64)t->ret * sizeof(u64));
	for (u64 i = 0; i < min((u64)t->ret, (u64)1024); i++) {
		struct {
			u64 data, key;
			u16 opcode;
			u16 priority;
			u32 fd;
			u64 buf, bytes, offset, reserved, more;
		} iocb;
		u64 va;

		if (!t->ops->read(t->thread, a[2] + i * sizeof(u64), &va, sizeof(va), true) ||
		    !t->ops->read(t->thread, va, &iocb, sizeof(iocb), true))
			return;
		touch(t, EVR_READ, va, sizeof(iocb));
		if (iocb.opcode == PREAD || iocb.opcode == PWRITE)
			touch(t, iocb.opcode == PREAD ? EVR_WRITE : EVR_READ, iocb.buf, iocb.bytes);
		if (iocb.opcode == PREADV || iocb.opcode == PWRITEV)
			touch_vector(t, iocb.opcode == PREADV ? EVR_WRITE : EVR_READ, iocb.buf, iocb.bytes, ~0ull);
	}
}

/* A u32 of the program's memory; 0: it cannot be read. */
static u32 word_at(const struct telling *t, u64 va)
{
	u32 word;

	return va && t->ops->read(t->thread, va, &word, sizeof(word), true) ? word : 0;
}

/* struct xattr_args: a value and its length. */
static void touch_xattr_args(const struct telling *t, bool set)
{
	struct {
		u64 value;
		u32 size, flags;
	} args;

	touch(t, EVR_READ, t->call->arg[4], sizeof(args));
	if (t->ops->read(t->thread, t->call->arg[4], &args, sizeof(args), true))
		touch(t, set ? EVR_READ : EVR_WRITE, args.value, set ? args.size : min((u64)args.size, (u64)t->ret));
}

/* struct sock_fprog: a filter of so many instructions. */
static void touch_filter(const struct telling *t, u64 va)
{
	struct {
		u64 len, filter;
	} prog;

	touch(t, EVR_READ, va, sizeof(prog));
	if (t->ops->read(t->thread, va, &prog, sizeof(prog), true))
		touch(t, EVR_READ, prog.filter, (prog.len & 0xffff) * 8);
}

static void touch_clone(const struct telling *t)
{
	enum { CLONE_PIDFD = 0x1000, CLONE_PARENT_SETTID = 0x100000 };

	if (t->ret > 0 && t->call->arg[0] & (CLONE_PIDFD | CLONE_PARENT_SETTID))
		touch(t, EVR_WRITE, t->call->arg[2], 4);
}

/* Another process's memory, or the own: the part of this side. */
static void touch_process_vm(const struct telling *t, unsigned rwx)
{
	const u64 *a = t->call->arg;

	touch_vector(t, rwx, a[1], a[2], (u64)t->ret);
	touch(t, EVR_READ, a[3], min(a[4], (u64)1024) * 16);
}

static void touch_prctl(const struct telling *t)
{
	enum { PR_SET_SECCOMP = 22, FILTER = 2 };
	const u64 *a = t->call->arg;

	if (a[0] == PR_SET_SECCOMP && a[1] == FILTER)
		touch_filter(t, a[2]);
	else
		BY_OPERATION(t, prctls, a[0], a[1]);
}

static void touch_handle(const struct telling *t, u64 va, bool out)
{
	u64 len = 8 + word_at(t, va);

	touch(t, EVR_READ, va, 8);
	touch(t, out ? EVR_WRITE : EVR_READ, va, len);
}

/* Of calls that succeeded. */
static void touch_more(const struct telling *t)
{
	const u64 *a = t->call->arg;

	switch (t->call->nr) {
	case NR_mincore:
		touch(t, EVR_WRITE, a[2], pages_up(a[1]) / 4096);
		break;
	case NR_msgsnd:
		touch(t, EVR_READ, a[1], 8 + a[2]);
		break;
	case NR_msgrcv:
		touch(t, EVR_WRITE, a[1], 8 + (u64)t->ret);
		break;
	case NR_epoll_ctl:
		touch(t, EVR_READ, a[1] == 2 ? 0 : a[3], 12); /* EPOLL_CTL_DEL looks at nothing */
		break;
	case NR_mq_open:
		touch(t, EVR_READ, a[1] & 0100 ? a[3] : 0, 64); /* O_CREAT */
		break;
	case NR_vmsplice:
		touch_vector(t, EVR_READ, a[1], a[2], (u64)t->ret);
		break;
	case NR_perf_event_open:
		touch(t, EVR_READ, a[0], word_at(t, a[0] + 4));
		break;
	case NR_sched_setattr:
		touch(t, EVR_READ, a[1], word_at(t, a[1]));
		break;
	case NR_name_to_handle_at:
		touch_handle(t, a[2], true);
		touch(t, EVR_WRITE, a[3], 4);
		break;
	case NR_open_by_handle_at:
		touch_handle(t, a[1], false);
		break;
	case NR_seccomp:
		if (a[0] == 1)
			touch_filter(t, a[2]);
		break;
	case NR_setxattrat:
	case NR_getxattrat:
		touch_xattr_args(t, t->call->nr == NR_setxattrat);
		break;
	}
}

void touch_by_code(const struct telling *t)
{
	const u64 *a = t->call->arg;

	if (t->call->nr == NR_futex) { /* a wait that ends in an error has looked, too */
		touch_futex(t);
		return;
	}
	if (call_failed(t->ret))
		return;
	switch (t->call->nr) {
	case NR_ioctl:
		touch_ioctl(t);
		break;
	case NR_fcntl:
		BY_OPERATION(t, fcntls, a[1], a[2]);
		break;
	case NR_prctl:
		touch_prctl(t);
		break;
	case NR_arch_prctl:
		BY_OPERATION(t, arch_prctls, a[0], a[1]);
		break;
	case NR_shmctl:
		BY_OPERATION(t, shmctls, a[1], a[2]);
		break;
	case NR_semctl:
		BY_OPERATION(t, semctls, a[2], a[3]);
		break;
	case NR_msgctl:
		BY_OPERATION(t, msgctls, a[1], a[2]);
		break;
	case NR_clone:
		touch_clone(t);
		break;
	case NR_io_submit:
		touch_io_submit(t);
		break;
	case NR_process_vm_readv:
	case NR_process_vm_writev:
		touch_process_vm(t, t->call->nr == NR_process_vm_readv ? EVR_WRITE : EVR_READ);
		break;
	default:
		touch_more(t);
	}
}
