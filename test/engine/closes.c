/* SPDX-License-Identifier: MIT
 *
 * test/engine/closes.c - a program that closes all its descriptors, in every way that daemons know, uses their numbers
 * for its own, and still executes another: `closes`. Prints what came of it; natively and under the engine the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 1100

/* By other calls than most programs try. */
static bool is_found(int fd)
{
	char byte;
	struct iovec none = {&byte, 0};
	struct stat st;
	struct statx sx;
	struct statfs fs;

	return syscall(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH) == 0 ||
	       statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx) == 0 || fstat(fd, &st) == 0 ||
	       fstatfs(fd, &fs) == 0 || errno != EBADF || readv(fd, &none, 1) == 0 || writev(fd, &none, 1) == 0 ||
	       pread(fd, &byte, 0, 0) == 0 || flock(fd, LOCK_UN) == 0 || fsync(fd) == 0 || errno != EBADF ||
	       openat(fd, "x", O_RDONLY) >= 0 || errno != EBADF || faccessat(fd, "", F_OK, AT_EMPTY_PATH) == 0;
}

/* Which of these are open? */
static void print_open(const char *when)
{
	printf("%s:", when);
	for (int fd = 0; fd < MOST; fd++)
		if (fcntl(fd, F_GETFD) >= 0 || write(fd, "", 0) == 0 || is_found(fd))
			printf(" %d", fd);
	printf("\n");
}

static void in_child(const char *what, char *const argv[], void (*before)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (before)
			before();
		execv(argv[0], argv);
		_exit(99);
	}
	waitpid(pid, &status, 0);
	printf("%s: %x\n", what, (unsigned)status);
}

static void close_one_by_one(void)
{
	for (int fd = 3; fd < MOST; fd++)
		close(fd);
}

static void close_all(void)
{
	syscall(SYS_close_range, 3, ~0u, 0);
}

static void take_all(void)
{
	for (int fd = 3; fd < MOST; fd++)
		dup2(1, fd);
}

static void few(void)
{
	struct rlimit limit = {3, 3};

	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	char *echo[] = {(char *)"/bin/echo", (char *)"executed", NULL};
	char *again[] = {(char *)"/proc/self/exe", (char *)"list", NULL};
	int closed = 0;

	if (argc > 1) {
		print_open("then");
		return 0;
	}
	for (int fd = 3; fd < MOST; fd++)
		closed += close(fd) == 0;
	printf("closed %d, last error %s\n", closed, strerror(errno));
	printf("range: %d %d %d\n", (int)syscall(SYS_close_range, 3, ~0u, 0), (int)syscall(SYS_close_range, 5, 4, 0),
	       (int)syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC));
	printf("dup: %d\n", dup(1));
	print_open("open");
	in_child("one by one", echo, close_one_by_one);
	in_child("all", echo, close_all);
	in_child("numbers taken", again, take_all);
	in_child("what is left", again, close_all);
	in_child("three at most", echo, few);
	return 0;
}
