/* SPDX-License-Identifier: MIT
 *
 * plugin/touches.c - what the kernel reads and writes of user memory in each system call, as a table.
 *
 * A row is a call; its entries name an argument (1..6) and what it points to:
 *
 *   STR(a)        a string, read                         IN(a, size)      a structure, read
 *   OUT(a, size)  a structure, written                   INOUT(a, size)   read and written
 *   IN_LEN(a, n, most)      read, as long as argument n says; the call refuses more than `most` bytes unread
 *   IN_RET(a)     read, as much as the call returned     OUT_RET(a)       written, as much as the call returned
 *   IN_ARR(a, n, size), OUT_ARR, INOUT_ARR               an array of as many structures as argument n says
 *   IOV_IN(a), IOV_OUT(a)   struct iovec[argument a+1], and the call's result in its buffers
 *   MSG_IN(a), MSG_OUT(a)   struct msghdr, its address, its buffers
 *   OUT_SOCK(a)             a socket address, its length where argument a+1 points
 *
 * What is read counts although the call fails, what is written only when it succeeds; with EFAULT nothing is told, for
 * then it is not known how far it came. A NULL pointer is nothing, nor is what cannot have been touched: memory outside
 * user space, or more than a call moves at once (a call may fail before it looks). Sizes are the x86-64 ABI's.
 * Source: the manual pages, section 2; Linux include/uapi.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>

#include "plugin/plugin.h"

enum kind { NOTHING, STRING, SIZE, LENGTH, RESULT, ARRAY, VECTOR, MESSAGE, SOCKADDR };

struct touch {
	u8 kind, rwx, arg, length_arg; /* arguments: 1..6 */
	u32 size;
};

#define USER_END      0x7ffffffff000ull
#define MAX_RW_COUNT  0x7ffff000ull
#define SOCKADDR_MOST 128   /* sizeof(struct sockaddr_storage) */
#define OPTION_MOST   65536 /* setsockopt's largest are tables of filters */
#define XATTR_MOST    65536 /* XATTR_SIZE_MAX */
#define HOSTNAME_MOST 64    /* __NEW_UTS_LEN */
#define CPUS_MOST     1024  /* of 8192 CPUs, the largest NR_CPUS */

#define STR(a)                                                                                                         \
	{                                                                                                              \
		STRING, EVR_READ, a, 0, 0                                                                              \
	}
#define IN(a, size)                                                                                                    \
	{                                                                                                              \
		SIZE, EVR_READ, a, 0, size                                                                             \
	}
#define OUT(a, size)                                                                                                   \
	{                                                                                                              \
		SIZE, EVR_WRITE, a, 0, size                                                                            \
	}
#define INOUT(a, size) IN(a, size), OUT(a, size)
#define IN_LEN(a, n, most)                                                                                             \
	{                                                                                                              \
		LENGTH, EVR_READ, a, n, most                                                                           \
	}
#define IN_RET(a)                                                                                                      \
	{                                                                                                              \
		RESULT, EVR_READ, a, 0, 0                                                                              \
	}
#define OUT_RET(a)                                                                                                     \
	{                                                                                                              \
		RESULT, EVR_WRITE, a, 0, 0                                                                             \
	}
#define IN_ARR(a, n, size)                                                                                             \
	{                                                                                                              \
		ARRAY, EVR_READ, a, n, size                                                                            \
	}
#define OUT_ARR(a, n, size)                                                                                            \
	{                                                                                                              \
		ARRAY, EVR_WRITE, a, n, size                                                                           \
	}
#define INOUT_ARR(a, n, size) IN_ARR(a, n, size), OUT_ARR(a, n, size)
#define IOV_IN(a)                                                                                                      \
	{                                                                                                              \
		VECTOR, EVR_READ, a, (a) + 1, 0                                                                        \
	}
#define IOV_OUT(a)                                                                                                     \
	{                                                                                                              \
		VECTOR, EVR_WRITE, a, (a) + 1, 0                                                                       \
	}
#define MSG_IN(a)                                                                                                      \
	{                                                                                                              \
		MESSAGE, EVR_READ, a, 0, 0                                                                             \
	}
#define MSG_OUT(a)                                                                                                     \
	{                                                                                                              \
		MESSAGE, EVR_WRITE, a, 0, 0                                                                            \
	}
