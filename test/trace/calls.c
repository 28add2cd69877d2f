/* SPDX-License-Identifier: MIT
 *
 * test/trace/calls.c - the table of system calls against this Linux's headers and libc, and what a call becomes: the
 * events of calls.h, from a front end that is this file.
 *
 * usage: trace-calls NUMBERS SYSCALLS.MD   NUMBERS: <asm/unistd_64.h>'s macros (cc -E -dM)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <signal.h>
#include <time.h>
#include <cmocka.h>

#include "trace/calls_internal.h"

static const char *numbers_path, *document_path;

/* ---- the table ---- */

/* Every call of the headers is in the table under its name. What the table has besides is of newer kernels. */
static void known(void **state)
{
	FILE *f = fopen(numbers_path, "r");
	char line[256], name[64];
	unsigned nr, nr_headers = 0, nr_table = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "#define __NR_%63s %u", name, &nr) != 2)
			continue;
		nr_headers++;
		if (strcmp(calls_name(nr), name) != 0)
			fail_msg("the headers know %s, number %u: trace/syscalls.h has '%s' there", name, nr,
				 calls_name(nr));
	}
	fclose(f);
	assert_true(nr_headers > 300);
	for (nr = 0; nr < NR_CALLS; nr++)
		nr_table += calls_row(nr) != NULL;
	if (nr_table > nr_headers)
		print_message("# %u calls of the table are newer than these headers, and were not compared\n",
			      nr_table - nr_headers);
}

/* docs/syscalls.md names what is not told, each with the table's reason, and nothing else. */
static void documented(void **state)
{
	FILE *f = fopen(document_path, "r");
	char text[65536], row[512];
	unsigned untold = 0, rows = 0;
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = 0;
	for (unsigned nr = 0; nr < NR_CALLS; nr++) {
		if (!calls_untold(nr))
			continue;
		untold++;
		snprintf(row, sizeof(row), "| `%s` | %s |\n", calls_name(nr), calls_untold(nr));
		if (!strstr(text, row))
			fail_msg("docs/syscalls.md has no row '%s'", row);
	}
	for (const char *at = text; (at = strstr(at, "\n| `")); at++)
		rows++;
	assert_int_equal(rows, untold);
}

static unsigned size_of(unsigned nr, unsigned entry)
{
	return calls_row(nr)->touch[entry].size;
}

static void sizes(void **state)
{
	assert_int_equal(size_of(NR_stat, 1), sizeof(struct stat));
	assert_int_equal(size_of(NR_fstatfs, 0), sizeof(struct statfs));
	assert_int_equal(size_of(NR_getrusage, 0), sizeof(struct rusage));
	assert_int_equal(size_of(NR_uname, 0), sizeof(struct utsname));
	assert_int_equal(size_of(NR_sysinfo, 0), sizeof(struct sysinfo));
	assert_int_equal(size_of(NR_times, 0), sizeof(struct tms));
	assert_int_equal(size_of(NR_getrlimit, 0), sizeof(struct rlimit));
	assert_int_equal(size_of(NR_poll, 0), sizeof(struct pollfd));
	assert_int_equal(size_of(NR_epoll_wait, 0), sizeof(struct epoll_event));
	assert_int_equal(size_of(NR_nanosleep, 0), sizeof(struct timespec));
	assert_int_equal(size_of(NR_gettimeofday, 0), sizeof(struct timeval));
	assert_int_equal(size_of(NR_setitimer, 0), sizeof(struct itimerval));
	assert_int_equal(size_of(NR_timerfd_gettime, 0), sizeof(struct itimerspec));
	assert_int_equal(size_of(NR_rt_sigqueueinfo, 0), sizeof(siginfo_t));
	assert_int_equal(size_of(NR_sigaltstack, 0), sizeof(stack_t));
	assert_int_equal(size_of(NR_timer_create, 0), sizeof(struct sigevent));
	assert_int_equal(size_of(NR_adjtimex, 0), sizeof(struct timex));
}

/* ---- a front end that writes down what it is told ---- */

static char told[4096];
static struct call_file the_file;
static bool file_waits, file_is_mapped;

static void say(const char *format, ...)
{
	va_list args;
	size_t n = strlen(told);

	va_start(args, format);
	vsnprintf(told + n, sizeof(told) - n, format, args);
	va_end(args);
}

static char memory[8192]; /* what events name by its offset here */

static bool fake_read(void *thread, u64 va, void *to, u64 len, bool sure)
{
	if (va < 4096)
		return false;
	memcpy(to, (const void *)va, len);
	return true;
}

