/* SPDX-License-Identifier: MIT
 *
 * cli/run.c - `quire run`: a program runs under QEMU, every access goes to the simulated machines, a report comes out.
 *
 * Exit status: the program's own, 128+signal when a signal ended it; 125 when Quire fails, 126 when the program cannot
 * be run, 127 when it is not found.
 *
 * The report comes when the program and all processes that it made inside the simulation have ended. One that stays
 * behind (a daemon) is waited for, too; Ctrl-C or SIGTERM then ends the waiting, and it runs on unwatched.
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/launch.h"
#include "report/report.h"
#include "sim/sim.h"
#include "trace/ring.h"

#define MAX_MACHINES 16
#define NR_RINGS     4096
#define RING_WORDS   (1u << 15)
#define IDLE_MS      10
#define STATUS_MS    250

struct options {
	const char *machine[MAX_MACHINES];
	unsigned nr_machines;
	struct sim_machine_config defaults;
	const char *json, *out;
	char **argv;
};

static const struct argp_option option_table[] = {
    {"machine", 'm', "NAME[,KEY=VALUE...]", 0,
     "A machine to simulate: 4k, thp, madvise, 2m, 1g; keys cpu, thp, ram, swap, swap-device, reclaim, khugepaged, "
     "defrag, "
     "fragmentation, hugepages, pcid, kpti, cpus, hz, kernel, page-cache, check. Repeatable; without it: 4k, thp, 2m "
     "and 1g",
     0},
    {"cpu", 'c', "NAME", 0, "TLB geometry of all machines (see quire cpus); zen3", 0},
    {"ram", 'r', "SIZE", 0, "physical memory of each machine, like 4G", 0},
    {"swap", 's', "SIZE", 0, "swap device of each machine, 0: none; twice the RAM, at least 1G", 0},
    {"swap-device", 'd', "NAME", 0, "how long swap takes: nvme, sata, hdd or zram; nvme", 0},
    {"cpus", 'n', "N", 0, "CPUs that the threads share on each machine; without it each thread has its own", 0},
    {"page-cache", 'p', "cold|warm", 0, "cold: files are read at the first touch, a major fault; warm", 0},
    {"check", 'k', "LEVEL", 0, "how much the simulator checks itself, 0 to 3; 0", 0},
    {"json", 'j', "FILE", 0, "write the report to FILE as JSON, too", 0},
    {"output", 'o', "FILE", 0, "write the report to FILE instead of standard error", 0},
    {0},
};

static void set_cpu(struct options *o, const char *name, struct argp_state *state)
{
	o->defaults.preset = cpu_preset_find(name);
	if (!o->defaults.preset)
		argp_error(state, "no such CPU: %s (quire cpus lists them)", name);
}

static void set_cpus(struct options *o, const char *text, struct argp_state *state)
{
	u64 n;

	if (sim_size_parse(text, &n) != 0 || n < 1 || n > SIM_MAX_CPUS)
		argp_error(state, "--cpus is a number from 1 to %d, not %s", SIM_MAX_CPUS, text);
	o->defaults.cpus = (u8)n;
}

static void set_page_cache(struct options *o, const char *text, struct argp_state *state)
{
	if (strcmp(text, "cold") != 0 && strcmp(text, "warm") != 0)
		argp_error(state, "--page-cache is cold or warm, not %s", text);
	o->defaults.pagecache_cold = text[0] == 'c';
}

/* The same words and bounds as the machine key's: parsed as one, on a machine of the largest RAM where it sets no RAM.
 */
static struct sim_machine_config parse_key(const char *key, const char *text, struct argp_state *state)
{
	struct sim_machine_config c;
	char machine[128], err[256];

	snprintf(machine, sizeof(machine), "4k,ram=16T,%s=%s", key, text);
	if (sim_machine_parse(machine, NULL, &c, err) != 0)
		argp_error(state, "--%s", err);
	return c;
}