#define OUT_SOCK(a)                                                                                                    \
	{                                                                                                              \
		SOCKADDR, EVR_WRITE, a, (a) + 1, 0                                                                     \
	}

#define STAT_SIZE      sizeof(struct stat)
#define STATX_BYTES    256
#define TIMEVAL_SIZE   sizeof(struct timeval)
#define TIMESPEC_SIZE  sizeof(struct timespec)
#define SIGACTION_SIZE 32 /* the kernel's: handler, flags, restorer, mask */
#define SIGSET_SIZE    8
#define SIGINFO_SIZE   sizeof(siginfo_t)
#define TERMIOS_SIZE   36 /* the kernel's */

static const struct touch table[][5] = {
    /* bytes */
    [SYS_read] = {OUT_RET(2)},
    [SYS_write] = {IN_RET(2)},
    [SYS_pread64] = {OUT_RET(2)},
    [SYS_pwrite64] = {IN_RET(2)},
    [SYS_readv] = {IOV_OUT(2)},
    [SYS_writev] = {IOV_IN(2)},
    [SYS_preadv] = {IOV_OUT(2)},
    [SYS_pwritev] = {IOV_IN(2)},
    [SYS_preadv2] = {IOV_OUT(2)},
    [SYS_pwritev2] = {IOV_IN(2)},
    [SYS_vmsplice] = {IOV_IN(2)},
    [SYS_sendfile] = {INOUT(3, 8)},
    [SYS_copy_file_range] = {INOUT(2, 8), INOUT(4, 8)},
    [SYS_splice] = {INOUT(2, 8), INOUT(4, 8)},
    [SYS_getrandom] = {OUT_RET(1)},
    [SYS_getdents] = {OUT_RET(2)},
    [SYS_getdents64] = {OUT_RET(2)},
    [SYS_readlink] = {STR(1), OUT_RET(2)},
    [SYS_readlinkat] = {STR(2), OUT_RET(3)},
    [SYS_getcwd] = {OUT_RET(1)},
    /* files by name */
    [SYS_open] = {STR(1)},
    [SYS_openat] = {STR(2)},
    [SYS_openat2] = {STR(2), IN(3, 24)},
    [SYS_creat] = {STR(1)},
    [SYS_access] = {STR(1)},
    [SYS_faccessat] = {STR(2)},
    [SYS_faccessat2] = {STR(2)},
    [SYS_stat] = {STR(1), OUT(2, STAT_SIZE)},
    [SYS_lstat] = {STR(1), OUT(2, STAT_SIZE)},
    [SYS_fstat] = {OUT(2, STAT_SIZE)},
    [SYS_newfstatat] = {STR(2), OUT(3, STAT_SIZE)},
    [SYS_statx] = {STR(2), OUT(5, STATX_BYTES)},
    [SYS_statfs] = {STR(1), OUT(2, sizeof(struct statfs))},
    [SYS_fstatfs] = {OUT(2, sizeof(struct statfs))},
    [SYS_chdir] = {STR(1)},
    [SYS_chroot] = {STR(1)},
    [SYS_mkdir] = {STR(1)},
    [SYS_mkdirat] = {STR(2)},
    [SYS_rmdir] = {STR(1)},
    [SYS_unlink] = {STR(1)},
    [SYS_unlinkat] = {STR(2)},
    [SYS_rename] = {STR(1), STR(2)},
    [SYS_renameat] = {STR(2), STR(4)},
    [SYS_renameat2] = {STR(2), STR(4)},
    [SYS_link] = {STR(1), STR(2)},
    [SYS_linkat] = {STR(2), STR(4)},
    [SYS_symlink] = {STR(1), STR(2)},
    [SYS_symlinkat] = {STR(1), STR(3)},
    [SYS_mknod] = {STR(1)},
    [SYS_mknodat] = {STR(2)},
    [SYS_chmod] = {STR(1)},
    [SYS_fchmodat] = {STR(2)},
    [SYS_chown] = {STR(1)},
    [SYS_lchown] = {STR(1)},
    [SYS_fchownat] = {STR(2)},
    [SYS_truncate] = {STR(1)},
    [SYS_utime] = {STR(1), IN(2, 16)},
    [SYS_utimes] = {STR(1), IN(2, 2 * TIMEVAL_SIZE)},
    [SYS_utimensat] = {STR(2), IN(3, 2 * TIMESPEC_SIZE)},
    [SYS_getxattr] = {STR(1), STR(2), OUT_RET(3)},
    [SYS_lgetxattr] = {STR(1), STR(2), OUT_RET(3)},
    [SYS_fgetxattr] = {STR(2), OUT_RET(3)},
    [SYS_setxattr] = {STR(1), STR(2), IN_LEN(3, 4, XATTR_MOST)},
    [SYS_fsetxattr] = {STR(2), IN_LEN(3, 4, XATTR_MOST)},
    [SYS_listxattr] = {STR(1), OUT_RET(2)},
    [SYS_llistxattr] = {STR(1), OUT_RET(2)},
    [SYS_flistxattr] = {OUT_RET(2)},
    [SYS_inotify_add_watch] = {STR(2)},
    [SYS_memfd_create] = {STR(1)},
    [SYS_mount] = {STR(1), STR(2), STR(3)},
    /* descriptors */
    [SYS_pipe] = {OUT(1, 8)},
    [SYS_pipe2] = {OUT(1, 8)},
    [SYS_poll] = {INOUT_ARR(1, 2, sizeof(struct pollfd))},
    [SYS_ppoll] = {INOUT_ARR(1, 2, sizeof(struct pollfd)), IN(3, TIMESPEC_SIZE), IN(4, SIGSET_SIZE)},
    [SYS_select] = {INOUT(2, 128), INOUT(3, 128), IN(5, TIMEVAL_SIZE)},
    [SYS_pselect6] = {INOUT(2, 128), INOUT(3, 128), IN(5, TIMESPEC_SIZE)},
    [SYS_epoll_ctl] = {IN(4, sizeof(struct epoll_event))},
    [SYS_epoll_wait] = {OUT_ARR(2, 0, sizeof(struct epoll_event))},
    [SYS_epoll_pwait] = {OUT_ARR(2, 0, sizeof(struct epoll_event)), IN(5, SIGSET_SIZE)},
    [SYS_timerfd_settime] = {IN(3, 32), OUT(4, 32)},
    [SYS_timerfd_gettime] = {OUT(2, 32)},
    [SYS_signalfd4] = {IN_LEN(2, 3, SIGSET_SIZE)},
    /* sockets */
    [SYS_bind] = {IN_LEN(2, 3, SOCKADDR_MOST)},
    [SYS_connect] = {IN_LEN(2, 3, SOCKADDR_MOST)},
    [SYS_accept] = {OUT_SOCK(2)},
    [SYS_accept4] = {OUT_SOCK(2)},
    [SYS_getsockname] = {OUT_SOCK(2)},
    [SYS_getpeername] = {OUT_SOCK(2)},
    [SYS_sendto] = {IN_RET(2), IN_LEN(5, 6, SOCKADDR_MOST)},
    [SYS_recvfrom] = {OUT_RET(2), OUT_SOCK(5)},
    [SYS_sendmsg] = {MSG_IN(2)},
    [SYS_recvmsg] = {MSG_OUT(2)},
    [SYS_socketpair] = {OUT(4, 8)},
    [SYS_setsockopt] = {IN_LEN(4, 5, OPTION_MOST)},
    [SYS_getsockopt] = {OUT_SOCK(4)},
    /* time */
    [SYS_gettimeofday] = {OUT(1, TIMEVAL_SIZE), OUT(2, 8)},
    [SYS_settimeofday] = {IN(1, TIMEVAL_SIZE), IN(2, 8)},
    [SYS_time] = {OUT(1, 8)},
    [SYS_times] = {OUT(1, sizeof(struct tms))},
    [SYS_clock_gettime] = {OUT(2, TIMESPEC_SIZE)},
    [SYS_clock_settime] = {IN(2, TIMESPEC_SIZE)},
    [SYS_clock_getres] = {OUT(2, TIMESPEC_SIZE)},
    [SYS_nanosleep] = {IN(1, TIMESPEC_SIZE)},
    [SYS_clock_nanosleep] = {IN(3, TIMESPEC_SIZE)},
    [SYS_setitimer] = {IN(2, 2 * TIMEVAL_SIZE), OUT(3, 2 * TIMEVAL_SIZE)},
    [SYS_getitimer] = {OUT(2, 2 * TIMEVAL_SIZE)},
    [SYS_timer_create] = {IN(2, sizeof(struct sigevent)), OUT(3, 4)},
    [SYS_timer_settime] = {IN(3, 32), OUT(4, 32)},
    [SYS_timer_gettime] = {OUT(2, 32)},
    /* signals */
    [SYS_rt_sigaction] = {IN(2, SIGACTION_SIZE), OUT(3, SIGACTION_SIZE)},
    [SYS_rt_sigprocmask] = {IN(2, SIGSET_SIZE), OUT(3, SIGSET_SIZE)},
    [SYS_rt_sigpending] = {OUT(1, SIGSET_SIZE)},
    [SYS_rt_sigsuspend] = {IN(1, SIGSET_SIZE)},
    [SYS_rt_sigtimedwait] = {IN(1, SIGSET_SIZE), OUT(2, SIGINFO_SIZE), IN(3, TIMESPEC_SIZE)},
    [SYS_rt_sigqueueinfo] = {IN(3, SIGINFO_SIZE)},
    [SYS_sigaltstack] = {IN(1, sizeof(stack_t)), OUT(2, sizeof(stack_t))},
    /* processes and threads */
    [SYS_wait4] = {OUT(2, 4), OUT(4, sizeof(struct rusage))},
    [SYS_waitid] = {OUT(3, SIGINFO_SIZE), OUT(5, sizeof(struct rusage))},
    [SYS_execve] = {STR(1)},
    [SYS_execveat] = {STR(2)},
    [SYS_futex] = {IN(1, 4)},
    [SYS_get_robust_list] = {OUT(2, 8), OUT(3, 8)},
    [SYS_sched_getaffinity] = {OUT_RET(3)},
    [SYS_sched_setaffinity] = {IN_LEN(3, 2, CPUS_MOST)},
    [SYS_sched_setparam] = {IN(2, 4)},
    [SYS_sched_getparam] = {OUT(2, 4)},
    [SYS_sched_setscheduler] = {IN(3, 4)},
    [SYS_sched_rr_get_interval] = {OUT(2, TIMESPEC_SIZE)},
    [SYS_getcpu] = {OUT(1, 4), OUT(2, 4)},
    [SYS_getrlimit] = {OUT(2, sizeof(struct rlimit))},
    [SYS_setrlimit] = {IN(2, sizeof(struct rlimit))},
    [SYS_prlimit64] = {IN(3, sizeof(struct rlimit)), OUT(4, sizeof(struct rlimit))},
    [SYS_getrusage] = {OUT(2, sizeof(struct rusage))},
    [SYS_getgroups] = {OUT_ARR(2, 0, 4)},
    [SYS_setgroups] = {IN_ARR(2, 1, 4)},
    [SYS_getresuid] = {OUT(1, 4), OUT(2, 4), OUT(3, 4)},
    [SYS_getresgid] = {OUT(1, 4), OUT(2, 4), OUT(3, 4)},
    [SYS_capget] = {INOUT(1, 8), OUT(2, 24)},
    [SYS_capset] = {IN(1, 8), IN(2, 24)},
    /* the system */
    [SYS_uname] = {OUT(1, sizeof(struct utsname))},
    [SYS_sysinfo] = {OUT(1, sizeof(struct sysinfo))},
    [SYS_sethostname] = {IN_LEN(1, 2, HOSTNAME_MOST)},
    [SYS_syslog] = {OUT_RET(2)},
};

