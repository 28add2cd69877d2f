/* SPDX-License-Identifier: MIT
 *
 * report/format.c - numbers and lines as a person reads them.
 *
 * The command never calls setlocale(), so that a report is the same bytes on every host.
 */
#include "report/format.h"

#include <string.h>
#include <sys/ioctl.h>

/* Above this a count is rounded: seven digits are as many as an eye compares across columns. */
#define EXACT_BELOW 10000000ull

/* n in units of base^k, three significant digits: "1.23", "12.3", "123". Returns k. */
static unsigned three_digits(char out[16], u64 n, unsigned base)
{
	unsigned k = 0;
	double x = (double)n;

	while (x >= (k ? 999.5 : 1000.0)) {
		x /= base;
		k++;
	}
	if (k == 0)
		snprintf(out, 16, "%.0f", x);
	else
		snprintf(out, 16, "%.*f", x < 9.995 ? 2 : x < 99.95 ? 1 : 0, x);
	return k;
}

struct fmt fmt_short(u64 n)
{
	static const char suffix[][2] = {"", "k", "M", "G", "T", "P", "E"};
	struct fmt f;
	char digits[16];
	unsigned k = three_digits(digits, n, 1000);

	snprintf(f.s, sizeof(f.s), "%s%s", digits, suffix[k]);
	return f;
}

struct fmt fmt_count(u64 n)
{
	struct fmt f;

	if (n >= EXACT_BELOW)
		return fmt_short(n);
	if (n >= 1000000)
		snprintf(f.s, sizeof(f.s), "%u,%03u,%03u", (unsigned)(n / 1000000), (unsigned)(n / 1000 % 1000),
			 (unsigned)(n % 1000));
	else if (n >= 1000)
		snprintf(f.s, sizeof(f.s), "%u,%03u", (unsigned)(n / 1000), (unsigned)(n % 1000));
	else
		snprintf(f.s, sizeof(f.s), "%u", (unsigned)n);
	return f;
}

struct fmt fmt_bytes(u64 bytes)
{
	static const char unit[][4] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	struct fmt f;
	char digits[16];
	unsigned k = three_digits(digits, bytes, 1024);

	snprintf(f.s, sizeof(f.s), "%s %s", digits, unit[k]);
	return f;
}

struct fmt fmt_left(u64 part, u64 of)
{
	double times = of ? (double)part / (double)of : 0;
	struct fmt f;

	if (times < 1.995)
		return fmt_percent(part, of);
	if (times >= 9999.5)
		snprintf(f.s, sizeof(f.s), ">9999x");
	else
		snprintf(f.s, sizeof(f.s), "%.*fx", times < 9.95 ? 1 : 0, times);
	return f;
}

struct fmt fmt_time(u64 ns)
{
	static const char unit[][3] = {"ns", "us", "ms", "s"};
	struct fmt f;
	unsigned k = 0;
	double x = (double)ns;

	for (; k + 1 < sizeof(unit) / sizeof(unit[0]) && x >= 999.5; k++)
		x /= 1000;
	if (x >= 99999.5)
		snprintf(f.s, sizeof(f.s), "%.24s s", fmt_short(ns / 1000000000).s);
	else
		snprintf(f.s, sizeof(f.s), "%.*f %s", k == 0 || x >= 99.95 ? 0 : x < 9.995 ? 2 : 1, x, unit[k]);
	return f;
}

/* "10k", "999M": no digit after a point, at most 4 characters. */
static struct fmt round_short(double x)
{
	static const char suffix[] = " kMGTPEZY";
	struct fmt f;
	unsigned k = 0;

	for (; x >= 999.5 && k + 2 < sizeof(suffix); k++)
		x /= 1000;
	snprintf(f.s, sizeof(f.s), "%.0f%c", x, suffix[k]);
	return f;
}

struct fmt fmt_ratio(double x)
{
	struct fmt f;

	if (x <= 0)
		snprintf(f.s, sizeof(f.s), "0");
	else if (x < 0.001)
		snprintf(f.s, sizeof(f.s), "~0");
	else if (x < 0.0995) /* without the 0 before the point: the report's columns are narrow */
		snprintf(f.s, sizeof(f.s), ".%03.0f", x * 1000);
	else if (x < 9999.5)
		snprintf(f.s, sizeof(f.s), "%.*f", x < 9.995 ? 2 : x < 99.95 ? 1 : 0, x);
	else
		f = round_short(x);
	return f;
}