static void set_swap(struct options *o, const char *text, struct argp_state *state)
{
	o->defaults.swap_bytes = parse_key("swap", text, state).swap_bytes;
	o->defaults.swap_given = true;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'm':
		if (o->nr_machines == MAX_MACHINES)
			argp_error(state, "at most %d machines", MAX_MACHINES);
		o->machine[o->nr_machines++] = arg;
		return 0;
	case 'c':
		set_cpu(o, arg, state);
		return 0;
	case 'r':
		o->defaults.ram_bytes = parse_key("ram", arg, state).ram_bytes;
		return 0;
	case 's':
		set_swap(o, arg, state);
		return 0;
	case 'd':
		o->defaults.swap_device = parse_key("swap-device", arg, state).swap_device;
		return 0;
	case 'n':
		set_cpus(o, arg, state);
		return 0;
	case 'p':
		set_page_cache(o, arg, state);
		return 0;
	case 'k':
		if (strlen(arg) != 1 || *arg < '0' || *arg > '3')
			argp_error(state, "--check is 0, 1, 2 or 3, not %s", arg);
		o->defaults.check = *arg - '0';
		return 0;
	case 'j':
		o->json = arg;
		return 0;
	case 'o':
		o->out = arg;
		return 0;
	case ARGP_KEY_ARGS:
		o->argv = state->argv + state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no program given");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp parser = {
    option_table,
    parse_option,
    "[--] PROGRAM [ARG...]",
    "Runs PROGRAM on simulated machines and reports what virtual memory cost it on each.\v"
    "Exit status: PROGRAM's own, 128+N when signal N ended it, 125 when Quire fails, 126 when PROGRAM cannot be run, "
    "127 when it is not found.",
    NULL,
    NULL,
    NULL,
};

/* ---- the machines ---- */

static struct sim *make_sim(const struct options *o)
{
	static const char *const standard[] = {"4k", "thp", "2m", "1g"};
	const char *const *names = o->nr_machines ? o->machine : standard;
	unsigned nr = o->nr_machines ? o->nr_machines : ARRAY_SIZE(standard);
	struct sim_machine_config cfg[MAX_MACHINES];
	struct sim *s;
	char err[256];

	for (unsigned i = 0; i < nr; i++) {
		if (sim_machine_parse(names[i], &o->defaults, &cfg[i], err) != 0) {
			fprintf(stderr, "quire: --machine %s: %s\n", names[i], err);
			return NULL;
		}
	}
	s = sim_create(cfg, nr);
	if (!s)
		fprintf(stderr, "quire: cannot make the machines: %s\n", strerror(errno));
	return s;
}

/* ---- the run ---- */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A line on a terminal, again and again in the same place. */
struct status_line {
	bool tty, shown;
	double begin, last;
	u64 last_accesses;
};

static void status_show(struct status_line *l, const struct sim *s)
{
	double now = seconds();
	u64 instructions, accesses;

	if (!l->tty || now - l->last < STATUS_MS / 1000.0)
		return;
	sim_progress(s, &instructions, &accesses);
	fprintf(stderr, "\r\033[Kquire: %.1f s, %.1f M instructions, %.1f M accesses/s", now - l->begin,
		(double)instructions / 1e6, (double)(accesses - l->last_accesses) / 1e6 / (now - l->last));
	l->shown = true;
	l->last = now;
	l->last_accesses = accesses;
}

static void status_erase(const struct status_line *l)
{
	if (l->shown)
		fputs("\r\033[K", stderr);
}

static bool rings_live(struct ring_hub *hub)
{
	for (unsigned i = 0; i < ring_count(hub); i++)
		if (ring_get(hub, i))
			return true;
	return false;
}