static void fake_emit(void *thread, unsigned type, u64 arg, const void *payload, unsigned n, const char *name)
{
	const u64 *p = payload;

	if (type == EV_SYSCALL)
		say("%s", arg & EVS_WAITS ? "waits " : "");
	else if (type == EV_TOUCH && p[0] - (u64)memory < sizeof(memory))
		say("%s%llu+%llu ", arg == EVR_READ ? "r" : "w", (unsigned long long)(p[0] - (u64)memory),
		    (unsigned long long)p[1]);
	else if (type == EV_TOUCH)
		say("%s%llu ", arg == EVR_READ ? "r" : "w", (unsigned long long)p[1]);
	else if (type == EV_SLEPT)
		say("slept %llu ", (unsigned long long)arg);
	else if (type == EV_REFUSED)
		say("refused %s %llu %llu ", calls_name(p[0]), (unsigned long long)p[1], (unsigned long long)p[2]);
	else if (type == EV_FILE_SIZE)
		say("size %llu ", (unsigned long long)p[2]);
	else if (type == EV_FILE_HOLE)
		say("hole %llu+%llu ", (unsigned long long)p[2], (unsigned long long)p[3]);
	else
		say("event %u %llx+%llx %llu ", type, n ? (unsigned long long)p[0] : 0,
		    n > 1 ? (unsigned long long)p[1] : 0, (unsigned long long)arg);
}

static bool fake_file(void *thread, int fd, struct call_file *out, bool with_name)
{
	*out = the_file;
	return fd >= 0;
}

static bool fake_path(void *thread, u64 va, struct call_file *out)
{
	*out = the_file;
	return true;
}

static bool fake_must_wait(void *thread, int fd, bool write)
{
	return file_waits;
}

static u64 fake_segment(void *thread, int id)
{
	return 5000;
}

static u64 fake_clock(void *thread, int clock)
{
	return clock == CLOCK_MONOTONIC ? 1000000000 : 1795000000000000000; /* since 1970: in 2026 */
}

static void fake_note(void *thread, const struct call_file *file)
{
	file_is_mapped = true;
}

static bool fake_is_mapped(void *thread, u64 dev, u64 ino)
{
	return file_is_mapped;
}

static bool fake_news(void *thread, const struct call_file *file)
{
	return file_is_mapped;
}

static const struct call_ops ops = {fake_read,    fake_emit,  fake_emit, fake_file,      fake_path, fake_must_wait,
				    fake_segment, fake_clock, fake_note, fake_is_mapped, fake_news};
static struct calls calls;

/* What a call is told as that returns ret. */
static const char *become(s64 ret, s64 nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	struct call call = {nr, {a, b, c, d, e, f}, 0};

	told[0] = 0;
	calls.ops = &ops;
	calls_enter(&calls, NULL, &call);
	calls_return(&calls, NULL, &call, ret);
	return told;
}

#define AT(offset) ((u64)memory + (offset))

static void touched(void **state)
{
	struct iovec vector[2] = {{memory + 100, 10}, {memory + 200, 90}};
	struct mmsghdr messages[2] = {{{memory, 16, vector, 2, NULL, 0, 0}, 15}, {{NULL, 0, vector, 1, NULL, 0, 0}, 4}};
	s64 time[2] = {0};

	strcpy(memory + 1000, "/tmp/name");
	assert_string_equal(become(7, NR_read, 3, AT(0), 10, 0, 0, 0), "w0+7 ");
	assert_string_equal(become(0, NR_read, 3, AT(0), 10, 0, 0, 0), "");
	assert_string_equal(become(40, NR_writev, 3, (u64)vector, 2, 0, 0, 0), "r32 r100+10 r200+30 ");
	assert_string_equal(become(2, NR_recvmmsg, 3, (u64)messages, 2, 0, 0, 0),
			    "r56 w0+16 r32 w100+10 w200+5 w56 w4 r56 r16 w100+4 w56 w4 ");
	assert_string_equal(become(-ENOENT, NR_stat, AT(1000), AT(0), 0, 0, 0, 0), "r1000+10 ");
	assert_string_equal(become(0, NR_stat, AT(1000), AT(0), 0, 0, 0, 0), "r1000+10 w0+144 ");
	/* FIONREAD; TCGETS2 by its own word: 44 bytes, written; BLKFLSBUF: none */
	assert_string_equal(become(0, NR_ioctl, 0, FIONREAD, AT(0), 0, 0, 0), "w0+4 ");
	assert_string_equal(become(0, NR_ioctl, 0, _IOR('T', 0x2a, char[44]), AT(0), 0, 0, 0), "w0+44 ");
	assert_string_equal(become(0, NR_ioctl, 0, _IOWR('X', 1, char[24]), AT(0), 0, 0, 0), "r0+24 w0+24 ");
	assert_string_equal(become(0, NR_ioctl, 0, _IO(0x12, 97), AT(0), 0, 0, 0), "");
	assert_string_equal(become(5, NR_msgrcv, 1, AT(0), 64, 0, 04000, 0), "w0+13 ");
	assert_string_equal(become(0, NR_msgsnd, 1, AT(0), 64, 04000, 0, 0), "r0+72 ");
	assert_string_equal(become(1, NR_select, 100, AT(0), 0, AT(64), (u64)time, 0),
			    "r0+16 w0+16 r64+16 w64+16 r16 w16 ");
	assert_string_equal(become(0, NR_fcntl, 1, F_GETLK, AT(0), 0, 0, 0), "r0+32 w0+32 ");
	assert_string_equal(become(1, NR_fcntl, 1, F_GETFL, AT(0), 0, 0, 0), "");
	assert_string_equal(become(20, NR_getxattr, AT(1000), AT(1000), AT(0), 0, 0, 0), "r1000+10 r1000+10 ");
	assert_string_equal(become(100, NR_process_vm_readv, 1, (u64)vector, 2, (u64)vector, 1, 0),
			    "r32 w100+10 w200+90 r16 ");
	assert_string_equal(become(0, NR_mincore, 0x10000, 3 * 4096 + 1, AT(0), 0, 0, 0), "w0+4 ");
}