static void touch(struct thread *t, unsigned rwx, u64 start, u64 len)
{
	struct ev_touch e = {start, len};

	if (start && len && len <= MAX_RW_COUNT && start < USER_END && len <= USER_END - start)
		emit(t, EV_TOUCH, rwx, &e, EV_PAYLOAD_WORDS(e), NULL);
}

/* The buffers of an iovec, as far as `bytes` bytes fill them. */
static void touch_vector(struct thread *t, unsigned rwx, const struct iovec *iov, u64 n, u64 bytes)
{
	touch(t, EVR_READ, (u64)iov, n * sizeof(*iov));
	for (u64 i = 0; i < n && bytes > 0; i++) {
		u64 part = min((u64)iov[i].iov_len, bytes);

		touch(t, rwx, (u64)iov[i].iov_base, part);
		bytes -= part;
	}
}

static void touch_message(struct thread *t, unsigned rwx, const struct msghdr *msg, u64 bytes)
{
	touch(t, EVR_READ, (u64)msg, sizeof(*msg));
	touch(t, rwx, (u64)msg->msg_name, msg->msg_namelen);
	touch_vector(t, rwx, msg->msg_iov, msg->msg_iovlen, bytes);
	touch(t, rwx, (u64)msg->msg_control, msg->msg_controllen);
	if (rwx == EVR_WRITE)
		touch(t, EVR_WRITE, (u64)msg, sizeof(*msg));
}

