/* SPDX-License-Identifier: MIT
 *
 * cli/play.c - `quire play FILE...`: runs scripts (docs/scripts.md) on a simulated computer, explains them, compares
 * them with the Linux that runs here.
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "play/probe.h"
#include "play/record.h"
#include "play/run.h"
#include "report/page.h"
#include "sim/xalloc.h"

enum {
	EXIT_FAILED = 1,
	EXIT_MALFORMED = 2,
	EXIT_SKIPPED = 77, /* what test harnesses take as "skipped" */
};

struct play {
	struct run_config cfg;
	const char *answer; /* given in place of the script's; or NULL */
	const char *page;   /* --html: where its page goes; or NULL */
	int status;         /* the worst so far */
	unsigned files;
	bool probed; /* --probe was given: no file is needed */
};

/* ---- files ---- */

/* The whole file, with a 0 after it; *bytes: without. NULL with errno. */
static char *read_file(const char *name, size_t *bytes)
{
	FILE *f = fopen(name, "re");
	size_t cap = 1 << 16;
	char *text;

	if (!f)
		return NULL;
	text = xcheck(malloc(cap));
	*bytes = 0;
	for (size_t got; (got = fread(text + *bytes, 1, cap - 1 - *bytes, f)) > 0;) {
		*bytes += got;
		if (*bytes == cap - 1)
			text = xcheck(realloc(text, cap *= 2));
	}
	text[*bytes] = 0;
	if (ferror(f)) {
		free(text);
		text = NULL;
	}
	fclose(f);
	return text;
}

/* The last word of the last line that begins with "answer" becomes `answer`. Returns the new text. */
static char *give_answer(char *text, size_t *bytes, const char *answer)
{
	char *line = NULL, *end, *word, *out;
	size_t cap = *bytes + strlen(answer) + 1;

	for (char *at = text; (at = strstr(at, "\nanswer ")); at++)
		line = at + 1;
	if (!line)
		return text;
	end = line + strcspn(line, "\r\n#");
	while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	for (word = end; word > line && word[-1] != ' ';)
		word--;
	out = xcheck(malloc(cap));
	*bytes = (size_t)snprintf(out, cap, "%.*s%s%s", (int)(word - text), text, answer, end);
	free(text);
	return out;
}

/* ---- a script ---- */

static void worsen(struct play *p, int status)
{
	static const int order[] = {0, EXIT_SKIPPED, EXIT_FAILED, EXIT_MALFORMED, EXIT_QUIRE};
	unsigned was = 0, now = 0;

	for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		was = order[i] == p->status ? i : was;
		now = order[i] == status ? i : now;
	}
	p->status = now > was ? status : p->status;
}

/* What the script is told to come to: fails at a certain line, or not at all. */
static bool as_expected(const struct run *r, const struct script *s)
{
	u32 line = strncmp(s->expect, "fail ", 5) == 0 ? (u32)strtoul(s->expect + 5, NULL, 10) : 0;

	return r->failed_line == line;
}

/* A run that ended so, as a page. Returns 0, or EXIT_QUIRE when it did not get there. */
static int write_page(const struct play *p, FILE *out, struct record *rec, const char *verdict)
{
	char *data = record_end(rec, p->cfg.file, verdict);
	int err = !data || page_write(out, PAGE_PLAY, data, strlen(data)) != 0;

	free(data);
	if (fclose(out) == 0 && !err)
		return 0;
	fprintf(stderr, "quire play: %s: %s\n", p->page, data ? strerror(errno) : "out of memory");
	return EXIT_QUIRE;
}

/* Runs it, and records it where a page is wanted; what is told of it goes where it goes without one, too. */
static int run_and_record(struct play *p, struct run *r, const struct script *s)
{
	struct run_config cfg = p->cfg;
	struct record *rec;
	FILE *out;
	int result;

	if (!p->page)
		return run_script(r, s, &cfg);
	out = fopen(p->page, "we");
	if (!out) {
		fprintf(stderr, "quire play: %s: %s\n", p->page, strerror(errno));
		exit(EXIT_QUIRE);
	}
	rec = xcheck(record_begin(&cfg));
	cfg.step = true;
	result = run_script(r, s, &cfg);
	if (p->cfg.step)
		fputs(record_told(rec), stdout);
	worsen(p, write_page(p, out, rec, result == RUN_PASS ? "All is as the script says." : r->failure));
	return result;
}

