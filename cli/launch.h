/* SPDX-License-Identifier: MIT
 *
 * cli/launch.h - starts a program under a front end, and waits for it. A front end runs the program and tells its
 * accesses: the engine (front_engine.c), or QEMU's user mode with the plugin (front_qemu.c).
 */
#ifndef CLI_LAUNCH_H
#define CLI_LAUNCH_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "cli/program.h"
#include "trace/ring.h"

struct launcher;

struct front {
	const char *name;
	/* Can it be here at all? */
	bool (*built)(void);
	/* Fills in l->runner, l->plugin. Returns false with a line in err. */
	bool (*find)(struct launcher *l, char err[512]);
	/* In the child: executes l->runner. Returns only when that fails. */
	void (*become)(const struct launcher *l, const struct program *p, int hub_fd);
	/* Programs open the hub by the path of quire's descriptor, also later; else they inherit it, once. */
	bool hub_by_path;
};

extern const struct front front_engine, front_qemu;

struct launcher {
	const struct front *front;
	char runner[PATH_MAX], plugin[PATH_MAX];
};

/* The front end of that name; NULL: the first that was built. Returns NULL when there is none of the name. */
const struct front *front_of(const char *name);
/* The folder of the running command, without a slash at its end. */
void own_folder(char folder[PATH_MAX]);

/* Finds what the front end needs. Returns 0, or 125 with a line in err. */
int launch_find(struct launcher *l, char err[512]);
/* Starts the program. hub_fd is inherited. Returns its pid, or -1 with errno. Signals: launch_signals() first. */
pid_t launch_start(const struct launcher *l, const struct program *p, int hub_fd);

/* From here on RLIMIT_AS and RLIMIT_DATA are the program's: they do not hold quire itself, where it may raise them. */
void launch_limits(void);
/* From here on what the terminal or another process sends to stop is the program's business and is passed on, but for
 * SIGINT and SIGQUIT from the terminal, which sends them to both. */
void launch_signals(void);
/* The program has ended. A signal now asks not to wait for the processes that it left behind. */
void launch_ended(void);
bool launch_interrupted(void);
/* SIGUSR1 has come since this was asked last. */
bool launch_report_wanted(void);
/* Sends the signal to the program and to all who write to the hub: its process tree, as far as it is in the simulation. */
void launch_stop(struct ring_hub *hub, int sig);

#endif
