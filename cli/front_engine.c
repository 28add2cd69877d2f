/* SPDX-License-Identifier: MIT
 *
 * cli/front_engine.c - a program under the engine: finding it, and what it is started with.
 *
 *   quire (simulator) ---- hub: a memfd ----+
 *     `-- fork, exec: quire-engine /proc/PID/fd/N LIBZYDIS - NAME PATH ARG0 ARG...
 *
 * The hub is opened by its path, so that programs may close all their descriptors and still execute others. Addresses
 * are those of a run without randomisation: personality(ADDR_NO_RANDOMIZE).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/launch.h"
#include "engine/limits.h"

#ifdef QUIRE_ENGINE_FROM_BIN
static const char zydis[] = QUIRE_ZYDIS, installed[] = QUIRE_ENGINE_FROM_BIN;
#else
static const char zydis[] = "", installed[] = "";
#endif

static bool built(void)
{
	return zydis[0];
}

/* QUIRE_ENGINE, or that of the build folder, or the installed one. */
static bool find(struct launcher *l, char err[512])
{
	const char *given = getenv("QUIRE_ENGINE");
	char folder[PATH_MAX], path[PATH_MAX + 64];

	if (!built()) {
		snprintf(err, 512, "this quire was built without the engine: it needs libzydis-dev");
		return false;
	}
	own_folder(folder);
	snprintf(path, sizeof(path), "%s/../engine/quire-engine", folder);
	if (given ? realpath(given, l->runner) : realpath(path, l->runner))
		return true;
	snprintf(path, sizeof(path), "%s/%s", folder, installed);
	if (realpath(path, l->runner))
		return true;
	snprintf(err, 512, "quire-engine is not where it was built or installed; QUIRE_ENGINE may name it");
	return false;
}

/* As an engine expects them. Without the right to do so they stay: what the engine maps then counts in them. */
static void make_room(int resource)
{
	struct rlimit l;

	getrlimit(resource, &l);
	l.rlim_cur = limit_more(l.rlim_cur, LIMITS_ROOM);
	l.rlim_max = limit_more(l.rlim_max, LIMITS_ROOM);
	setrlimit(resource, &l);
}

static void become(const struct launcher *l, const struct program *p, int hub_fd)
{
	unsigned n = 0;
	char hub[64], **argv;

	while (p->argv[n])
		n++;
	argv = calloc(n + 7, sizeof(*argv));
	if (!argv)
		return;
	snprintf(hub, sizeof(hub), "/proc/%d/fd/%d", getppid(), hub_fd);
	argv[0] = (char *)l->runner;
	argv[1] = hub;
	argv[2] = (char *)zydis;
	argv[3] = "-";
	argv[4] = (char *)p->name;
	argv[5] = (char *)p->path;
	for (unsigned i = 0; i < n; i++)
		argv[6 + i] = p->argv[i];
	if (personality(0xffffffff) != -1)
		personality((unsigned long)personality(0xffffffff) | ADDR_NO_RANDOMIZE);
	make_room(RLIMIT_AS);
	make_room(RLIMIT_DATA);
	close(hub_fd);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* it is not to go on unseen when quire is killed */
	execv(l->runner, argv);
}

const struct front front_engine = {"engine", built, find, become, true};
