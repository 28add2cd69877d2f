/* SPDX-License-Identifier: MIT
 *
 * cli/output.c - reports are written to files that stay open from the start: what cannot be opened is known before the
 * program runs, and what it does to their names meanwhile is seen.
 */
#include "cli/output.h"

#include <errno.h>
#include <signal.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/report.h"

static FILE *open_output(const char *name)
{
	FILE *f = !name ? stderr : strcmp(name, "-") == 0 ? stdout : fopen(name, "we");

	if (!f)
		fprintf(stderr, "quire: %s: %s\n", name, strerror(errno));
	return f;
}

static bool is_standard(const FILE *f)
{
	return f == stdout || f == stderr;
}

static bool is_file(FILE *f)
{
	struct stat st;

	return fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode);
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

static const struct {
	const char *option;
	int (*write)(FILE *out, const struct sim_result *r);
} kinds[OUT_NR] = {
    [OUT_TEXT] = {"--output", write_text},
    [OUT_JSON] = {"--json", report_json},
    [OUT_HTML] = {"--html", report_html},
};

int outputs_open(struct outputs *o)
{
	for (unsigned i = 0; i < OUT_NR; i++) {
		if (!o->name[i] && i != OUT_TEXT)
			continue;
		o->file[i] = open_output(o->name[i]);
		if (!o->file[i])
			return -1;
		for (unsigned k = 0; k < i; k++) {
			if (!o->name[k] || !same_file(o->file[k], o->file[i]))
				continue;
			fprintf(stderr, "quire: %s and %s are the same file, %s\n", kinds[k].option, kinds[i].option,
				o->name[i]);
			return -1;
		}
	}
	return 0;
}

/* The file was removed while the program ran: what is written to it nobody will find. */
static bool was_removed(FILE *f, const char *name)
{
	struct stat st;

	return is_file(f) && fstat(fileno(f), &st) == 0 && st.st_nlink == 0 && stat(name, &st) != 0;
}

/* What was written arrives, and f is closed if this was the last, unless it is a standard stream. Returns 0, or the
 * errno of what did not arrive; a file is then empty: half a report is none. */
static int finish(FILE *f, const char *name, bool last)
{
	int err = fflush(f) != 0 || ferror(f) ? errno : 0;

	if (err)
		__fpurge(f);
	clearerr(f);
	if (is_standard(f))
		return err;
	if (!err && was_removed(f, name))
		err = ENOENT;
	if (err)
		(void)!ftruncate(fileno(f), 0);
	if (last && fclose(f) != 0 && !err)
		err = errno;
	return err;
}

static int deliver(enum output kind, FILE *to, const char *name, const struct sim_result *r, bool last)
{
	int err;

	if (!is_standard(to) && is_file(to)) {
		rewind(to);
		(void)!ftruncate(fileno(to), 0);
	}
	errno = 0;
	kinds[kind].write(to, r);
	err = finish(to, name, last);
	if (!err)
		return 0;
	if (to == stderr)
		return -1; /* there is nobody to tell */
	fprintf(stderr, "quire: %s: %s. %s\n", to == stdout ? "standard output" : name, strerror(err),
		kind == OUT_HTML ? "There is no page." : "So it comes here:");
	if (kind != OUT_HTML)
		kinds[kind].write(stderr, r);
	return -1;
}

int outputs_write(struct outputs *o, const struct sim_result *r, bool last)
{
	int bad = 0;

	signal(SIGPIPE, SIG_IGN); /* who reads a report may be gone: then it is not written, either */
	for (unsigned i = 0; i < OUT_NR; i++)
		if (o->file[i])
			bad |= deliver(i, o->file[i], o->name[i], r, last);
	return bad;
}
