/* SPDX-License-Identifier: MIT
 *
 * cli/measure.c - `quire measure`: what faults, calls, switches and page walks cost on this machine.
 */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "cli/cli.h"
#include "measure/measure.h"
#include "sim/sim.h"

#define SECONDS_MOST    3600
#define SECONDS_DEFAULT 110 /* with what ends it: under two minutes */

enum { TO_JSON, TO_SAVE, TO_PLOT, TO_NR };

struct target {
	const char *option, *file; /* NULL: not asked for. "-": standard output */
	FILE *out;
};

struct options {
	double seconds;
	struct target to[TO_NR];
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	char *end;

	switch (key) {
	case 's':
		o->seconds = strtod(arg, &end);
		if (end == arg || *end != '\0' || !(o->seconds >= 1 && o->seconds <= SECONDS_MOST))
			argp_failure(state, EXIT_QUIRE, 0, "--seconds %s: must be a number from 1 to %d", arg,
				     SECONDS_MOST);
		return 0;
	case 'j':
		o->to[TO_JSON].file = arg;
		return 0;
	case 'S':
		o->to[TO_SAVE].file = arg;
		return 0;
	case 'p':
		o->to[TO_PLOT].file = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_failure(state, EXIT_QUIRE, 0, "there is nothing to give beside options, but here is '%s'", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Every file is opened before two minutes are spent. At most one of them is standard output. */
static int open_targets(struct options *o, bool *stdout_taken)
{
	*stdout_taken = false;
	for (unsigned i = 0; i < TO_NR; i++) {
		struct target *t = &o->to[i];
		bool dash = t->file && strcmp(t->file, "-") == 0;

		if (dash && *stdout_taken) {
			fprintf(stderr,
				"quire measure: only one of --json, --save and --plot can be standard output\n");
			return EXIT_QUIRE;
		}
		*stdout_taken |= dash;
		t->out = dash ? stdout : t->file ? fopen(t->file, "we") : NULL;
		if (t->file && t->out == NULL) {
			fprintf(stderr, "quire measure: %s %s: %s\n", t->option, t->file, strerror(errno));
			return EXIT_QUIRE;
		}
	}
	return 0;
}

static int close_targets(struct options *o)
{
	int status = 0;

	for (unsigned i = 0; i < TO_NR; i++) {
		struct target *t = &o->to[i];

		if (t->out == NULL || t->out == stdout)
			continue;
		errno = 0;
		if ((ferror(t->out) | fclose(t->out)) == 0)
			continue;
		fprintf(stderr, "quire measure: %s %s: %s\n", t->option, t->file, strerror(errno ? errno : EIO));
		status = EXIT_QUIRE;
	}
	return status;
}

/* What may be used without pushing others out: by /proc and the cgroups, or what the kernel has free. */
static u64 available_bytes(void)
{
	struct sim_host h = sim_host_memory("");
	struct sysinfo s;

	if (h.available != ~0ull)
		return h.available;
	return sysinfo(&s) == 0 ? (u64)s.freeram * s.mem_unit : 0;
}

int cmd_measure(int argc, char **argv)
{
	static const struct argp_option options[] = {
	    {"seconds", 's', "N", 0, "spend at most about N seconds, 1 to 3600 (110); less when all figures are stable",
	     0},
	    {"json", 'j', "FILE", 0, "everything as JSON too; - is standard output, then without the table", 0},
	    {"save", 'S', "FILE", 0, "the costs of this machine, as quire run --costs reads them", 0},
	    {"plot", 'p', "FILE", 0, "the curves of the page walks as SVG", 0},
	    {0},
	};
	static const struct argp argp = {
	    .options = options,
	    .parser = parse_option,
	    .doc = "Measures what virtual memory costs on this machine: page faults by kind, system calls, maps, fork, "
		   "switches, shootdowns, the reach of the TLBs and page walks. It needs no privilege.",
	};
	static struct measure m;
	struct options o = {.seconds = SECONDS_DEFAULT,
			    .to = {{.option = "--json"}, {.option = "--save"}, {.option = "--plot"}}};
	bool stdout_taken;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (open_targets(&o, &stdout_taken) != 0)
		return EXIT_QUIRE;
	m.seconds = o.seconds;
	m.progress = isatty(STDERR_FILENO) ? stderr : NULL;
	m.host.available_bytes = available_bytes();
	measure_run(&m);
	if (!stdout_taken)
		measure_text(stdout, &m);
	if (o.to[TO_JSON].out && measure_json(o.to[TO_JSON].out, &m) != 0)
		fprintf(stderr, "quire measure: --json %s: no memory for it\n", o.to[TO_JSON].file);
	if (o.to[TO_SAVE].out)
		measure_save(o.to[TO_SAVE].out, &m, machine_host_cpu());
	if (o.to[TO_PLOT].out)
		measure_svg(o.to[TO_PLOT].out, &m);
	return close_targets(&o);
}
