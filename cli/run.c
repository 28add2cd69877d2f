/* SPDX-License-Identifier: MIT
 *
 * cli/run.c - `quire run`: a program runs under QEMU, every access goes to the simulated machines, a report comes out.
 *
 * Exit status: the program's own, 128+signal when a signal ended it; 125 when Quire fails or a report is not where it
 * was to go, 126 when the program cannot be run, 127 when it is not found.
 *
 * The report comes when the program and all processes that it made inside the simulation have ended. One that stays
 * behind (a daemon) is waited for, too; Ctrl-C or SIGTERM then ends the waiting, and it runs on unwatched.
 *
 * Until then the terminal is the program's. Only who waits for something that was left behind is told so, once.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/launch.h"
#include "cli/native.h"
#include "report/report.h"
#include "sim/sim.h"
#include "trace/ring.h"

#define MAX_MACHINES 16
#define NR_RINGS     4096
#define RING_WORDS   (1u << 15)
#define IDLE_MS      10
#define WAITS_TOLD   100 /* about a second */

struct options {
	const char *machine[MAX_MACHINES];
	unsigned nr_machines;
	struct machine_config defaults;
	struct cost_changes costs;
	bool native;
	u64 time_ns; /* 0: not said */
	const char *json, *out;
	const char *front; /* NULL: the standard */
	char **argv;
};

/* Options that are keys of a machine have this and the key's index, unless they have a letter. */
#define FIRST_KEY 0x100
#define MAX_KEYS  64
/* Options without a letter that are no keys. */
enum { KEY_COSTS = FIRST_KEY + MAX_KEYS, KEY_NATIVE, KEY_TIME };

static const struct argp_option own_options[] = {
    {"machine", 'm', "NAME[,KEY=VALUE...]", 0,
     "A machine to simulate: 4k, thp, madvise, 2m, 1g, with any of the keys below. Repeatable; without it: 4k, thp, 2m "
     "and 1g",
     1},
    {"front", 'f', "engine|qemu", 0,
     "what runs PROGRAM and tells its accesses: the engine, on the CPU itself (programs without threads), or QEMU's "
     "user mode; qemu",
     1},
    {"costs", KEY_COSTS, "FILE", 0, "what events cost: lines NAME = LEAST MOST in place of rows of quire costs", 1},
    {"native", KEY_NATIVE, NULL, 0,
     "first run PROGRAM once without simulation, with all effects that it has: its CPU time makes shares of the costs",
     1},
    {"time", KEY_TIME, "SECONDS", 0, "the CPU time, user and system, that PROGRAM is known to take natively", 1},
    {"json", 'j', "FILE", 0, "write the report to FILE as JSON, too; -: to standard output", 1},
    {"output", 'o', "FILE", 0, "write the report to FILE instead of standard error; -: to standard output", 1},
    {0, 0, 0, 0, "Keys of a machine, KEY=VALUE; as an option, of all machines:", 2},
};

/* The table of options: ours, then a row a key. Valid until the process ends. */
static const struct argp_option *make_options(void)
{
	static struct argp_option table[ARRAY_SIZE(own_options) + MAX_KEYS + 1];
	static char text[MAX_KEYS][MACHINE_ERR + 256];
	struct argp_option *at = table + ARRAY_SIZE(own_options);
	char range[MACHINE_ERR];

	memcpy(table, own_options, sizeof(own_options));
	for (unsigned i = 0; machine_keys[i].name; i++) {
		const struct machine_key *k = &machine_keys[i];

		if (!(k->where & KEY_MACHINE))
			continue;
		machine_key_range(k, range, sizeof(range));
		snprintf(text[i], sizeof(text[i]), "%s (%s; standard: %s)", k->help, range, k->standard);
		*at++ = (struct argp_option){k->name, k->letter ? k->letter : FIRST_KEY + (int)i,
					     "VALUE", k->where & KEY_OPTION ? 0 : OPTION_DOC,
					     text[i], 2};
	}
	return table;
}