/* Of a call that failed: what must have been read, nothing beyond user space, no silly length. */
static void refused(void **state)
{
	assert_string_equal(become(-EINVAL, NR_connect, 3, AT(0), ~0ull, 0, 0, 0), "");
	assert_string_equal(become(-ECONNREFUSED, NR_connect, 3, AT(0), 16, 0, 0, 0), "r0+16 ");
	assert_string_equal(become(-EBADF, NR_connect, ~0ull, ~0ull, 16, 0, 0, 0), "");
	assert_string_equal(become(-EINTR, NR_connect, 3, ~0ull - 100, 16, 0, 0, 0), "");
	assert_string_equal(become(-EFAULT, NR_stat, AT(1000), 0, 0, 0, 0, 0), "");
	assert_string_equal(become(0, NR_poll, ~0ull, 0, 0, 0, 0, 0), "");
	assert_string_equal(become(-EINVAL, NR_madvise, 0, 4096, 77, 0, 0, 0), "refused madvise 77 22 ");
	assert_string_equal(become(-EINVAL, NR_prctl, 41, 1, 0, 0, 0, 0), "refused prctl 41 22 ");
	assert_string_equal(become(-EINVAL, NR_prctl, PR_CAPBSET_READ, 41, 0, 0, 0, 0), ""); /* how many are there? */
	assert_string_equal(become(-ENOSYS, NR_landlock_create_ruleset, 0, 0, 1, 0, 0, 0),
			    "refused landlock_create_ruleset 0 38 ");
	assert_string_equal(become(-ENOMEM, NR_mmap, 0, 4096, 3, 0x22, ~0ull, 0), "");
}

static void waiting(void **state)
{
	s64 time[2] = {2, 500000}; /* 2.0005 s */
	u64 at = (u64)time;

	assert_string_equal(become(0, NR_nanosleep, at, 0, 0, 0, 0, 0), "waits slept 2000500 r16 ");
	assert_string_equal(become(-EINTR, NR_nanosleep, at, AT(0), 0, 0, 0, 0), "waits r16 w0+16 ");
	assert_string_equal(become(0, NR_clock_nanosleep, CLOCK_REALTIME, 0, at, 0, 0, 0), "waits slept 2000500 r16 ");
	/* a deadline, one second from now; one that has passed */
	assert_string_equal(become(0, NR_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, at, 0, 0, 0),
			    "waits slept 1000500 r16 ");
	time[0] = 1795000003; /* pthread_cond_timedwait: three seconds of the wall clock */
	assert_string_equal(
	    become(-ETIMEDOUT, NR_futex, AT(0), FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, at, 0, ~0u),
	    "waits slept 3000500 r16 r0+4 ");
	time[0] = INT64_MAX;
	assert_string_equal(become(0, NR_nanosleep, at, 0, 0, 0, 0, 0), "waits slept 31536000000000 r16 "); /* a year */
	assert_string_equal(become(1, NR_futex, AT(0), FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, at, 0, ~0u),
			    "waits r16 r0+4 ");
	time[0] = 0;
	assert_string_equal(become(0, NR_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, at, 0, 0, 0), "r16 ");
	assert_string_equal(become(0, NR_poll, 0, 0, 30, 0, 0, 0), "waits slept 30000 ");
	assert_string_equal(become(0, NR_poll, 0, 0, 0, 0, 0, 0), "");
	assert_string_equal(become(0, NR_epoll_wait, 3, AT(0), 1, -1, 0, 0), "waits ");
	assert_string_equal(become(1, NR_epoll_wait, 3, AT(0), 1, 20, 0, 0), "waits w0+12 ");
	assert_string_equal(become(0, NR_futex, AT(0), FUTEX_WAIT_PRIVATE, 0, 0, 0, 0), "waits r0+4 ");
	assert_string_equal(become(-ETIMEDOUT, NR_futex, AT(0), FUTEX_WAIT, 0, at, 0, 0), "waits slept 500 r16 r0+4 ");
	assert_string_equal(become(1, NR_futex, AT(0), FUTEX_WAKE_PRIVATE, 1, 0, 0, 0), "");
	assert_string_equal(become(5, NR_wait4, 5, 0, 0, 0, 0, 0), "waits ");
	assert_string_equal(become(0, NR_wait4, 5, 0, 1, 0, 0, 0), "");
	the_file.waits = file_waits = true;
	assert_string_equal(become(1, NR_read, 0, AT(0), 10, 0, 0, 0), "waits w0+1 ");
	assert_string_equal(become(3, NR_accept4, 0, 0, 0, 0, 0, 0), "waits ");
	file_waits = false;
	assert_string_equal(become(3, NR_accept4, 0, 0, 0, 0, 0, 0), "");
}

