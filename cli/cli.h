/* SPDX-License-Identifier: MIT
 *
 * cli/cli.h - the verbs of the quire command, one file each. argv[0] is "quire VERB"; returns the exit status.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

/* Exit statuses besides a verb's own (docs/quire.1); those of `quire run` are env(1)'s. */
enum {
	EXIT_QUIRE = 125,      /* Quire itself failed, or was called wrongly */
	EXIT_CANNOT_RUN = 126, /* the program was found but cannot be run */
	EXIT_NOT_FOUND = 127,
};

int cmd_run(int argc, char **argv);
int cmd_play(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_cpus(int argc, char **argv);
int cmd_measure(int argc, char **argv);
int cmd_costs(int argc, char **argv);

#endif
