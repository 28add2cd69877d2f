/* SPDX-License-Identifier: MIT
 *
 * cli/launch.c - a program under QEMU: finding QEMU and the plugin, the environment of each, signals.
 *
 *   quire (simulator) ---- hub: a memfd ----+
 *     `-- fork, exec: qemu-x86_64 -0 NAME -plugin quire-plugin.so PATH ARG...
 *                     LD_PRELOAD=quire-plugin.so QUIRE_HUB=fd QUIRE_PROGRAM=PATH   for QEMU; taken from the program's
 *                     environment by -U, and a LD_PRELOAD that the user set given back to it by -E
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/launch.h"

/* ---- what is needed ---- */

/* Does the file hold the name of a function that only a QEMU with plugins has? */
static bool takes_plugins(const char *qemu)
{
	static const char name[] = "qemu_plugin_register_vcpu_syscall_ret_cb";
	int fd = open(qemu, O_RDONLY | O_CLOEXEC);
	struct stat st;
	bool found = false;
	void *text;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (text != MAP_FAILED) {
			found = memmem(text, (size_t)st.st_size, name, sizeof(name) - 1) != NULL;
			munmap(text, (size_t)st.st_size);
		}
	}
	close(fd);
	return found;
}

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

static bool find_plugin(char path[PATH_MAX])
{
	const char *given = getenv("QUIRE_PLUGIN");
	char folder[PATH_MAX], built[PATH_MAX + 64], installed[PATH_MAX + 64];

	if (given)
		return realpath(given, path) != NULL;
	own_folder(folder);
	snprintf(built, sizeof(built), "%s/../plugin/quire-plugin.so", folder);
	snprintf(installed, sizeof(installed), "%s/" QUIRE_PLUGIN_FROM_BIN, folder);
	return realpath(built, path) || realpath(installed, path);
}

static int qemu_find(struct launcher *l, char err[512])
{
	const char *given = getenv("QUIRE_QEMU"), *name = given ? given : "qemu-x86_64";

	if (access("/proc/self/exe", F_OK) != 0)
		snprintf(err, 512, "there is no /proc here, which Quire and QEMU read: mount -t proc proc /proc");
	else if (path_find(name, l->qemu) != 0)
		snprintf(err, 512,
			 "%.400s: not found; it comes with QEMU's user mode (Debian: apt-get install qemu-user)", name);
	else if (!takes_plugins(l->qemu))
		snprintf(err, 512, "%.400s: this QEMU was built without plugins, which Quire needs (README.md: Try it)",
			 l->qemu);
	else if (!find_plugin(l->plugin))
		snprintf(err, 512, "quire-plugin.so is not where it was built or installed; QUIRE_PLUGIN may name it");
	else
		return 0;
	return EXIT_QUIRE;
}

int launch_find(struct launcher *l, char err[512])
{
	if (l->front == FRONT_ENGINE)
		return engine_find(l, err) ? 0 : EXIT_QUIRE;
	return qemu_find(l, err);
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

/* QEMU's arguments: its own, then the program's. NULL when memory is short. */
static char **qemu_argv(const struct launcher *l, const struct program *p, const char *user_preload)
{
	static char unset[] = "LD_PRELOAD,QUIRE_HUB,QUIRE_PROGRAM";
	unsigned n = 0, out = 0;
	char **argv;

	while (p->argv[n])
		n++;
	argv = calloc(n + 16, sizeof(*argv));
	if (!argv)
		return NULL;
	argv[out++] = (char *)l->qemu;
	argv[out++] = "-U";
	argv[out++] = unset;
	if (user_preload) {
		argv[out++] = "-E";
		if (asprintf(&argv[out++], "LD_PRELOAD=%s", user_preload) < 0)
			return NULL;
	}
	argv[out++] = "-0";
	argv[out++] = p->argv[0];
	argv[out++] = "-plugin";
	argv[out++] = (char *)l->plugin;
	argv[out++] = (char *)p->path;
	for (unsigned i = 1; i < n; i++)
		argv[out++] = p->argv[i];
	return argv;
}

/* In the child. Returns only when it fails. */
static void become_qemu(const struct launcher *l, const struct program *p, int hub_fd)
{
	char fd_text[16], **argv = qemu_argv(l, p, getenv("LD_PRELOAD"));

	for (unsigned i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
		sigaction(handled[i], &before[i], NULL);
	snprintf(fd_text, sizeof(fd_text), "%d", hub_fd);
	setenv("LD_PRELOAD", l->plugin, 1);
	setenv("QUIRE_HUB", fd_text, 1);
	setenv("QUIRE_PROGRAM", p->path, 1);
	unsetenv("QEMU_RESERVED_VA"); /* they would put the program elsewhere */
	unsetenv("QEMU_GUEST_BASE");
	if (argv)
		execv(l->qemu, argv);
}

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
		if (l->front == FRONT_ENGINE)
			become_engine(l, p, hub_fd);
		else
			become_qemu(l, p, hub_fd);
		fprintf(stderr, "quire: %s: %s\n", l->front == FRONT_ENGINE ? l->engine : l->qemu, strerror(errno));
		_exit(EXIT_QUIRE);
	}
	child = pid;
	sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}
