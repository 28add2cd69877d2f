/* SPDX-License-Identifier: MIT
 *
 * cli/native.c - the program's time without Quire.
 *
 * The time is that of CPUs, user and system, of the program and of all descendants that somebody waited for. What it
 * leaves behind when it ends (a daemon) is not waited for and has no part in it.
 *
 * Both runs read the same standard input only where it can be read again: a file is set back, a terminal is asked twice,
 * a pipe is refused.
 */
#include "cli/native.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/launch.h"

#define SECOND      1000000000ull
#define SECONDS_MAX 1000000000ull

int native_parse_seconds(const char *text, u64 *ns)
{
	u64 whole = 0, part = 0, unit = SECOND;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && whole <= SECONDS_MAX; p++)
		whole = 10 * whole + (u64)(*p - '0');
	if (*p == '.' && p[1] >= '0' && p[1] <= '9')
		for (p++; *p >= '0' && *p <= '9'; p++)
			part += (u64)(*p - '0') * (unit /= 10);
	*ns = whole * SECOND + part;
	return *p != '\0' || whole > SECONDS_MAX || *ns == 0 ? -1 : 0;
}

static u64 cpu_ns(const struct rusage *r)
{
	return ((u64)r->ru_utime.tv_sec + (u64)r->ru_stime.tv_sec) * SECOND +
	       ((u64)r->ru_utime.tv_usec + (u64)r->ru_stime.tv_usec) * 1000;
}

static bool can_read_twice(void)
{
	struct stat st;

	return fstat(STDIN_FILENO, &st) != 0 || !(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

static void become(const struct launcher *l, const struct program *p, int hub_fd)
{
	execv(p->path, p->argv);
}

static const struct front native = {.name = "native", .become = become};

int native_run(const struct program *p, struct sim_native *out, char err[512])
{
	struct launcher l = {.front = &native};
	off_t at = lseek(STDIN_FILENO, 0, SEEK_CUR);
	struct rusage used;
	int status;
	pid_t pid, got;

	if (!can_read_twice()) {
		snprintf(err, 512,
			 "--native runs the program twice, and standard input is a pipe that can be read once");
		return EXIT_QUIRE;
	}
	fprintf(stderr, "quire: --native: first a run of %s without simulation\n", p->name);
	snprintf(l.runner, sizeof(l.runner), "%s", p->path);
	pid = launch_start(&l, p, -1);
	do
		got = pid < 0 ? pid : wait4(pid, &status, 0, &used);
	while (got < 0 && pid > 0 && errno == EINTR);
	if (got < 0) {
		snprintf(err, 512, "--native: %s", strerror(errno));
		return EXIT_QUIRE;
	}
	if (WIFSIGNALED(status)) {
		snprintf(err, 512, "--native: the native run was ended by SIG%s, so there is no time to compare with",
			 sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?");
		return 128 + WTERMSIG(status);
	}
	if (at >= 0)
		lseek(STDIN_FILENO, at, SEEK_SET);
	*out = (struct sim_native){.cpu_ns = cpu_ns(&used), .measured = true};
	return 0;
}