/* Bytes of the string at va, its end included; 0 when it cannot be read (a call may fail before it looks at it). */
static u64 string_bytes(u64 va)
{
	u64 len = 0;

	for (;;) {
		char part[4096];
		struct iovec to = {part, 4096 - (va + len) % 4096}, from = {(void *)(va + len), to.iov_len};
		const char *end;

		if (process_vm_readv(process.pid, &to, 1, &from, 1, 0) != (ssize_t)to.iov_len)
			return 0;
		end = memchr(part, 0, to.iov_len);
		if (end)
			return len + (end - part) + 1;
		len += to.iov_len;
	}
}

/* But for strings, what is looked at here was just read or written successfully. */
static void touch_one(struct thread *t, const struct touch *e, s64 ret)
{
	u64 va = t->call.arg[e->arg - 1], n = e->length_arg ? t->call.arg[e->length_arg - 1] : (u64)ret;

	switch (e->kind) {
	case STRING:
		touch(t, e->rwx, va, string_bytes(va));
		break;
	case SIZE:
		touch(t, e->rwx, va, e->size);
		break;
	case LENGTH:
		touch(t, e->rwx, va, n <= e->size ? n : 0);
		break;
	case RESULT:
		touch(t, e->rwx, va, ret > 0 ? (u64)ret : 0);
		break;
	case ARRAY:
		touch(t, e->rwx, va, n < 1 << 20 ? n * e->size : 0);
		break;
	case VECTOR:
		touch_vector(t, e->rwx, (const struct iovec *)va, n, ret);
		break;
	case MESSAGE:
		touch_message(t, e->rwx, (const struct msghdr *)va, ret);
		break;
	case SOCKADDR:
		touch(t, EVR_WRITE, n, sizeof(socklen_t));
		touch(t, e->rwx, va, n ? *(const socklen_t *)n : 0);
		break;
	}
}

