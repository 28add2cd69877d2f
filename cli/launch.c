/* SPDX-License-Identifier: MIT
 *
 * cli/launch.c - a program is started by a front end (front_engine.c, front_qemu.c); signals on their way to it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/launch.h"

/* The folder of the running command, without a slash at its end. */
void own_folder(char folder[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", folder, PATH_MAX - 1);
	char *slash;

	folder[n > 0 ? n : 0] = '\0';
	slash = strrchr(folder, '/');
	if (slash)
		*slash = '\0';
}

const struct front *front_of(const char *name)
{
	static const struct front *const all[] = {&front_qemu, &front_engine};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (name ? strcmp(name, all[i]->name) == 0 : all[i]->built())
			return all[i];
	return NULL;
}

int launch_find(struct launcher *l, char err[512])
{
	if (access("/proc/self/exe", F_OK) == 0)
		return l->front->find(l, err) ? 0 : EXIT_QUIRE;
	snprintf(err, 512, "there is no /proc here, which Quire reads: mount -t proc proc /proc");
	return EXIT_QUIRE;
}

/* ---- signals ---- */

static volatile sig_atomic_t child, ended, interrupted;
static const int handled[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};
static struct sigaction before[sizeof(handled) / sizeof(handled[0])];

static bool was_ignored(int sig)
{
	for (unsigned i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
		if (handled[i] == sig)
			return before[i].sa_handler == SIG_IGN;
	return false;
}

/* What the terminal sends for its keys (SI_KERNEL) has reached the program already. */
static void on_signal(int sig, siginfo_t *info, void *context)
{
	bool key = info->si_code == SI_KERNEL && (sig == SIGINT || sig == SIGQUIT);

	if (ended)
		interrupted |= !was_ignored(sig);
	else if (child > 0 && !key)
		kill(child, sig);
}

void launch_signals(void)
{
	struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_RESTART | SA_SIGINFO};

	for (unsigned i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
		sigaction(handled[i], &act, &before[i]);
}

void launch_ended(void)
{
	ended = 1;
}

bool launch_interrupted(void)
{
	return interrupted;
}

/* ---- the start ---- */

pid_t launch_start(const struct launcher *l, const struct program *p, int hub_fd)
{
	sigset_t all, old;
	pid_t pid;

	sigfillset(&all); /* a signal in between is delivered when `child` is known */
	sigprocmask(SIG_BLOCK, &all, &old);
	pid = fork();
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		for (unsigned i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
			sigaction(handled[i], &before[i], NULL);
		l->front->become(l, p, hub_fd);
		fprintf(stderr, "quire: %s: %s\n", l->runner, strerror(errno));
		_exit(EXIT_QUIRE);
	}
	child = pid;
	sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}
