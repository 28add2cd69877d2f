/* SPDX-License-Identifier: MIT
 *
 * test/host/faults.c - what a command's page faults are on this Linux: `faults [-n RUNS] -- PROGRAM ARG...` prints the
 * median of the minor faults that getrusage counts for it, RUNS times (default 5), and the least and the most.
 *
 * The command runs without address-space randomisation (as setarch -R), since the places decide which areas hold an
 * aligned 2M block. It is started by vfork, so that the child takes no fault of its own before execve. Output goes to
 * /dev/null.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int by_value(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;
	return x < y ? -1 : x > y;
}

/* Minor faults of one run, its waited-for children included; -1 when it could not be run. */
static long run_once(char **argv)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), status;
	struct rusage ru;
	pid_t pid = vfork();
	if (pid == 0) {
		dup2(null, 1);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(null);
	if (pid < 0 || wait4(pid, &status, 0, &ru) != pid || (WIFEXITED(status) && WEXITSTATUS(status) == 127))
		return -1;
	return ru.ru_minflt;
}

int main(int argc, char **argv)
{
	long runs = 5, faults[101];
	int opt;
	while ((opt = getopt(argc, argv, "+n:")) == 'n')
		runs = atol(optarg);
	if (opt != -1 || optind == argc || runs < 1 || runs > 101) {
		fprintf(stderr, "usage: faults [-n RUNS] -- PROGRAM [ARG...]\n");
		return 2;
	}
	personality(ADDR_NO_RANDOMIZE);
	for (long i = 0; i < runs; i++) {
		faults[i] = run_once(argv + optind);
		if (faults[i] < 0) {
			fprintf(stderr, "faults: cannot run %s\n", argv[optind]);
			return 1;
		}
	}
	qsort(faults, runs, sizeof *faults, by_value);
	printf("%ld %ld %ld\n", faults[runs / 2], faults[0], faults[runs - 1]);
	return 0;
}