/* The key that an option stands for, or NULL. */
static const struct machine_key *key_of_option(int option)
{
	for (unsigned i = 0; machine_keys[i].name; i++)
		if (option == FIRST_KEY + (int)i || (option && option == machine_keys[i].letter))
			return &machine_keys[i];
	return NULL;
}

static void set_default(struct options *o, const struct machine_key *k, const char *value, struct argp_state *state)
{
	char err[MACHINE_ERR];

	if (machine_key_set(&o->defaults, KEY_OPTION, k->name, value, err) != 0)
		argp_error(state, "--%s", err);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	const struct machine_key *k = key_of_option(key);
	char err[COST_ERR];

	if (k) {
		set_default(o, k, arg, state);
		return 0;
	}
	switch (key) {
	case 'm':
		if (o->nr_machines == MAX_MACHINES)
			argp_error(state, "at most %d machines", MAX_MACHINES);
		o->machine[o->nr_machines++] = arg;
		return 0;
	case 'f':
		if (!front_of(arg))
			argp_error(state, "--front is engine or qemu, not %s", arg);
		o->front = arg;
		return 0;
	case KEY_COSTS:
		if (cost_changes_read(&o->costs, arg, err) != 0)
			argp_error(state, "--costs %s", err);
		o->defaults.costs = &o->costs;
		return 0;
	case KEY_NATIVE:
		o->native = true;
		return 0;
	case KEY_TIME:
		if (native_parse_seconds(arg, &o->time_ns) != 0)
			argp_error(state, "--time is seconds above 0, such as 1.25, not %s", arg);
		return 0;
	case 'j':
		o->json = arg;
		return 0;
	case 'o':
		o->out = arg;
		return 0;
	case ARGP_KEY_END:
		if (o->out && o->json && strcmp(o->out, "-") == 0 && strcmp(o->json, "-") == 0)
			argp_error(state, "--output and --json cannot both be standard output");
		if (o->native && o->time_ns)
			argp_error(state, "--native measures what --time says: one of them");
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

static struct argp parser = {
    NULL, /* make_options() */
    parse_option,
    "[--] PROGRAM [ARG...]",
    "Runs PROGRAM on simulated machines and reports what virtual memory cost it on each.\v"
    "What cannot be written to its FILE in the end goes to standard error.\n\n"
    "Exit status: PROGRAM's own, 128+N when signal N ended it, 125 when Quire fails or a FILE could not be written, "
    "126 "
    "when PROGRAM cannot be run, 127 when it is not found.",
    NULL,
    NULL,
    NULL,
};

/* ---- the machines ---- */

/* cfg[MAX_MACHINES]. Returns how many, or 0 after a message. */
static unsigned parse_machines(const struct options *o, struct machine_config *cfg)
{
	static const char *const standard[] = {"4k", "thp", "2m", "1g"};
	const char *const *names = o->nr_machines ? o->machine : standard;
	unsigned nr = o->nr_machines ? o->nr_machines : ARRAY_SIZE(standard);
	char err[MACHINE_ERR];

	for (unsigned i = 0; i < nr; i++) {
		if (machine_parse(names[i], &o->defaults, &cfg[i], err) != 0) {
			fprintf(stderr, "quire: --machine %s: %s\n", names[i], err);
			return 0;
		}
	}
	return nr;
}

static struct sim *make_sim(const struct machine_config *cfg, unsigned nr)
{
	struct sim_host host = sim_host_memory("");
	struct sim *s;
	char err[256];

	if (!sim_host_fits(cfg, nr, &host, err)) {
		fprintf(stderr, "quire: %s\n", err);
		return NULL;
	}
	s = sim_create(cfg, nr);
	if (!s)
		fprintf(stderr, "quire: cannot make the machines: %s\n", strerror(errno));
	return s;
}

/* ---- the run ---- */

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

/* Whoever sits at a terminal would else not know what is waited for. */
static void tell_of_waiting(void)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr,
			"quire: the program has ended; what it left behind runs on. Ctrl-C: do not wait for it\n");
}

