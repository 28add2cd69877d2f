/* SPDX-License-Identifier: MIT
 *
 * test/engine/self.c - what a program can see of itself: its file by all names of it, its maps, arguments, environment,
 * auxiliary vector, name. Prints it; natively and under the engine the same. `self exec` executes itself by its link.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned long sum_of(int fd)
{
	unsigned char buffer[4096];
	unsigned long sum = 0;
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		for (ssize_t i = 0; i < n; i++)
			sum = sum * 31 + buffer[i];
	return sum;
}

/* The program's file by this name of its link. */
static void file_by(const char *name)
{
	char target[4096] = "", few[9] = "";
	struct stat a, b;
	int fd;

	printf("readlink: %zd", readlink(name, target, sizeof(target) - 1));
	printf(" %s, %zd", target, readlinkat(AT_FDCWD, name, few, 8));
	printf(" %s\n", few);
	stat(name, &a);
	fd = open(name, O_RDONLY);
	fstat(fd, &b);
	printf("open: %lu, the same file: %d, a link: %d\n", sum_of(fd), a.st_ino == b.st_ino,
	       lstat(name, &a) == 0 && S_ISLNK(a.st_mode));
	close(fd);
	printf("runs: %d\n", access(name, X_OK));
}

static void errors(void)
{
	char buffer[8];

	printf("errors: %d", (int)syscall(SYS_readlink, "/proc/self/exe", buffer, 0) < 0 ? errno : 0);
	printf(" %d", (int)syscall(SYS_readlink, "/proc/self/exe", (char *)8, 8) < 0 ? errno : 0);
	printf(" %d", (int)syscall(SYS_readlink, (char *)8, buffer, 8) < 0 ? errno : 0);
	printf(" %d", (int)syscall(SYS_open, (char *)8, 0) < 0 ? errno : 0);
	printf(" %d\n", (int)syscall(SYS_execve, (char *)8, NULL, NULL) < 0 ? errno : 0);
}

static void lines_of(const char *name)
{
	char line[4096];
	FILE *f = fopen(name, "re");

	printf("%s, descriptor %d:\n", name, f ? fileno(f) : -1);
	while (f && fgets(line, sizeof(line), f))
		fputs(line, stdout);
	if (f)
		fclose(f);
}

static void text_of(const char *name)
{
	int fd = open(name, O_RDONLY);

	printf("%s: %lu\n", name, sum_of(fd));
	close(fd);
}

int main(int argc, char **argv)
{
	char name[64], comm[17] = "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1 && strcmp(argv[1], "exec") == 0) {
		execl("/proc/self/exe", argv[0], "executed", NULL);
		return 1;
	}
	file_by("/proc/self/exe");
	snprintf(name, sizeof(name), "/proc/%d/exe", getpid());
	file_by(name);
	errors();
	lines_of("/proc/self/maps");
	text_of("/proc/self/cmdline");
	text_of("/proc/self/environ");
	prctl(PR_GET_NAME, comm);
	printf("%s %s %s\n", comm, argv[0], (char *)getauxval(AT_EXECFN));
	for (unsigned long type = 0; type < 64; type++)
		if (type != AT_RANDOM)
			printf("%lx%c", getauxval(type), type < 63 ? ' ' : '\n');
	return 0;
}
