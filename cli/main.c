/* SPDX-License-Identifier: MIT
 *
 * cli/main.c - `quire VERB [ARG...]`: finds the verb and hands over. A verb is a row of the table and a file.
 */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage, *summary;
};

static const struct verb verbs[] = {
    {"run", cmd_run, "[OPTION...] -- PROGRAM [ARG...]", "run a program on simulated machines and report its costs"},
    {"play", cmd_play, "[OPTION...] FILE...", "run scripts of memory operations, explain them, compare with Linux"},
    {"explain", cmd_explain, "ADDRESS | --error CODE | --pte ENTRY",
     "draw how the hardware splits an address; decode faults, entries"},
    {"costs", cmd_costs, "[--cpu NAME] [--costs FILE] [--json]", "list what each event costs in cycles, with sources"},
    {"cpus", cmd_cpus, "[NAME...]", "list the CPUs that can be simulated, with sources"},
    {"measure", cmd_measure, "[OPTION...]", "measure what virtual memory costs on this machine"},
};

static void help(FILE *out)
{
	fprintf(out, "Usage: quire VERB [ARG...]\n"
		     "What does virtual memory cost a program, and what would other page sizes change?\n\n");
	for (const struct verb *v = verbs; v < verbs + sizeof(verbs) / sizeof(verbs[0]); v++)
		fprintf(out, "  quire %s %s\n      %s\n", v->name, v->usage, v->summary);
	fprintf(out, "\n  quire VERB --help    the options of a verb\n"
		     "  quire --help         this text\n"
		     "  quire --version      the version\n");
}

/* Standard output may be full or closed: then what was asked for was not done. */
static int finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	perror("quire: standard output");
	return EXIT_QUIRE;
}

int main(int argc, char **argv)
{
	static char name[64];

	argp_program_version = "quire " QUIRE_VERSION;
	argp_err_exit_status = EXIT_QUIRE;
	if (argc < 2) {
		help(stderr);
		return EXIT_QUIRE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help(stdout);
		return finish(0);
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts(argp_program_version);
		return finish(0);
	}
	for (const struct verb *v = verbs; v < verbs + sizeof(verbs) / sizeof(verbs[0]); v++) {
		if (strcmp(argv[1], v->name) != 0)
			continue;
		snprintf(name, sizeof(name), "quire %s", v->name);
		argv[1] = name;
		return finish(v->run(argc - 1, argv + 1));
	}
	fprintf(stderr, "quire: no such verb: %s (try quire --help)\n", argv[1]);
	return EXIT_QUIRE;
}