static void pipes(void **state)
{
	struct iovec vector[2] = {{memory, 4096}, {memory + 4096, 4096}};
	char wanted[256];

	the_file = (struct call_file){.dev = 3, .ino = 4, .waits = true};
	file_is_mapped = false;
	become(0, NR_close, 5, 0, 0, 0, 0, 0);
	snprintf(wanted, sizeof(wanted), "r32 r0+4096 r4096+1000 event %u %llx+1000 0 event %u %llx+3e8 0 ", EV_HOLD,
		 (unsigned long long)AT(0), EV_HOLD, (unsigned long long)AT(4096));
	assert_string_equal(become(5096, NR_vmsplice, 5, (u64)vector, 2, 0, 0, 0), wanted);
	assert_true(file_is_mapped);
	snprintf(wanted, sizeof(wanted), "w0+7 event %u 3+4 0 ", EV_DRAIN);
	assert_string_equal(become(7, NR_read, 5, AT(0), 10, 0, 0, 0), wanted);
	become(0, NR_close, 5, 0, 0, 0, 0, 0);
	become(0, NR_close, 3, 0, 0, 0, 0, 0);
}

static void files(void **state)
{
	the_file = (struct call_file){.dev = 1, .ino = 2, .size = 8192, .regular = true};
	file_is_mapped = false;
	assert_string_equal(become(0, NR_ftruncate, 3, 8192, 0, 0, 0, 0), "");
	become(0x10000, NR_mmap, 0, 8192, 1, 1, 3, 0);
	assert_true(file_is_mapped);
	become(0, NR_close, 3, 0, 0, 0, 0, 0);
	assert_string_equal(become(0, NR_ftruncate, 3, 8192, 0, 0, 0, 0), "size 8192 ");
	assert_string_equal(become(10, NR_pwrite64, 3, AT(0), 10, 0, 0, 0), "r0+10 size 8192 ");
	assert_string_equal(become(10, NR_copy_file_range, 4, 0, 3, 0, 10, 0), "size 8192 ");
	assert_string_equal(become(3, NR_openat, 0, AT(1000), O_RDWR | O_TRUNC, 0, 0, 0), "r1000+10 size 8192 ");
	assert_string_equal(become(0, NR_truncate, AT(1000), 8192, 0, 0, 0, 0), "r1000+10 size 8192 ");
	assert_string_equal(become(0, NR_fallocate, 3, 3, 4096, 4096, 0, 0), "size 8192 hole 4096+4096 ");
	assert_string_equal(become(-ENOSPC, NR_ftruncate, 3, 8192, 0, 0, 0, 0), "");
	the_file = (struct call_file){.regular = true, .name = "/proc/77/mem", .position = AT(12)};
	file_is_mapped = false;
	become(0, NR_close, 3, 0, 0, 0, 0, 0);
	assert_string_equal(become(4, NR_write, 3, AT(64), 4, 0, 0, 0), "r64+4 w8+4 ");
	assert_string_equal(become(4, NR_pwrite64, 3, AT(64), 4, AT(100), 0, 0), "r64+4 w100+4 ");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(known),   cmocka_unit_test(documented), cmocka_unit_test(sizes), cmocka_unit_test(touched),
	    cmocka_unit_test(refused), cmocka_unit_test(waiting),    cmocka_unit_test(pipes), cmocka_unit_test(files),
	};

	if (argc != 3)
		return 125;
	numbers_path = argv[1];
	document_path = argv[2];
	return cmocka_run_group_tests_name("system calls as events", tests, NULL, NULL);
}