/* Feeds the machines until the program and all that it left behind have ended. Returns how the program did, as wait()
 * tells it. */
static int simulate(struct sim *s, struct ring_hub *hub, pid_t pid)
{
	int wait_status = 0;
	unsigned waits = 0; /* since it ended */
	bool ended = false;

	for (;;) {
		size_t taken = sim_pump(s, hub);

		if (!ended && waitpid(pid, &wait_status, WNOHANG) == pid) {
			ended = true;
			launch_ended();
			continue;
		}
		if (ended && taken == 0 && (!rings_live(hub) || launch_interrupted()))
			break;
		if (ended && ++waits == WAITS_TOLD)
			tell_of_waiting();
		if (taken == 0)
			ring_wait(hub, IDLE_MS);
	}
	return wait_status;
}

/* ---- the reports ---- */

typedef int write_report(FILE *out, const struct sim_result *r);

/* name: NULL, standard error; "-", standard output. NULL: it cannot be opened, a line says so. */
static FILE *open_output(const char *name)
{
	FILE *f = !name ? stderr : strcmp(name, "-") == 0 ? stdout : fopen(name, "we");

	if (!f)
		fprintf(stderr, "quire: %s: %s\n", name, strerror(errno));
	return f;
}

/* Both are the same file, which can hold one report only. */
static bool same_file(FILE *a, FILE *b)
{
	struct stat sa, sb;

	return fstat(fileno(a), &sa) == 0 && fstat(fileno(b), &sb) == 0 && S_ISREG(sa.st_mode) &&
	       sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

static int write_text(FILE *out, const struct sim_result *r)
{
	report_text(out, r);
	return 0;
}

/* The file was removed while the program ran: what is written to it nobody will find. */
static bool was_removed(FILE *f, const char *name)
{
	struct stat st;

	return fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0 && stat(name, &st) != 0;
}

/* Closes f, unless it is a standard stream. Returns 0, or the errno of what was written and did not arrive; a file is
 * then empty: half a report is none. */
static int close_output(FILE *f, const char *name)
{
	int err = fflush(f) != 0 || ferror(f) ? errno : 0;

	if (err)
		__fpurge(f);
	if (f == stdout || f == stderr) {
		clearerr(f);
		return err;
	}
	if (!err && was_removed(f, name))
		err = ENOENT;
	if (err)
		(void)!ftruncate(fileno(f), 0);
	if (fclose(f) != 0 && !err)
		err = errno;
	return err;
}

/* A report that cannot go where it should goes to standard error, with the reason. Returns 0, or -1: it did so. */
static int deliver(write_report *write, FILE *to, const char *name, const struct sim_result *r)
{
	int err;

	errno = 0;
	write(to, r);
	err = close_output(to, name);
	if (!err)
		return 0;
	if (to == stderr)
		return -1; /* there is nobody to tell */
	fprintf(stderr, "quire: %s: %s. So it comes here:\n", to == stdout ? "standard output" : name, strerror(err));
	write(stderr, r);
	return -1;
}

static int write_reports(const struct options *o, FILE *text, FILE *json, const struct sim_result *r)
{
	int bad;

	signal(SIGPIPE, SIG_IGN); /* who reads a report may be gone: then it is not written, either */
	bad = deliver(write_text, text, o->out, r);
	if (json)
		bad |= deliver(report_json, json, o->json, r);
	return bad;
}

/* Areas that this Linux allows a process, 0: it does not say. */
static u64 max_map_count(void)
{
	FILE *f = fopen("/proc/sys/vm/max_map_count", "re");
	unsigned long long n = 0;

	if (f) {
		if (fscanf(f, "%llu", &n) != 1)
			n = 0;
		fclose(f);
	}
	return n;
}

/* Returns 0, or Quire's exit status after a message. */
static int find_time(const struct options *o, const struct program *p, struct sim_native *native)
{
	char err[512];
	int status;

	*native = (struct sim_native){.cpu_ns = o->time_ns, .thp_always = native_thp_always()};
	if (!o->native)
		return 0;
	status = native_run(p, native, err);
	if (status != 0)
		fprintf(stderr, "quire: %s\n", err);
	return status;
}

static int run(const struct options *o, const struct launcher *l, const struct program *p, struct sim *s)
{
	struct sim_result result;
	struct sim_native native;
	FILE *text, *json;
	struct ring_hub *hub;
	struct window_shape window[2];
	int hub_fd, wait_status;
	pid_t pid;

	text = open_output(o->out);
	json = o->json ? open_output(o->json) : NULL;
	if (!text || (o->json && !json))
		return EXIT_QUIRE;
	if (o->out && json && same_file(text, json)) {
		fprintf(stderr, "quire: --output and --json are the same file, %s\n", o->json);
		return EXIT_QUIRE;
	}
	launch_signals();
	wait_status = find_time(o, p, &native);
	if (wait_status != 0)
		return wait_status;
	hub = ring_hub_create(NR_RINGS, RING_WORDS, &hub_fd);
	if (!hub) {
		fprintf(stderr, "quire: cannot make the rings: %s\n", strerror(errno));
		return EXIT_QUIRE;
	}
	sim_window(s, window);
	ring_hub_set_window(hub, window);
	pid = launch_start(l, p, hub_fd);
	if (!l->front->hub_by_path)
		close(hub_fd);
	if (pid < 0) {
		fprintf(stderr, "quire: fork: %s\n", strerror(errno));
		return EXIT_QUIRE;
	}
	wait_status = simulate(s, hub, pid);
	ring_hub_destroy(hub);
	if (l->front->hub_by_path)
		close(hub_fd);
	sim_finish(s, &result);
	if (result.program.threads == 0) {
		fprintf(stderr, "quire: %s ended before the program began\n", l->runner);
		return EXIT_QUIRE;
	}
	result.argv = o->argv;
	result.native = native;
	result.program.max_map_count = max_map_count();
	result.exit_status = exit_status(wait_status);
	result.signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
	result.core_dumped = WIFSIGNALED(wait_status) && WCOREDUMP(wait_status);
	return write_reports(o, text, json, &result) == 0 ? result.exit_status : EXIT_QUIRE;
}

/* A standard stream that is closed is so for the program, too. Here nothing else must get its number. */
static void hold_closed_streams(void)
{
	int fd;

	do
		fd = open("/", O_PATH | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int cmd_run(int argc, char **argv)
{
	struct options o = {.front = getenv("QUIRE_FRONT")};
	struct launcher l = {0};
	struct program p = {0};
	struct sim *s;
	struct machine_config cfg[MAX_MACHINES];
	char err[512];
	unsigned nr;
	int status;

	hold_closed_streams();
	machine_config_default(&o.defaults);
	if (!front_of(o.front)) {
		fprintf(stderr, "quire: QUIRE_FRONT is engine or qemu, not %s\n", o.front);
		return EXIT_QUIRE;
	}
	parser.options = make_options();
	argp_parse(&parser, argc, argv, ARGP_IN_ORDER, NULL, &o);
	l.front = front_of(o.front);
	nr = parse_machines(&o, cfg);
	if (nr == 0)
		return EXIT_QUIRE;
	status = program_find(o.argv, &p, err);
	if (status == 0)
		status = launch_find(&l, err);
	if (status != 0) {
		fprintf(stderr, "quire: %s\n", err);
		program_free(&p);
		return status;
	}
	s = make_sim(cfg, nr);
	status = s ? run(&o, &l, &p, s) : EXIT_QUIRE;
	if (s)
		sim_destroy(s);
	program_free(&p);
	return status;
}
