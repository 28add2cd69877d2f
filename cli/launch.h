/* SPDX-License-Identifier: MIT
 *
 * cli/launch.h - starts a program under QEMU with the plugin, and waits for it.
 */
#ifndef CLI_LAUNCH_H
#define CLI_LAUNCH_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "cli/program.h"

enum front { FRONT_QEMU, FRONT_ENGINE };

struct launcher {
	enum front front;
	char qemu[PATH_MAX], plugin[PATH_MAX]; /* FRONT_QEMU */
	char engine[PATH_MAX];                 /* FRONT_ENGINE */
};

/* The folder of the running command, without a slash at its end. */
void own_folder(char folder[PATH_MAX]);
/* front_engine.c. find: false with a line in err. become: in the child; returns only when it fails. */
bool engine_find(struct launcher *l, char err[512]);
void become_engine(const struct launcher *l, const struct program *p, int hub_fd);

/* Finds QEMU (QUIRE_QEMU, or qemu-x86_64 in PATH) and the plugin (QUIRE_PLUGIN, the build folder, the installed one),
 * and that this QEMU takes plugins; or the engine, by l->front. Returns 0, or 125 with a line in err. */
int launch_find(struct launcher *l, char err[512]);
/* Starts the program. hub_fd is inherited. Returns its pid, or -1 with errno. Signals: launch_signals() first. */
pid_t launch_start(const struct launcher *l, const struct program *p, int hub_fd);

/* From here on what the terminal or another process sends to stop is the program's business and is passed on, but for
 * SIGINT and SIGQUIT from the terminal, which sends them to both. */
void launch_signals(void);
/* The program has ended. A signal now asks not to wait for the processes that it left behind. */
void launch_ended(void);
bool launch_interrupted(void);

#endif