struct fmt fmt_percent(u64 part, u64 of)
{
	struct fmt f;
	double x = of ? 100.0 * (double)part / (double)of : 0;

	if (of == 0)
		snprintf(f.s, sizeof(f.s), "-");
	else if (part == 0)
		snprintf(f.s, sizeof(f.s), "0 %%");
	else if (x < 0.1)
		snprintf(f.s, sizeof(f.s), "<0.1 %%");
	else if (x < 9.95)
		snprintf(f.s, sizeof(f.s), "%.1f %%", x);
	else if (x < 9999.5)
		snprintf(f.s, sizeof(f.s), "%.0f %%", x);
	else
		snprintf(f.s, sizeof(f.s), "%.24s %%", round_short(x).s);
	return f;
}

struct fmt fmt_signal(int sig)
{
	const char *name = sigabbrev_np(sig);
	struct fmt f;

	if (name != NULL)
		snprintf(f.s, sizeof(f.s), "SIG%s", name);
	else
		snprintf(f.s, sizeof(f.s), "signal %d", sig);
	return f;
}

unsigned fmt_width(FILE *out)
{
	struct winsize w;

	if (ioctl(fileno(out), TIOCGWINSZ, &w) != 0 || w.ws_col == 0)
		return 79;
	return min(max(w.ws_col - 1u, 39u), 199u);
}

unsigned fmt_prose(unsigned width)
{
	return min(width, 99u);
}

unsigned fmt_columns(const char *text)
{
	unsigned n = 0;

	for (; *text != '\0'; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

/* Of text, its first byte; C1 (U+0080 to U+009F) by either of its two. */
static bool is_control(const char *c, const char *text)
{
	if ((unsigned char)*c < 0x20 || *c == 0x7f)
		return true;
	if (c > text && (*c & 0xe0) == 0x80)
		c--;
	return (unsigned char)c[0] == 0xc2 && (c[1] & 0xe0) == 0x80;
}

/* The byte at which column n begins. */
static char *column(char *text, unsigned n)
{
	while (*text != '\0' && (n > 0 || (*text & 0xc0) == 0x80))
		n -= (*text++ & 0xc0) != 0x80;
	return text;
}

void fmt_fit(char *text, unsigned columns)
{
	unsigned len = fmt_columns(text);
	char *cut = column(text, columns - 10), *tail = column(text, len - min(len, 8u));

	if (len <= columns)
		return;
	*cut++ = '.';
	*cut++ = '.';
	memmove(cut, tail, strlen(tail) + 1);
}

void fmt_plain(char *out, size_t n, const char *text)
{
	for (const char *c = text; *c != '\0' && n > 4; c++) {
		int len = snprintf(out, n, is_control(c, text) ? "\\x%02x" : "%c", (unsigned char)*c);

		out += len;
		n -= (size_t)len;
	}
	*out = '\0';
}

/* A shell would take more in the word than its characters. */
static bool needs_quotes(const char *word)
{
	if (*word == '\0')
		return true;
	for (; *word != '\0'; word++)
		if (strchr(" \"#$&'()*;<>?[\\]`{|}~", *word) != NULL)
			return true;
	return false;
}

void fmt_word(char *out, size_t n, const char *word)
{
	char plain[FMT_WORD];
	size_t at = 0;

	fmt_plain(plain, sizeof(plain), word);
	if (!needs_quotes(word)) {
		snprintf(out, n, "%s", plain);
		return;
	}
	out[at++] = '\'';
	for (const char *c = plain; *c != '\0' && at + 6 < n; c++)
		at += (size_t)snprintf(out + at, n - at, *c == '\'' ? "'\\''" : "%c", *c);
	snprintf(out + at, n - at, "'");
}

void fmt_wrap(FILE *out, unsigned indent, unsigned width, const char *text)
{
	unsigned column = 0;

	while (*(text += strspn(text, " ")) != '\0') {
		unsigned len = (unsigned)strcspn(text, " ");

		if (column > indent && column + 1 + len > width) {
			fputc('\n', out);
			column = 0;
		}
		if (column == 0)
			column = (unsigned)fprintf(out, "%*s", (int)indent, "");
		else
			column += (unsigned)fprintf(out, " ");
		fwrite(text, 1, len, out);
		column += len;
		text += len;
	}
	fputc('\n', out);
}
