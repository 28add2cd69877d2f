/* SPDX-License-Identifier: MIT
 *
 * cli/run.c - `quire run`: a program runs under QEMU, every access goes to the simulated machines, a report comes out.
 *
 * Exit status: the program's own, 128+signal when a signal ended it, 0 when --for did; 125 when Quire fails or a report is not where it
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
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/launch.h"
#include "cli/native.h"
#include "cli/output.h"
#include "report/page.h"
#include "report/report.h"
#include "sim/sim.h"
#include "trace/ring.h"

#define NR_RINGS     16384 /* threads at once */
#define RING_WORDS   (1u << 15)
#define IDLE_MS      10
#define WAITS_TOLD   100 /* about a second */
#define MAX_PATTERNS 64
#define MAX_SECONDS  100000000
#define GRACE_S      5 /* from SIGTERM to SIGKILL, at the end of --for */

struct options {
	const char *machine[SIM_MAX_MACHINES];
	unsigned nr_machines;
	struct machine_config defaults;
	struct cost_changes costs;
	bool native;
	u64 time_ns;            /* 0: not said */
	const char *to[OUT_NR]; /* of struct outputs */
	const char *only[MAX_PATTERNS], *except[MAX_PATTERNS];
	unsigned nr_only, nr_except;
	bool processes;
	double after_s, for_s; /* 0: not given */
	const char *front;     /* NULL: the standard */
	char **argv;
};

/* Options that are keys of a machine have this and the key's index, unless they have a letter. */
#define FIRST_KEY 0x100
#define MAX_KEYS  64
/* Options without a letter that are no keys. */
enum {
	KEY_COSTS = FIRST_KEY + MAX_KEYS,
	KEY_NATIVE,
	KEY_TIME,
	KEY_ONLY,
	KEY_NOT,
	KEY_PROCESSES,
	KEY_AFTER,
	KEY_FOR,
	KEY_HTML
};

static const struct argp_option own_options[] = {
    {"machine", 'm', "NAME[,KEY=VALUE...]", 0,
     "A machine to simulate: 4k, thp, madvise, 2m, 1g, with any of the keys below. Repeatable; without it: 4k, thp, 2m "
     "and 1g, and for the advice one that is not shown: 4k with malloc-thp=on, and one each with kpti=off, pcid=on or "
     "more RAM where an option says otherwise; each takes at most a quarter more of the simulation's time",
     1},
    {"front", 'f', "engine|qemu", 0,
     "what runs PROGRAM and tells its accesses: the engine, on the CPU itself, or QEMU's user mode; engine", 1},
    {"costs", KEY_COSTS, "FILE", 0, "what events cost: lines NAME = LEAST MOST in place of rows of quire costs", 1},
    {"native", KEY_NATIVE, NULL, 0,
     "first run PROGRAM once without simulation, with all effects that it has: its CPU time makes shares of the costs",
     1},
    {"time", KEY_TIME, "SECONDS", 0, "the CPU time, user and system, that PROGRAM is known to take natively", 1},
    {"json", 'j', "FILE", 0, "write the report to FILE as JSON, too; -: to standard output", 1},
    {"html", KEY_HTML, "FILE", 0,
     "write the report to FILE as a page for a browser, too, with charts, that needs nothing else; -: to standard "
     "output",
     1},
    {"output", 'o', "FILE", 0, "write the report to FILE instead of standard error; -: to standard output", 1},
    {"only", KEY_ONLY, "NAME", 0,
     "count this program alone, by its name or a pattern of the shell's; with a slash: of its path. Repeatable. The "
     "others run on the machines beside it",
     1},
    {"not", KEY_NOT, "NAME", 0, "do not count this program. Repeatable", 1},
    {"processes", KEY_PROCESSES, 0, 0, "a row a process in the report", 1},
    {"after", KEY_AFTER, "SECONDS", 0,
     "count from then on, on machines that are warm: a server's steady state. SIGUSR1 gives a report of now", 1},
    {"for", KEY_FOR, "SECONDS", 0, "count for so long; then the program is ended, and the exit status is 0", 1},
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

static void add_pattern(const char **list, unsigned *nr, const char *pattern, struct argp_state *state)
{
	if (*nr == MAX_PATTERNS)
		argp_error(state, "at most %d names of programs", MAX_PATTERNS);
	if (!pattern[0])
		argp_error(state, "a program's name is empty");
	list[(*nr)++] = pattern;
}

static double parse_seconds(const char *option, const char *text, struct argp_state *state)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds > 0) || seconds > MAX_SECONDS)
		argp_error(state, "--%s takes seconds, more than 0 and at most %d, not %s", option, MAX_SECONDS, text);
	return seconds;
}

