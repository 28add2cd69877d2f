/* SPDX-License-Identifier: MIT
 *
 * test/host/forks.c - fork's page faults: the parent touches 4 MiB, then three children in turn read it all and write a
 * part, while the parent writes another part between them. No exec.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BYTES = 4 << 20, STEP = 4096 };

static void touch(volatile char *p, int from, int to)
{
	for (int at = from; at < to; at += STEP)
		p[at]++;
}

int main(void)
{
	char *p = malloc(BYTES);
	unsigned sum = 0;
	int status, bad = 0;
	if (!p)
		return 1;
	touch(p, 0, BYTES);
	for (int child = 0; child < 3; child++) {
		pid_t pid = fork();
		if (pid == 0) {
			for (int at = 0; at < BYTES; at += STEP)
				sum += p[at];
			touch(p, 0, BYTES / 4);
			_exit(sum & 1);
		}
		touch(p, BYTES / 2, BYTES * 3 / 4);
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			bad = 1;
	}
	puts("done");
	return bad;
}
