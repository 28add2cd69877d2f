/* SPDX-License-Identifier: MIT
 *
 * cost/file.c - a file of costs: what somebody measured, in place of the rows of cost.c.
 *
 *   # this machine, at night
 *   walk-step = 14 52
 *   exception = 900 1000
 *
 * Anything else is refused, with the line's number: a figure that was not understood must not count as one.
 */
#include "cost/cost.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define LINE_MAX_BYTES 200 /* longer than any line that means something */

struct place {
	const char *file;
	unsigned line;
	char *err;
};

static __attribute__((format(printf, 2, 3))) int refuse(const struct place *p, const char *format, ...)
{
	va_list args;
	int n = snprintf(p->err, COST_ERR, "%.200s:%u: ", p->file, p->line);

	va_start(args, format);
	vsnprintf(p->err + n, (size_t)(COST_ERR - n), format, args);
	va_end(args);
	return -1;
}

/* The number that *at begins with, at most COST_MOST; *at is behind it then. False: there is none. */
static bool take_number(char **at, u64 *value)
{
	char *p = *at + strspn(*at, " \t");

	if (*p < '0' || *p > '9')
		return false;
	for (*value = 0; *p >= '0' && *p <= '9'; p++) {
		*value = 10 * *value + (u64)(*p - '0');
		if (*value > COST_MOST)
			return false;
	}
	*at = p;
	return true;
}

/* The text in printable characters, cut short: for a message. */
static void show(char out[41], const char *text)
{
	unsigned n = 0;

	for (; text[n] && n < 40; n++)
		out[n] = text[n] < 0x20 || text[n] > 0x7e ? '?' : text[n];
	out[n] = 0;
}

/* What may not be 0, since others are divided by it. */
static bool is_divisor(enum cost_id id)
{
	return id == COST_WALKS_AT_ONCE || id == COST_CLOCK;
}

static int take_row(struct cost_changes *c, const struct place *p, const char *name, char *figures)
{
	enum cost_id id = cost_find(name);
	char shown[41];
	u64 least, most;

	if (id == COST_NR) {
		show(shown, name);
		return refuse(p, "there is no cost '%s' (quire costs lists them)", shown);
	}
	if (!take_number(&figures, &least) || (*figures != ' ' && *figures != '\t') || !take_number(&figures, &most) ||
	    figures[strspn(figures, " \t\r")])
		return refuse(p, "%s: two whole numbers are wanted, the least and the most, up to %llu", name,
			      COST_MOST);
	if (least > most)
		return refuse(p, "%s: the least, %llu, is more than the most, %llu", name, (unsigned long long)least,
			      (unsigned long long)most);
	if (is_divisor(id) && least == 0)
		return refuse(p, "%s cannot be 0", name);
	if (c->at[id].line)
		return refuse(p, "%s is on line %u already", name, c->at[id].line);
	c->at[id].least = least;
	c->at[id].most = most;
	c->at[id].line = p->line;
	return 0;
}

static int take_line(struct cost_changes *c, const struct place *p, char *line)
{
	char *name = line, *equals, *end, shown[41];

	show(shown, line);
	line[strcspn(line, "#")] = 0;
	name += strspn(name, " \t\r");
	if (!*name)
		return 0;
	equals = strchr(name, '=');
	end = name + strcspn(name, " \t=");
	if (!equals || end == name || end + strspn(end, " \t") != equals)
		return refuse(p, "'%s' is not NAME = LEAST MOST", shown);
	*end = 0;
	return take_row(c, p, name, equals + 1);
}

static int take_file(struct cost_changes *c, struct place *p, FILE *in)
{
	char line[LINE_MAX_BYTES + 2];

	for (p->line = 1;; p->line++) {
		size_t n = 0;
		int byte;

		while ((byte = fgetc(in)) != EOF && byte != '\n') {
			if (n == LINE_MAX_BYTES || !byte)
				return refuse(p,
					      byte ? "the line is longer than %u bytes: is this a file of costs?"
						   : "a byte of 0 within %u bytes: is this a file of costs?",
					      LINE_MAX_BYTES);
			line[n++] = (char)byte;
		}
		line[n] = 0;
		if (ferror(in))
			return refuse(p, "%s", strerror(errno));
		if (take_line(c, p, line) != 0)
			return -1;
		if (byte == EOF)
			return 0;
	}
}

int cost_changes_read(struct cost_changes *c, const char *file, char err[COST_ERR])
{
	struct place p = {.file = file, .err = err};
	FILE *in = fopen(file, "re");
	int bad;

	*c = (struct cost_changes){.file = file};
	if (!in) {
		snprintf(err, COST_ERR, "%.200s: %s", file, strerror(errno));
		return -1;
	}
	bad = take_file(c, &p, in);
	fclose(in);
	return bad;
}
