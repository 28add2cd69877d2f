/* SPDX-License-Identifier: MIT
 *
 * test/report/terminal.c - the text report on terminals: bold headings, and lines as wide as they are.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report/report.h"
#include "test/report/synthetic.h"

static struct synthetic syn;

/* All that is there: a terminal hands it over in pieces. */
static size_t read_terminal(int fd, char *to, size_t room)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t n = 0;

	while (n < room && poll(&p, 1, 200) == 1) {
		ssize_t got = read(fd, to + n, room - n);

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	return n;
}

/* On a terminal headings are bold and nothing else is; without the bold it is the same text. */
static void bold_on_a_terminal(void **state)
{
	char got[16384], plain[16384], *to = plain, *text;
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	FILE *terminal;
	size_t n;

	if (master < 0)
		skip(); /* no pseudoterminals here */
	assert_true(grantpt(master) == 0 && unlockpt(master) == 0);
	terminal = fopen(ptsname(master), "w");
	assert_non_null(terminal);
	synthetic_fill(&syn);
	syn.result.nr_machines = 1;
	setenv("LC_ALL", "C", 1);
	synthetic_slices(&syn, 8);
	syn.slice[0][4].faults = 9;
	text = synthetic_text(&syn, report_text);
	report_text(terminal, &syn.result);
	fflush(terminal);
	n = read_terminal(master, got, sizeof(got) - 1);
	assert_true(n > 0);
	got[n] = '\0';
	assert_non_null(strstr(got, "\033[1mPage faults\033[0m"));
	assert_null(strstr(got, "\033[1m  zero"));
	for (char *from = got; *from != '\0'; from++)
		if (*from == '\033')
			from = strchr(from, 'm');
		else if (*from != '\r')
			*to++ = *from;
	*to = '\0';
	assert_memory_equal(plain, text, (size_t)(to - plain));
	free(text);
	setenv("LC_ALL", "C.UTF-8", 1);
	report_timeline(terminal, &syn.result, true);
	fflush(terminal);
	got[read_terminal(master, got, sizeof(got) - 1)] = '\0';
	assert_non_null(strstr(got, "Page faults"));
	assert_non_null(strstr(got, "█"));
	assert_null(strstr(got, "@"));
	fclose(terminal);
	close(master);
}

/* The report, through a terminal: a child prints, since it may hold less than that. Returns how many bytes. */
static size_t print_on_terminal(FILE *terminal, int master, char *to, size_t room)
{
	pid_t pid = fork();
	size_t n = 0, got = 1;

	assert_true(pid >= 0);
	if (pid == 0) {
		report_text(terminal, &syn.result);
		fflush(terminal);
		_exit(0);
	}
	while (waitpid(pid, NULL, WNOHANG) == 0)
		n += read_terminal(master, to + n, room - n);
	while (got > 0)
		n += got = read_terminal(master, to + n, room - n);
	return n;
}

/* On terminals of 20 to 240 columns, with few and many machines, programs and long names: nothing but a path or a
 * setting is wider than the terminal, down to 60 columns, and every machine is there. */
static void any_terminal(void **state)
{
	static const unsigned widths[] = {20, 60, 80, 200}, machines[] = {1, 4, 5, 8};
	static char got[1 << 18];

	for (unsigned at = 0; at < ARRAY_SIZE(widths) * ARRAY_SIZE(machines); at++) {
		unsigned columns = widths[at % ARRAY_SIZE(widths)], nr = machines[at / ARRAY_SIZE(widths)], heads = 0;
		struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)columns};
		int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
		FILE *terminal;
		char *rest = got, *line;
		size_t n = 0;

		if (master < 0)
			skip(); /* no pseudoterminals here */
		assert_true(grantpt(master) == 0 && unlockpt(master) == 0);
		terminal = fopen(ptsname(master), "w");
		assert_non_null(terminal);
		assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
		synthetic_fill(&syn);
		syn.result.nr_machines = nr;
		synthetic_slices(&syn, 8);
		syn.slice[0][4].faults = 9;
		synthetic_programs(&syn, 3, 3);
		syn.result.show_processes = true;
		synthetic_price(&syn);
		setvbuf(terminal, NULL, _IOLBF, 0);
		n = print_on_terminal(terminal, master, got, sizeof(got) - 1);
		got[n] = '\0';
		while ((line = strsep(&rest, "\n")) != NULL) {
			unsigned wide = 0;

			for (char *c = line; *c != '\0'; c++)
				if (*c == '\033')
					c = strchr(c, 'm');
				else
					wide += *c != '\r';
			heads += strstr(line, "Cost in cycles") != NULL;
			if (strchr(line, '/') != NULL || strstr(line, "://") != NULL)
				continue; /* paths and settings stay in one piece */
			if (wide > (columns < 60 ? 60 : columns))
				fail_msg("%u columns of %u: %s", wide, columns, line);
		}
		assert_int_equal(heads, nr > 5 && columns < 130       ? 1
					: columns >= 26 + 13 * nr + 1 ? 1
					: nr == 5 && columns >= 80    ? 1
					: columns < 53                ? nr
								      : (nr + 1) / 2);
		fclose(terminal);
		close(master);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bold_on_a_terminal),
	    cmocka_unit_test(any_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
