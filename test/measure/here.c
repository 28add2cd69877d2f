/* SPDX-License-Identifier: MIT
 *
 * test/measure/here.c - `quire measure` on the machine that runs this: relations that hold on every one, files that are
 * well formed, and what it says where it is not given what it asks for. No value is expected: machines differ.
 *
 * usage: here PATH-OF-QUIRE docs/measure.md
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pty.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/types.h"

static const char *quire, *docs;
static char folder[] = "/tmp/quire-measure-XXXXXX";

/* ---- running it ---- */

struct run {
	int status; /* as a shell has it */
	double seconds;
	char *out, *err;
	json_t *json; /* of --json FILE; NULL: none was asked for, or there is none */
};

static char *path(const char *name)
{
	static char buffer[16][128];
	static unsigned next;
	char *p = buffer[next++ % ARRAY_SIZE(buffer)];

	snprintf(p, sizeof(buffer[0]), "%s/%s", folder, name);
	return p;
}

static char *contents(const char *file)
{
	FILE *f = fopen(file, "re");
	char *text = NULL;
	size_t size = 0;

	assert_non_null(f);
	if (getdelim(&text, &size, '\0', f) < 0) {
		free(text);
		text = strdup("");
	}
	fclose(f);
	return text;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* `limit` is called in the child first; it returns false when this host does not let it: the run's status is 77. */
static struct run run(bool (*limit)(void), const char *const *args)
{
	const char *argv[16] = {quire, "measure"};
	struct run r = {.seconds = now()};
	int status = 0;
	pid_t child;

	for (unsigned i = 0; args[i]; i++)
		argv[2 + i] = args[i];
	child = fork();
	if (child == 0) {
		dup2(open(path("out"), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
		dup2(open(path("err"), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
		if (limit && !limit())
			_exit(77);
		execv(quire, (char **)argv);
		_exit(127);
	}
	assert_true(child > 0 && waitpid(child, &status, 0) == child);
	r.seconds = now() - r.seconds;
	r.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	r.out = contents(path("out"));
	r.err = contents(path("err"));
	for (unsigned i = 0; args[i]; i++)
		if (strcmp(args[i], "--json") == 0 && r.status == 0)
			r.json = json_load_file(args[i + 1], 0, NULL);
	return r;
}

static void run_free(struct run *r)
{
	free(r->out);
	free(r->err);
	json_decref(r->json);
}

/* A run of a second with JSON, under a limit. False: this host does not let the limit be set; then skipped, said. */
static bool limited(struct run *r, const char *what, bool (*limit)(void))
{
	const char *const args[] = {"--seconds", "1", "--json", path("json"), NULL};

	*r = run(limit, args);
	if (r->status == 77) {
		print_message("skipped: %s cannot be had here\n", what);
		run_free(r);
		return false;
	}
	if (r->status != 0 || r->json == NULL)
		fail_msg("%s: status %d, %s%s", what, r->status, r->err, r->out);
	return true;
}

/* ---- reading it ---- */

/* Negative: it is missing, and says why. */
static double least(const struct run *r, const char *name)
{
	json_t *f = json_object_get(json_object_get(r->json, "figures"), name);
	const char *missing = json_string_value(json_object_get(f, "missing"));

	if (f == NULL)
		fail_msg("no figure %s", name);
	if (missing == NULL)
		return json_number_value(json_object_get(f, "least"));
	if (missing[0] == '\0')
		fail_msg("%s is missing without a reason", name);
	return -1;
}

static const char *missing(const struct run *r, const char *name)
{
	const char *why =
	    json_string_value(json_object_get(json_object_get(json_object_get(r->json, "figures"), name), "missing"));

	return why ? why : "";
}

static json_t *points(const struct run *r, const char *chase)
{
	return json_object_get(json_object_get(json_object_get(r->json, "chases"), chase), "points");
}

static double point_least(json_t *list, size_t i)
{
	return json_number_value(json_object_get(json_array_get(list, i), "least"));
}

/* Lines of --save: NAME = LEAST MOST # ..., and the names are of one word each. */
static void save_is_well_formed(const char *file)
{
	char *text = contents(file), *rest = text, *line, name[32];
	u64 low, high;
	unsigned rows = 0;
	int n;

	while ((line = strsep(&rest, "\n")) != NULL) {
		if (line[0] == '#' || line[0] == '\0')
			continue;
		n = 0;
		if (sscanf(line, "%31[a-z0-9-] = %lu %lu  # %n", name, &low, &high, &n) != 3 || n == 0 || low > high)
			fail_msg("--save: '%s'", line);
		rows++;
	}
	assert_true(rows > 5);
	free(text);
}

/* The cost model takes it: `quire costs` has the file as the source of every row in it. */
static void save_is_read(const char *file)
{
	char command[256], *text, *saved = contents(file), *rest = saved, *line;
	unsigned rows = 0, sources = 0;

	snprintf(command, sizeof(command), "%s costs --costs %s > %s/out 2>&1", quire, file, folder);
	if (system(command) != 0)
		fail_msg("%s: %s", command, contents(path("out")));
	text = contents(path("out"));
	while ((line = strsep(&rest, "\n")) != NULL)
		rows += line[0] != '#' && line[0] != '\0';
	for (const char *at = text; (at = strstr(at, file)) != NULL; at++)
		sources++;
	if (sources != rows)
		fail_msg("%u rows were saved, %u are the file's in: %s", rows, sources, text);
	free(text);
	free(saved);
}

static void lines_fit(const char *text)
{
	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + (line[strcspn(line, "\n")] != '\0'))
		if (strcspn(line, "\n") > 79)
			fail_msg("%zu columns: %.*s", strcspn(line, "\n"), (int)strcspn(line, "\n"), line);
}

/* ---- tests ---- */

/* One run for many cases. */
static struct run whole;

static int measure(void **state)
{
	const char *const args[] = {"--seconds",      "5",      "--json",       path("json"), "--save",
				    path("my.costs"), "--plot", path("my.svg"), NULL};

	whole = run(NULL, args);
	return 0;
}

static void files_are_well_formed(void **state)
{
	char *svg;

	if (whole.status != 0 || whole.json == NULL)
		fail_msg("status %d, %s%s", whole.status, whole.err, whole.out);
	assert_string_equal(whole.err, ""); /* no progress where no terminal is */
	if (whole.seconds > 15)
		fail_msg("--seconds 5 took %.1f s", whole.seconds);
	lines_fit(whole.out);
	assert_non_null(strstr(whole.out, "What it means"));
	save_is_well_formed(path("my.costs"));
	save_is_read(path("my.costs"));
	svg = contents(path("my.svg"));
	assert_true(strncmp(svg, "<svg ", 5) == 0 && strcmp(svg + strlen(svg) - 7, "</svg>\n") == 0);
	free(svg);
}

/* Every key below o is in the document, in backquotes. */
static void keys_are_documented(const char *text, json_t *o)
{
	const char *key;
	char quoted[80];
	json_t *value;
	size_t i;

	json_array_foreach(o, i, value) keys_are_documented(text, value);
	json_object_foreach(o, key, value)
	{
		snprintf(quoted, sizeof(quoted), "`%s`", key);
		if (strstr(text, quoted) == NULL && strncmp(key, "fork.", 5) != 0) /* `fork.1m` .. `fork.1g` */
			fail_msg("%s: no %s", docs, quoted);
		keys_are_documented(text, value);
	}
}

static void json_is_documented(void **state)
{
	char *text = contents(docs);

	assert_non_null(whole.json);
	assert_int_equal(json_object_size(whole.json), 10);
	keys_are_documented(text, whole.json);
	free(text);
}

/* A fault is an exception and work; a system call that does nothing is not more than that. More pages are more work. */
static struct relation {
	const char *name, *less, *more;
	double factor; /* more costs more than so many times less */
} relations[] = {
    {"a system call < a fault", "syscall", "fault.anon.write", 1.2},
    {"a system call < a copy-on-write", "syscall", "fault.cow.copy", 1.2},
    {"a system call < mmap", "syscall", "mmap", 1.2},
    {"clearing 4K < a fault that clears 4K", "clear.4k", "fault.anon.write", 1},
    {"clearing 4K < clearing 2M", "clear.4k", "clear.2m", 50},
    {"a 4K fault < a 2M fault", "fault.anon.write", "fault.thp.write", 2},
    {"a page kept < a page copied", "fault.cow.reuse", "fault.cow.copy", 1},
    {"munmap of 4K < of 2M", "munmap.4k", "munmap.2m", 2},
    {"munmap of 2M < of 64M", "munmap.2m", "munmap.64m", 4},
    {"mprotect of 2M < of 64M", "mprotect.2m", "mprotect.64m", 4},
    {"munmap of a 2M page < of 512 pages", "munmap.thp", "munmap.2m", 1},
    {"fork of 1M < of 64M", "fork.1m", "fork.64m", 1},
    {"fork of 64M in 2M pages < in 4K pages", "fork.thp.64m", "fork.64m", 1},
    {"exit of 1M < of 64M", "exit.1m", "exit.64m", 2},
    {"an entry of 4K < of 2M for fork", "fork.page", "fork.thp.page", 1},
};

static void holds(void **state)
{
	const struct relation *rel = *state;
	double less = least(&whole, rel->less), more = least(&whole, rel->more);

	if (less < 0 || more < 0)
		skip();
	if (less * rel->factor >= more)
		fail_msg("%s: %.0f cycles; %s: %.0f, less than %.1f times that", rel->less, less, rel->more, more,
			 rel->factor);
}

static void loads_cost_more_far_apart(void **state)
{
	json_t *list = points(&whole, "4k");
	size_t n = json_array_size(list);
	double first, last;

	if (n < 3)
		skip();
	first = point_least(list, 0);
	last = point_least(list, n - 1);
	if (first < 0.9 ||
	    first > 40) /* a load takes a cycle at least; one from the L1 cache no more than an emulator's */
		fail_msg("a load in 64K takes %.1f cycles", first);
	if (json_integer_value(json_object_get(json_array_get(list, n - 1), "bytes")) >= 64 << 20 && last < 2 * first)
		fail_msg("a load in 64K takes %.1f cycles, one in the largest chase %.1f", first, last);
	for (size_t i = 0; i < n; i++)
		if (json_integer_value(json_object_get(json_array_get(list, i), "bytes")) !=
		    4096 * json_integer_value(json_object_get(json_array_get(list, i), "pages")))
			fail_msg("point %zu: bytes are not 4K a page", i);
}

/* On a terminal: a line of progress, that is gone when the table comes. */
static void progress_on_a_terminal(void **state)
{
	static char shown[1 << 17];
	size_t n = 0;
	ssize_t got;
	int master, status;
	pid_t child = forkpty(&master, NULL, NULL, NULL);
	const char *table;

	if (child < 0)
		skip();
	if (child == 0) {
		execl(quire, quire, "measure", "--seconds", "1", (char *)NULL);
		_exit(127);
	}
	while (n < sizeof(shown) - 1 && (got = read(master, shown + n, sizeof(shown) - 1 - n)) > 0)
		n += (size_t)got;
	close(master);
	assert_true(waitpid(child, &status, 0) == child && status == 0);
	assert_non_null(strstr(shown, "%  system calls"));
	table = strstr(shown, "quire measure: ");
	assert_true(table != NULL && table - shown > 4 && memcmp(table - 4, "\r\033[K", 4) == 0);
	assert_null(strstr(table, "\033[K"));
}

static bool one_cpu(void)
{
	cpu_set_t set;
	unsigned cpu = 0;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return false;
	while (!CPU_ISSET(cpu, &set))
		cpu++;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0;
}

static void on_one_cpu(void **state)
{
	struct run r;

	if (!limited(&r, "a single CPU", one_cpu))
		skip();
	assert_non_null(strstr(missing(&r, "shootdown.munmap"), "two CPUs"));
	assert_true(least(&r, "syscall") > 0 && least(&r, "fault.anon.write") != 0);
	run_free(&r);
}

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true /* the address sanitizer's shadow takes terabytes of addresses */
#else
#define SANITIZED false
#endif

static bool little_memory(void)
{
	return !SANITIZED && setrlimit(RLIMIT_AS, &(struct rlimit){64 << 20, 64 << 20}) == 0;
}

/* Room for the program and a few MiB more. */
static void with_little_memory(void **state)
{
	struct run r;

	if (!limited(&r, "RLIMIT_AS", little_memory))
		skip();
	assert_true(least(&r, "syscall") > 0);
	assert_true(least(&r, "fork.1g") < 0 && strstr(missing(&r, "fork.1g"), "mmap") != NULL);
	if (json_array_size(points(&r, "4k")) == 0) /* other work has the CPUs: then it says so */
		assert_true(json_is_string(
		    json_object_get(json_object_get(json_object_get(r.json, "chases"), "4k"), "missing")));
	lines_fit(r.out);
	run_free(&r);
}

static bool no_thp(void)
{
	return prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0;
}

static void without_huge_pages(void **state)
{
	struct run r;

	if (!limited(&r, "PR_SET_THP_DISABLE", no_thp))
		skip();
	assert_non_null(strstr(missing(&r, "fault.thp.write"), "PR_SET_THP_DISABLE"));
	assert_true(least(&r, "fork.thp.64m") < 0);
	assert_true(least(&r, "fault.anon.write") > 0);
	assert_int_equal(json_array_size(points(&r, "thp")), 0);
	run_free(&r);
}

/* What a container's filter may refuse. */
static bool filtered(void)
{
	static struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0 /* the call's number */),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_perf_event_open, 4, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 3, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_setaffinity, 2, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fork, 1, 0),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	static const struct sock_fprog program = {ARRAY_SIZE(code), code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void in_a_container(void **state)
{
	static const char *const refused[] = {"fault.file",     "fault.cow.copy", "fork.1m", "fork.page",
					      "switch.process", "exit.1m",        NULL};
	struct run r;

	if (!limited(&r, "a seccomp filter", filtered))
		skip();
	for (unsigned i = 0; refused[i]; i++)
		if (strstr(missing(&r, refused[i]), strerror(EPERM)) == NULL)
			fail_msg("%s: '%s'", refused[i], missing(&r, refused[i]));
	assert_non_null(strstr(r.out, "No hardware counters: not allowed here"));
	assert_true(least(&r, "fault.anon.write") > 0);
	run_free(&r);
}

static bool no_proc(void)
{
	/* (the sanitizer looks for leaks by /proc) */
	return !SANITIZED && unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", "/proc", "tmpfs", 0, NULL) == 0 && mount("none", "/sys", "tmpfs", 0, NULL) == 0;
}

static void without_proc(void **state)
{
	struct run r;

	if (!limited(&r, "a mount namespace without /proc", no_proc))
		skip();
	assert_true(json_is_null(json_object_get(json_object_get(r.json, "host"), "cpu")));
	assert_true(least(&r, "fault.anon.write") > 0);
	lines_fit(r.out);
	run_free(&r);
}

static void mistakes(void **state)
{
	static const char *const bad[][6] = {
	    {"--seconds", "0"},
	    {"--seconds", "x"},
	    {"--seconds", "1e9"},
	    {"--seconds", "nan"},
	    {"--json", "/nonexistent/a"},
	    {"--save", "/nonexistent/a"},
	    {"--plot", "/nonexistent/a"},
	    {"something"},
	    {"--json", "-", "--save", "-"},
	    {"--nothing"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct run r = run(NULL, bad[i]);
		unsigned lines = 0;

		for (const char *c = r.err; *c; c++)
			lines += *c == '\n';
		/* argp adds a line about --help to what it refuses itself */
		if (r.status != 125 || r.out[0] != '\0' || lines < 1 || lines > 2 || r.seconds > 5)
			fail_msg("%s %s: status %d: %s", bad[i][0], bad[i][1] ? bad[i][1] : "", r.status, r.err);
		run_free(&r);
	}
}

/* A disk that is full: what was asked for was not done, and that is said. */
static void full_disk(void **state)
{
	const char *const args[] = {"--seconds", "1", "--json", "/dev/full", NULL};
	struct run r = run(NULL, args);

	assert_int_equal(r.status, 125);
	assert_non_null(strstr(r.err, strerror(ENOSPC)));
	run_free(&r);
}

static int clean_up(void **state)
{
	static const char *const files[] = {"out", "err", "json", "my.costs", "my.svg"};

	for (unsigned i = 0; i < ARRAY_SIZE(files); i++)
		unlink(path(files[i]));
	run_free(&whole);
	return rmdir(folder);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest others[] = {
	    cmocka_unit_test(files_are_well_formed),
	    cmocka_unit_test(json_is_documented),
	    cmocka_unit_test(loads_cost_more_far_apart),
	    cmocka_unit_test(on_one_cpu),
	    cmocka_unit_test(with_little_memory),
	    cmocka_unit_test(without_huge_pages),
	    cmocka_unit_test(in_a_container),
	    cmocka_unit_test(without_proc),
	    cmocka_unit_test(mistakes),
	    cmocka_unit_test(full_disk),
	    cmocka_unit_test(progress_on_a_terminal),
	};
	struct CMUnitTest tests[ARRAY_SIZE(others) + ARRAY_SIZE(relations)];

	if (argc != 3 || mkdtemp(folder) == NULL) {
		fprintf(stderr, "usage: here PATH-OF-QUIRE docs/measure.md\n");
		return 2;
	}
	quire = argv[1];
	docs = argv[2];
	memcpy(tests, others, sizeof(others));
	for (unsigned i = 0; i < ARRAY_SIZE(relations); i++)
		tests[ARRAY_SIZE(others) + i] =
		    (struct CMUnitTest){relations[i].name, holds, NULL, NULL, &relations[i]};
	return cmocka_run_group_tests(tests, measure, clean_up);
}
