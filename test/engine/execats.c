/* SPDX-License-Identifier: MIT
 *
 * test/engine/execats.c - what execveat says and does, by descriptors above all: `execats` executes itself and others in
 * every way, natively and under the engine the same. `execats child FD`: what the executed program sees.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void try(const char *what, int dir, const char *path, char **argv, int flags)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		syscall(SYS_execveat, dir, path, argv, environ, flags);
		printf("%s: %s\n", what, strerrorname_np(errno));
		exit(99);
	}
	waitpid(pid, &status, 0);
	if (status != 99 << 8)
		printf("%s: ended with %d, signal %d\n", what, WEXITSTATUS(status), WTERMSIG(status));
}

static int child(int fd)
{
	printf("executed as %s, descriptor %d is %s\n", (const char *)getauxval(AT_EXECFN), fd,
	       fcntl(fd, F_GETFD) >= 0 ? "open" : "closed");
	return 7;
}

static int copy_of(const char *path, unsigned flags)
{
	int from = open(path, O_RDONLY | O_CLOEXEC), to = memfd_create("copy", flags);
	char buffer[65536];
	ssize_t n;

	while ((n = read(from, buffer, sizeof(buffer))) > 0)
		if (write(to, buffer, (size_t)n) != n)
			exit(1);
	close(from);
	return to;
}

int main(int argc, char **argv)
{
	char number[12], *args[] = {"execats", "child", number, NULL}, *words[] = {"echo", "by a folder", NULL};
	int bin = open("/bin", O_PATH | O_DIRECTORY | O_CLOEXEC), plain, closes, script;

	if (argc > 2 && strcmp(argv[1], "child") == 0)
		return child(atoi(argv[2]));
	plain = copy_of("/proc/self/exe", 0);
	closes = copy_of("/proc/self/exe", MFD_CLOEXEC);
	script = memfd_create("script", 0);
	dprintf(script, "#!/bin/sh\necho \"$0\" \"$1\"; exit 5\n");
	snprintf(number, sizeof(number), "%d", plain);
	try("a descriptor", plain, "", args, AT_EMPTY_PATH);
	snprintf(number, sizeof(number), "%d", closes);
	try("one that closes", closes, "", args, AT_EMPTY_PATH);
	try("a script", script, "", args, AT_EMPTY_PATH);
	fcntl(script, F_SETFD, FD_CLOEXEC);
	try("a script that closes", script, "", args, AT_EMPTY_PATH);
	snprintf(number, sizeof(number), "%d", bin);
	try("a name in a folder", bin, "echo", words, 0);
	try("an absolute name", bin, "/bin/echo", words, AT_EMPTY_PATH);
	try("no name and no flag", plain, "", args, 0);
	try("a name that is not there", bin, "no-such-program", words, 0);
	try("no descriptor", 77, "", args, AT_EMPTY_PATH);
	try("no descriptor, and a name", 77, "echo", words, 0);
	try("no folder", plain, "echo", words, 0);
	try("a folder", bin, "", words, AT_EMPTY_PATH);
	try("an unknown flag", plain, "", args, 0x40000000);
	try("a bad name", bin, (const char *)8, words, 0);
	fexecve(plain, args, environ);
	return 1;
}
