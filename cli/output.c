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

typedef int write_report(FILE *out, const struct sim_result *r);

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

int outputs_open(struct outputs *o)
{
	o->text = open_output(o->text_name);
	o->json = o->json_name ? open_output(o->json_name) : NULL;
	if (!o->text || (o->json_name && !o->json))
		return -1;
	if (o->text_name && o->json && same_file(o->text, o->json)) {
		fprintf(stderr, "quire: --output and --json are the same file, %s\n", o->json_name);
		return -1;
	}
	return 0;
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

static int deliver(write_report *write, FILE *to, const char *name, const struct sim_result *r, bool last)
{
	int err;

	if (!is_standard(to) && is_file(to)) {
		rewind(to);
		(void)!ftruncate(fileno(to), 0);
	}
	errno = 0;
	write(to, r);
	err = finish(to, name, last);
	if (!err)
		return 0;
	if (to == stderr)
		return -1; /* there is nobody to tell */
	fprintf(stderr, "quire: %s: %s. So it comes here:\n", to == stdout ? "standard output" : name, strerror(err));
	write(stderr, r);
	return -1;
}

int outputs_write(struct outputs *o, const struct sim_result *r, bool last)
{
	int bad;

	signal(SIGPIPE, SIG_IGN); /* who reads a report may be gone: then it is not written, either */
	bad = deliver(write_text, o->text, o->text_name, r, last);
	if (o->json)
		bad |= deliver(report_json, o->json, o->json_name, r, last);
	return bad;
}
