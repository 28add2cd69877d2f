/* SPDX-License-Identifier: MIT
 *
 * tools/programs/once.c - `once FILE PROGRAM ARG...` runs a command as `setarch -R` does, without address-space
 * randomisation, ends as it ended (128 and the signal's number when killed), and writes to FILE what it and its
 * waited-for children took: page faults, minor and major together, and microseconds of CPU time, user and system.
 */
#include <stdio.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static long us(struct timeval t)
{
	return t.tv_sec * 1000000 + t.tv_usec;
}

int main(int argc, char **argv)
{
	struct rusage ru;
	int status;
	FILE *out;
	pid_t pid;

	if (argc < 3 || !(out = fopen(argv[1], "we"))) {
		fprintf(stderr, "usage: once FILE PROGRAM ARG...\n");
		return 125;
	}
	personality(ADDR_NO_RANDOMIZE);
	pid = vfork(); /* the child takes no fault of its own before execve */
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &ru) != pid)
		return 125;
	fprintf(out, "%ld %ld\n", ru.ru_minflt + ru.ru_majflt, us(ru.ru_utime) + us(ru.ru_stime));
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