static int exit_status(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

/* Feeds the machines until the program and all that it left behind have ended. Returns the program's exit status. */
static int simulate(struct sim *s, struct ring_hub *hub, pid_t pid)
{
	struct status_line line = {.tty = isatty(STDERR_FILENO), .begin = seconds()};
	int wait_status = 0;
	bool ended = false;

	line.last = line.begin;
	for (;;) {
		size_t taken = sim_pump(s, hub);

		if (!ended && waitpid(pid, &wait_status, WNOHANG) == pid) {
			ended = true;
			launch_ended();
			continue;
		}
		if (ended && taken == 0 && (!rings_live(hub) || launch_interrupted()))
			break;
		if (taken == 0)
			ring_wait(hub, IDLE_MS);
		status_show(&line, s);
	}
	status_erase(&line);
	return exit_status(wait_status);
}

/* ---- the report ---- */

static int open_outputs(const struct options *o, FILE **text, FILE **json)
{
	*text = o->out ? fopen(o->out, "we") : stderr;
	*json = o->json ? fopen(o->json, "we") : NULL;
	if (*text && (*json || !o->json))
		return 0;
	fprintf(stderr, "quire: %s: %s\n", *text ? o->json : o->out, strerror(errno));
	return -1;
}

/* Returns 0, or -1 when it cannot be written. */
static int close_output(FILE *f, const char *name)
{
	bool bad = ferror(f);

	if ((f == stderr ? fflush(f) : fclose(f)) != 0 || bad) {
		fprintf(stderr, "quire: %s: cannot be written\n", name ? name : "standard error");
		return -1;
	}
	return 0;
}

static int write_reports(const struct options *o, FILE *text, FILE *json, const struct sim_result *r)
{
	int bad = 0;

	report_text(text, r);
	bad |= close_output(text, o->out);
	if (json) {
		bad |= report_json(json, r);
		bad |= close_output(json, o->json);
	}
	return bad;
}

static int run(const struct options *o, const struct launcher *l, const struct program *p, struct sim *s)
{
	struct sim_result result;
	FILE *text, *json;
	struct ring_hub *hub;
	int hub_fd, status;
	double begin = seconds();
	pid_t pid;

	if (open_outputs(o, &text, &json) != 0)
		return EXIT_QUIRE;
	hub = ring_hub_create(NR_RINGS, RING_WORDS, &hub_fd);
	if (!hub) {
		fprintf(stderr, "quire: cannot make the rings: %s\n", strerror(errno));
		return EXIT_QUIRE;
	}
	ring_hub_set_window(hub, sim_window(s));
	launch_signals();
	pid = launch_start(l, p, hub_fd);
	close(hub_fd);
	if (pid < 0) {
		fprintf(stderr, "quire: fork: %s\n", strerror(errno));
		return EXIT_QUIRE;
	}
	status = simulate(s, hub, pid);
	ring_hub_destroy(hub);
	sim_finish(s, &result);
	if (result.program.threads == 0) {
		fprintf(stderr, "quire: %s ended before the program began\n", l->qemu);
		return EXIT_QUIRE;
	}
	result.argv = o->argv;
	result.exit_status = status;
	result.elapsed_s = seconds() - begin;
	return write_reports(o, text, json, &result) == 0 ? status : EXIT_QUIRE;
}

int cmd_run(int argc, char **argv)
{
	struct options o = {0};
	struct launcher l;
	struct program p = {0};
	struct sim *s;
	char err[512];
	int status;

	o.defaults.preset = cpu_preset_find("zen3");
	o.defaults.pcid = true;
	argp_parse(&parser, argc, argv, ARGP_IN_ORDER, NULL, &o);
	status = program_find(o.argv, &p, err);
	if (status == 0)
		status = launch_find(&l, err);
	if (status != 0) {
		fprintf(stderr, "quire: %s\n", err);
		program_free(&p);
		return status;
	}
	s = make_sim(&o);
	status = s ? run(&o, &l, &p, s) : EXIT_QUIRE;
	if (s)
		sim_destroy(s);
	program_free(&p);
	return status;
}
