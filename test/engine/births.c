/* SPDX-License-Identifier: MIT
 *
 * test/engine/births.c - 50 children that end, 50 that ask for the time, 50 that execute another program, 50 by vfork:
 * `births PROGRAM`. What a
 * fork and an exec cost in page faults is most of what it does.
 */
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Their parent has asked, too: a fork copies what it has of the kernel's own pages. */
static void ask(void)
{
	struct timespec now;
	pid_t pid;

	clock_gettime(CLOCK_MONOTONIC, &now);
	pid = fork();
	if (pid == 0) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void child(char **program, int executes, int by_vfork)
{
	pid_t pid = by_vfork ? vfork() : fork();

	if (pid == 0) {
		if (executes)
			execv(program[0], program);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
	for (int i = 0; argc > 1 && i < 50; i++) {
		child(argv + 1, 0, 0);
		child(argv + 1, 1, 0);
		child(argv + 1, 1, 1);
		ask();
	}
	return 0;
}