static int play_script(struct play *p, const struct script *s)
{
	struct run *r = xcalloc(1, sizeof(*r));
	int result = run_and_record(p, r, s), status = EXIT_FAILED;

	if (result == RUN_CANNOT) {
		fprintf(stderr, "%s: cannot be run: %s\n", p->cfg.file, r->failure);
		status = EXIT_SKIPPED;
	} else if (as_expected(r, s)) {
		status = 0;
	} else if (p->answer && r->st->answer) {
		printf("%s: not right\n", p->cfg.file);
	} else if (r->failed_line) {
		fprintf(stderr, "%s:%u: %s\n", p->cfg.file, r->failed_line, r->failure);
	} else {
		fprintf(stderr, "%s: nothing failed, and the script says: expect: %s\n", p->cfg.file, s->expect);
	}
	if (!p->cfg.quiet && status == 0)
		printf("%s: %s\n", p->cfg.file, p->answer ? "right" : "as expected");
	free(r);
	return status;
}

static int play_parsed(struct play *p, const struct script *s, const struct script_error *error)
{
	bool malformed = error->line != 0, wanted = strcmp(s->expect, "malformed") == 0;

	if (malformed && !wanted)
		fprintf(stderr, "%s:%u: %s\n", p->cfg.file, error->line, error->text);
	if (malformed)
		return !wanted ? EXIT_MALFORMED : p->cfg.verify ? EXIT_SKIPPED : 0;
	if (wanted) {
		fprintf(stderr, "%s: well-formed, and the script says: expect: malformed\n", p->cfg.file);
		return EXIT_FAILED;
	}
	if (p->cfg.verify && s->no_host[0]) {
		if (!p->cfg.quiet)
			printf("%s: not compared with Linux: %s\n", p->cfg.file, s->no_host);
		return EXIT_SKIPPED;
	}
	return play_script(p, s);
}

static int play_file(struct play *p, const char *name)
{
	struct script_error error;
	struct script script;
	size_t bytes;
	char *text = read_file(name, &bytes);
	int status;

	if (!text) {
		fprintf(stderr, "quire play: %s: %s\n", name, strerror(errno));
		return EXIT_QUIRE;
	}
	if (p->answer)
		text = give_answer(text, &bytes, p->answer);
	p->cfg.file = name;
	script_parse(text, bytes, &script, &error);
	status = play_parsed(p, &script, &error);
	script_free(&script);
	free(text);
	return status;
}

/* ---- probes ---- */

static void print_probes(void)
{
	for (enum probe_id i = 0; i < PROBE_NR; i++)
		printf("%s=%s\n", probe_table[i].name, probe_answer_name(probe_ask(i)));
}

/* ---- the verb ---- */

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct play *p = state->input;

	switch (key) {
	case 's':
		p->cfg.step = true;
		return 0;
	case 'v':
		p->cfg.verify = true;
		return 0;
	case 'q':
		p->cfg.quiet = true;
		return 0;
	case 'a':
		p->answer = arg;
		p->cfg.answered = true;
		return 0;
	case 'p':
		p->probed = true;
		print_probes();
		return 0;
	case 'h':
		if (!page_there())
			argp_failure(state, EXIT_QUIRE, 0,
				     "--html is off: this quire was built without node and the page's packages; "
				     "tools/setup.sh --html, then ninja, make one that has it");
		p->page = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (p->page && p->files > 0)
			argp_failure(state, EXIT_QUIRE, 0, "--html takes one script");
		p->files++;
		worsen(p, play_file(p, arg));
		return 0;
	case ARGP_KEY_NO_ARGS:
		if (p->probed)
			return 0;
		argp_failure(state, EXIT_QUIRE, 0, "a script is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_play(int argc, char **argv)
{
	static const struct argp_option options[] = {
	    {"step", 's', NULL, 0, "explain each line: walks, faults, what the kernel does, flushes", 0},
	    {"verify-on-host", 'v', NULL, 0, "make the same calls and accesses on this Linux, and compare", 0},
	    {"probe", 'p', NULL, 0, "print what this Linux does where Linuxes differ, a line each: NAME=yes|no|unknown",
	     0},
	    {"html", 'h', "FILE", 0,
	     "write a page for a browser that shows the script step by step: page tables, TLB, what --step tells", 0},
	    {"answer", 'a', "ANSWER", 0, "answer the script's last question", 0},
	    {"quiet", 'q', NULL, 0, "print nothing but what is wrong", 0},
	    {0},
	};
	static const struct argp argp = {
	    .options = options,
	    .parser = parse_option,
	    .args_doc = "FILE...",
	    .doc = "Runs scripts of memory operations on a simulated computer.\v"
		   "The language is in docs/scripts.md, lessons are in docs/lessons."
		   " Exit status: 0 all is as the scripts say, 1 something is not, 2 a script is malformed, 77 "
		   "this Linux cannot be compared with, 125 Quire failed or was called wrongly.",
	};
	struct play p = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &p);
	return p.status;
}
