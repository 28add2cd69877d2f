/* SPDX-License-Identifier: MIT
 *
 * cli/launch.c - a program is started by a front end (front_engine.c, front_qemu.c); signals on their way to it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
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
	static const struct front *const all[] = {&front_engine, &front_qemu};

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
static volatile sig_atomic_t report_wanted;
static struct stat hub_file;
static const int handled[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1};
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

	if (sig == SIGUSR1)
		report_wanted = 1;
	else if (ended)
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

bool launch_report_wanted(void)
{
	bool wanted = report_wanted;

	report_wanted = 0;
	return wanted;
}

/* The hub is shared with the program, which may have put any pid into it: only who has mapped it is told. */
static bool maps_hub(pid_t pid)
{
	unsigned long long ino;
	unsigned major, minor;
	char path[64], line[PATH_MAX + 200];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%*s %*s %*s %x:%x %llu", &major, &minor, &ino) == 3 && ino == hub_file.st_ino &&
			makedev(major, minor) == hub_file.st_dev;
	if (f)
		fclose(f);
	return found;
}

static void stop(pid_t pid, int sig)
{
	kill(pid, sig);
	kill(pid, SIGCONT); /* who is stopped would not see it */
}

void launch_stop(struct ring_hub *hub, int sig)
{
	if (!ended)
		stop(child, sig);
	for (unsigned i = 0; i < ring_count(hub); i++) {
		struct ring *r = ring_get(hub, i);
		pid_t pid = r ? ring_pid(r) : 0;

		if (pid > 0 && pid != child && maps_hub(pid))
			stop(pid, sig);
	}
}

/* ---- limits ---- */

static const int limited[] = {RLIMIT_AS, RLIMIT_DATA};
static struct rlimit limits[sizeof(limited) / sizeof(limited[0])];
static bool raised;

void launch_limits(void)
{
	for (unsigned i = 0; i < sizeof(limited) / sizeof(limited[0]); i++) {
		getrlimit(limited[i], &limits[i]);
		if (setrlimit(limited[i], &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}) != 0)
			setrlimit(limited[i], &(struct rlimit){limits[i].rlim_max, limits[i].rlim_max});
	}
	raised = true;
}

static void limits_restore(void)
{
	for (unsigned i = 0; raised && i < sizeof(limited) / sizeof(limited[0]); i++)
		setrlimit(limited[i], &limits[i]);
}

/* ---- the start ---- */

pid_t launch_start(const struct launcher *l, const struct program *p, int hub_fd)
{
	sigset_t all, old;
	pid_t pid;

	fstat(hub_fd, &hub_file);
	sigfillset(&all); /* a signal in between is delivered when `child` is known */
	sigprocmask(SIG_BLOCK, &all, &old);
	pid = fork();
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		for (unsigned i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
			sigaction(handled[i], &before[i], NULL);
		limits_restore();
		l->front->become(l, p, hub_fd);
		fprintf(stderr, "quire: %s: %s\n", l->runner, strerror(errno));
		_exit(EXIT_QUIRE);
	}
	child = pid;
	sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}
