/* SPDX-License-Identifier: MIT
 *
 * test/torture/main.c - usage: test-torture [--seed S] [--seeds N] [--steps N] [--seconds N] [--host] [--out FILE.vm]
 *
 * Runs seeds S, S+1, ...: N of them (TAP), or for so many seconds (a line of progress every ten). The same seed makes
 * the same calls. A failure prints seed:step, is made as short as it can be, and is written as a script.
 * Exit status: 0 all as it should be, 1 a failure, 77 the host cannot be compared with, 125 called wrongly.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "test/torture/torture.h"

static struct {
	u64 seed, seeds, steps, seconds;
	bool host;
	const char *out;
} options = {.seed = 1, .seeds = 20, .steps = 400, .out = "torture.vm"};

static u64 kills;         /* processes that OOM killers chose */
static char skipped[600]; /* why the last seed could not be run */

static struct trial *new_trial(u64 seed)
{
	struct trial *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (t == MAP_FAILED) {
		perror("torture");
		exit(125);
	}
	t->seed = seed;
	t->host = options.host;
	t->whole = true;
	generate_machine(t);
	return t;
}

/* A failure, told and written. */
static void tell(struct trial *t)
{
	FILE *out;

	printf("# %" PRIu64 ":%u %s\n# shrinking %u calls ...\n", t->seed, t->step, t->failure, t->nr);
	fflush(stdout);
	shrink(t);
	out = fopen(options.out, "w");
	if (!out) {
		perror(options.out);
		exit(125);
	}
	write_head(t, out);
	trial_run(t, 0, out);
	fclose(out);
	printf("# %u calls are left: %s\n# quire play %s%s\n", t->nr, t->failure, t->host ? "--verify-on-host " : "",
	       options.out);
}

/* Returns an exit status; *calls grows by what was done. */
static int run_seed(u64 seed, u64 *calls)
{
	struct trial *t = new_trial(seed);
	int status = 0;

	if (trial_run(t, (unsigned)options.steps, NULL)) {
		status = t->cannot ? 77 : 1;
		if (t->cannot)
			snprintf(skipped, sizeof(skipped), "%s", t->failure);
		else
			tell(t);
	}
	*calls += t->nr;
	kills += t->kills;
	munmap(t, sizeof(*t));
	return status;
}

static int run_seeds(void)
{
	u64 calls = 0;
	int worst = 0;

	for (u64 i = 0; i < options.seeds; i++) {
		int status = run_seed(options.seed + i, &calls);

		printf("%sok %" PRIu64 " - seed %" PRIu64 "%s%s\n", status == 1 ? "not " : "", i + 1, options.seed + i,
		       status == 77 ? " # SKIP " : "", status == 77 ? skipped : "");
		fflush(stdout);
		worst = status == 1 ? 1 : worst;
	}
	printf("# %" PRIu64 " calls, %" PRIu64 " processes killed for want of memory\n1..%" PRIu64 "\n", calls, kills,
	       options.seeds);
	if (!options.host && options.seeds >= 20 && !kills) {
		printf("Bail out! no machine ran out of memory: the generator is not what it was\n");
		return 1;
	}
	return worst;
}

static int run_seconds(void)
{
	time_t start = time(NULL), told = start;
	u64 calls = 0, seed = options.seed;

	while (time(NULL) - start < (time_t)options.seconds) {
		int status = run_seed(seed++, &calls);

		if (status == 77)
			printf("%s\n", skipped);
		if (status)
			return status;
		if (time(NULL) - told < 10)
			continue;
		told = time(NULL);
		printf("%ld s: %" PRIu64 " seeds, %" PRIu64 " calls\n", (long)(told - start), seed - options.seed,
		       calls);
		fflush(stdout);
	}
	printf("%" PRIu64 " seeds from %" PRIu64 " on, %" PRIu64 " calls: as they should be\n", seed - options.seed,
	       options.seed, calls);
	return 0;
}

static u64 number(const char *text)
{
	char *end;
	u64 n = strtoull(text, &end, 0);

	if (!*text || *end) {
		fprintf(stderr, "torture: '%s' is no number\n", text);
		exit(125);
	}
	return n;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
	    {"seed", 1, NULL, 's'}, {"seeds", 1, NULL, 'n'}, {"steps", 1, NULL, 'c'}, {"seconds", 1, NULL, 't'},
	    {"host", 0, NULL, 'h'}, {"out", 1, NULL, 'o'},   {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 's':
			options.seed = number(optarg);
			break;
		case 'n':
			options.seeds = number(optarg);
			break;
		case 'c':
			options.steps = number(optarg);
			break;
		case 't':
			options.seconds = number(optarg);
			break;
		case 'h':
			options.host = true;
			break;
		case 'o':
			options.out = optarg;
			break;
		default:
			return 125;
		}
	}
	if (optind < argc || !options.steps || options.steps >= TORTURE_STEPS) {
		fprintf(stderr, "torture: up to %d steps, and no argument\n", TORTURE_STEPS - 1);
		return 125;
	}
	return options.seconds ? run_seconds() : run_seeds();
}