/* The requests that ordinary programs make of terminals and pipes. */
static void touch_ioctl(struct thread *t)
{
	enum {
		GET_TERMIOS = 0x5401,
		SET_TERMIOS = 0x5402,
		SET_TERMIOS_FLUSH = 0x5404,
		GET_WINDOW = 0x5413,
		READABLE = 0x541b
	};
	u64 va = t->call.arg[2];

	switch (t->call.arg[1]) {
	case GET_TERMIOS:
		touch(t, EVR_WRITE, va, TERMIOS_SIZE);
		break;
	case SET_TERMIOS ... SET_TERMIOS_FLUSH:
		touch(t, EVR_READ, va, TERMIOS_SIZE);
		break;
	case GET_WINDOW:
		touch(t, EVR_WRITE, va, 8);
		break;
	case READABLE:
		touch(t, EVR_WRITE, va, 4);
		break;
	}
}

void touches_emit(struct thread *t, s64 ret)
{
	const struct touch *row = (u64)t->call.nr < ARRAY_SIZE(table) ? table[t->call.nr] : NULL;

	if (ret == -EFAULT)
		return;
	if (t->call.nr == SYS_ioctl && ret >= 0)
		touch_ioctl(t);
	for (unsigned i = 0; row && i < ARRAY_SIZE(table[0]) && row[i].kind != NOTHING; i++) {
		bool fixed_input = row[i].rwx == EVR_READ && row[i].kind <= ARRAY && row[i].kind != RESULT;

		if (t->call.arg[row[i].arg - 1] && (ret >= 0 || fixed_input))
			touch_one(t, &row[i], ret);
	}
}