static unsigned on_standard_output(const struct options *o)
{
	unsigned n = 0;

	for (unsigned i = 0; i < OUT_NR; i++)
		n += o->to[i] && strcmp(o->to[i], "-") == 0;
	return n;
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
		if (o->nr_machines == SIM_MAX_MACHINES)
			argp_error(state, "at most %d machines", SIM_MAX_MACHINES);
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
		o->to[OUT_JSON] = arg;
		return 0;
	case 'o':
		o->to[OUT_TEXT] = arg;
		return 0;
	case KEY_HTML:
		o->to[OUT_HTML] = arg;
		return 0;
	case KEY_ONLY:
		add_pattern(o->only, &o->nr_only, arg, state);
		return 0;
	case KEY_NOT:
		add_pattern(o->except, &o->nr_except, arg, state);
		return 0;
	case KEY_PROCESSES:
		o->processes = true;
		return 0;
	case KEY_AFTER:
		o->after_s = parse_seconds("after", arg, state);
		return 0;
	case KEY_FOR:
		o->for_s = parse_seconds("for", arg, state);
		return 0;
	case ARGP_KEY_END:
		if (on_standard_output(o) > 1)
			argp_error(state, "of --output, --json and --html only one can be standard output");
		if (o->native && o->time_ns)
			argp_error(state, "--native measures what --time says: one of them");
		if ((o->native || o->time_ns) && (o->nr_only || o->nr_except || o->after_s > 0 || o->for_s > 0))
			argp_error(state,
				   "--native and --time are of all that the program does: not with --only, --not, "
				   "--after or --for");
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
    "Exit status: PROGRAM's own, 128+N when signal N ended it, 0 when --for did, 125 when Quire fails or a FILE could "
    "not be written, "
    "126 "
    "when PROGRAM cannot be run, 127 when it is not found.",
    NULL,
    NULL,
    NULL,
};

/* ---- the machines ---- */

/* cfg[SIM_MAX_MACHINES + CURE_NR]. Beside the standard machines run those that show what remedies do. Returns how many, or
 * 0 after a message. */
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
	return o->nr_machines ? nr : nr + machine_cures(&cfg[0], &cfg[nr]);
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

/* A run as it is watched. Times in seconds since it began. */
struct watch {
	const struct options *o;
	struct sim *s;
	struct ring_hub *hub;
	pid_t pid;
	struct outputs out;
	struct machine_host host;
	struct sim_native native;
	struct sim_result result; /* taken when --for was over */
	double began, stopped;    /* stopped: when the program was told to end; 0: it was not */
	bool counts, killed;      /* counts: --after is over */
	bool has_result, ended;
	int wait_status;
};

static double clock_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
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

/* Whoever sits at a terminal would else not know what is waited for. */
static void tell_of_waiting(const struct watch *w)
{
	unsigned n = sim_processes(w->s);

	if (isatty(STDERR_FILENO))
		fprintf(stderr,
			"quire: the program has ended; what it left behind runs on, %u process%s. Ctrl-C: do not wait "
			"for it\n",
			n, n == 1 ? "" : "es");
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

	*native = (struct sim_native){.cpu_ns = o->time_ns};
	if (!o->native)
		return 0;
	status = native_run(p, native, err);
	if (status != 0)
		fprintf(stderr, "quire: %s\n", err);
	return status;
}

/* What is known now; once --for is over, what was known then. */
static void take_result(struct watch *w)
{
	struct sim_result *r = &w->result;

	if (!w->has_result)
		sim_finish(w->s, r);
	r->argv = w->o->argv;
	r->show_processes = w->o->processes;
	r->host = w->host;
	r->native = w->ended ? w->native : (struct sim_native){0};
	r->program.max_map_count = max_map_count();
	r->running = !w->ended;
	r->measured.after_s = w->o->after_s;
	r->measured.for_s = w->o->for_s;
	r->measured.counts = w->counts;
	r->measured.stopped = w->stopped != 0;
	if (!w->ended)
		return;
	r->exit_status = w->stopped ? 0 : exit_status(w->wait_status);
	r->signal = !w->stopped && WIFSIGNALED(w->wait_status) ? WTERMSIG(w->wait_status) : 0;
	r->core_dumped = !w->stopped && WIFSIGNALED(w->wait_status) && WCOREDUMP(w->wait_status);
}

