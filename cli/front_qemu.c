/* SPDX-License-Identifier: MIT
 *
 * cli/front_qemu.c - a program under QEMU's user mode: finding QEMU and the plugin, the environment of each.
 *
 *   quire (simulator) ---- hub: a memfd ----+
 *     `-- fork, exec: qemu-x86_64 -0 NAME -plugin quire-plugin.so PATH ARG...
 *                     LD_PRELOAD=quire-plugin.so QUIRE_HUB=fd QUIRE_PROGRAM=PATH QUIRE_NAME=WHAT   for QEMU; taken from
 *                     the program's environment by -U, and a LD_PRELOAD that the user set given back to it by -E.
 *                     WHAT was executed: PATH, or a script that it interprets
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/launch.h"

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

static bool built(void)
{
	return true;
}

/* QUIRE_QEMU, or qemu-x86_64 in PATH; QUIRE_PLUGIN, or the plugin of the build folder, or the installed one. */
static bool find(struct launcher *l, char err[512])
{
	const char *given = getenv("QUIRE_QEMU"), *name = given ? given : "qemu-x86_64";

	if (path_find(name, l->runner) != 0)
		snprintf(err, 512,
			 "%.400s: not found; it comes with QEMU's user mode (Debian: apt-get install qemu-user)", name);
	else if (!takes_plugins(l->runner))
		snprintf(err, 512, "%.400s: this QEMU was built without plugins, as Debian's are since 13", l->runner);
	else if (!find_plugin(l->plugin))
		snprintf(err, 512, "quire-plugin.so is not where it was built or installed; QUIRE_PLUGIN may name it");
	else
		return true;
	return false;
}

/* QEMU's arguments: its own, then the program's. NULL when memory is short. */
static char **qemu_argv(const struct launcher *l, const struct program *p, const char *user_preload)
{
	static char unset[] = "LD_PRELOAD,QUIRE_HUB,QUIRE_PROGRAM,QUIRE_NAME";
	unsigned n = 0, out = 0;
	char **argv;

	while (p->argv[n])
		n++;
	argv = calloc(n + 16, sizeof(*argv));
	if (!argv)
		return NULL;
	argv[out++] = (char *)l->runner;
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

static void become(const struct launcher *l, const struct program *p, int hub_fd)
{
	char fd_text[16], **argv = qemu_argv(l, p, getenv("LD_PRELOAD"));

	snprintf(fd_text, sizeof(fd_text), "%d", hub_fd);
	setenv("LD_PRELOAD", l->plugin, 1);
	setenv("QUIRE_HUB", fd_text, 1);
	setenv("QUIRE_PROGRAM", p->path, 1);
	setenv("QUIRE_NAME", p->name, 1);
	unsetenv("QEMU_RESERVED_VA"); /* they would put the program elsewhere */
	unsetenv("QEMU_GUEST_BASE");
	if (argv)
		execv(l->runner, argv);
}

const struct front front_qemu = {"qemu", built, find, become, false};