/* --after, --for, and reports that are asked for in between. */
static void look_at_clock(struct watch *w)
{
	double now = clock_seconds() - w->began;

	if (!w->counts && now >= w->o->after_s) {
		sim_restart(w->s);
		w->counts = true;
	}
	if (w->counts && w->o->for_s > 0 && !w->stopped && now >= w->o->after_s + w->o->for_s) {
		take_result(w);
		w->has_result = true;
		w->stopped = now;
		launch_stop(w->hub, SIGTERM);
	}
	if (w->stopped && !w->killed && now >= w->stopped + GRACE_S) {
		launch_stop(w->hub, SIGKILL);
		w->killed = true;
	}
	if (launch_report_wanted()) {
		take_result(w);
		outputs_write(&w->out, &w->result, false);
	}
}

/* Feeds the machines until the program and all that it left behind have ended. */
static void simulate(struct watch *w)
{
	unsigned waits = 0; /* since it ended */

	for (;;) {
		size_t taken = sim_pump(w->s, w->hub);

		look_at_clock(w);
		if (!w->ended && waitpid(w->pid, &w->wait_status, WNOHANG) == w->pid) {
			w->ended = true;
			launch_ended();
			continue;
		}
		if (w->ended && taken == 0 && (!rings_live(w->hub) || launch_interrupted()))
			break;
		if (w->ended && ++waits == WAITS_TOLD)
			tell_of_waiting(w);
		if (taken == 0)
			ring_wait(w->hub, IDLE_MS);
	}
}

static int run(const struct options *o, const struct launcher *l, const struct program *p, struct sim *s)
{
	struct watch w = {.o = o, .s = s, .host = machine_host_read(""), .counts = o->after_s == 0};
	struct window_shape window[2];
	int hub_fd, status;

	memcpy(w.out.name, o->to, sizeof(o->to));
	if (outputs_open(&w.out) != 0)
		return EXIT_QUIRE;
	launch_signals();
	status = find_time(o, p, &w.native);
	if (status != 0)
		return status;
	w.hub = ring_hub_create(NR_RINGS, RING_WORDS, &hub_fd);
	if (!w.hub) {
		fprintf(stderr, "quire: cannot make the rings: %s\n", strerror(errno));
		return EXIT_QUIRE;
	}
	sim_select(s, o->only, o->nr_only, o->except, o->nr_except);
	sim_window(s, window);
	ring_hub_set_window(w.hub, window);
	w.began = clock_seconds();
	w.pid = launch_start(l, p, hub_fd);
	if (!l->front->hub_by_path)
		close(hub_fd);
	if (w.pid < 0) {
		fprintf(stderr, "quire: fork: %s\n", strerror(errno));
		return EXIT_QUIRE;
	}
	simulate(&w);
	ring_hub_destroy(w.hub);
	if (l->front->hub_by_path)
		close(hub_fd);
	take_result(&w);
	if (sim_began(s))
		return outputs_write(&w.out, &w.result, true) == 0 ? w.result.exit_status : EXIT_QUIRE;
	fprintf(stderr, "quire: %s ended before the program began\n", l->runner);
	return EXIT_QUIRE;
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
	struct machine_config cfg[SIM_MAX_MACHINES + CURE_NR];
	char err[512];
	unsigned nr;
	int status;

	hold_closed_streams();
	machine_config_default(&o.defaults);
	if (machine_host_cpu() != NULL)
		o.defaults.preset = machine_host_cpu();
	if (!front_of(o.front)) {
		fprintf(stderr, "quire: QUIRE_FRONT is engine or qemu, not %s\n", o.front);
		return EXIT_QUIRE;
	}
	parser.options = make_options();
	argp_parse(&parser, argc, argv, ARGP_IN_ORDER, NULL, &o);
	l.front = front_of(o.front);
	if (o.to[OUT_HTML] && !page_there()) {
		fprintf(stderr, "quire: --html is off: this quire was built without node and the page's packages; "
				"tools/setup.sh --html, then ninja, make one that has it\n");
		return EXIT_QUIRE;
	}
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
	launch_limits();
	s = make_sim(cfg, nr);
	status = s ? run(&o, &l, &p, s) : EXIT_QUIRE;
	if (s)
		sim_destroy(s);
	program_free(&p);
	return status;
}
