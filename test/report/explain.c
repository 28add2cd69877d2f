/* SPDX-License-Identifier: MIT
 *
 * test/report/explain.c - `quire explain`: what is drawn adds up to the address again; error codes and entries against the
 * manual's rules, written again here; and mistakes are refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <argp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "cli/cli.h"
#include "lib/types.h"

/* What the verb prints for these arguments (NULL: none); *status is its exit status. free() it. */
static char *run(char *a, char *b, char *c, int *status)
{
	char *argv[] = {(char *)"quire explain", a, b, c, NULL}, *text = NULL;
	size_t size;
	FILE *saved_out = stdout, *saved_err = stderr;
	int argc = 1 + (a != NULL) + (b != NULL) + (c != NULL);

	stdout = stderr = open_memstream(&text, &size);
	*status = cmd_explain(argc, argv);
	fclose(stdout);
	stdout = saved_out;
	stderr = saved_err;
	return text;
}

/* Adds the value row of one drawing up: sign, indexes of 9 bits each, offset. */
static u64 add_up(const char *row, unsigned levels, unsigned offset_bits)
{
	u64 va = 0, value;
	unsigned bits = offset_bits == 12 ? levels : offset_bits == 21 ? levels - 1 : levels - 2;

	for (unsigned i = 0; i < bits + 2; i++) {
		row = strchr(row, '|') + 1;
		value = strtoull(row, NULL, 0);
		va = va << (i == 0 ? 0 : i == bits + 1 ? offset_bits : 9) | value;
	}
	return va;
}

static void drawing_adds_up(void **state)
{
	u64 va = 0x123456789abcdef;

	for (unsigned i = 0; i < 200; i++) {
		unsigned levels = i & 1 ? 5 : 4, drawings = 0;
		char address[32], *text, *rest, *line;
		int status;

		snprintf(address, sizeof(address), i % 3 ? "%#llx" : "%llu", (unsigned long long)va);
		text = rest = run((char *)"--levels", (char *)(levels == 5 ? "5" : "4"), address, &status);
		assert_int_equal(status, 0);
		while ((line = strsep(&rest, "\n")) != NULL) {
			/* The value row is the one with a hexadecimal sign. */
			if (line[0] != '|' || strstr(line, "0x") == NULL)
				continue;
			assert_true(add_up(line, levels, 12 + 9 * drawings) == va);
			drawings++;
		}
		assert_int_equal(drawings, 3);
		free(text);
		va = va * 6364136223846793005u + 1442695040888963407u;
		if (i & 2)
			va >>= i & 63;
	}
}

static void expect_text(const char *address, const char *wanted)
{
	int status;
	char *text = run((char *)address, NULL, NULL, &status);

	if (status != 0 || strstr(text, wanted) == NULL)
		fail_msg("%s: status %d, \"%s\" is not in: %s", address, status, wanted, text);
	free(text);
}

static void canonical_form(void **state)
{
	expect_text("0x7fffffffffff", "User half");
	expect_text("0xffff800000000000", "Kernel half");
	expect_text("0x800000000000", "NOT canonical: bit 47 is 1");
	expect_text("0x800000000000", "Canonical would be 0xffff800000000000");
	expect_text("0x0000800000000000", "see --levels 5");
	expect_text("0xfeff000000000000", "NOT canonical: bit 47 is 0");
}

static void bases(void **state)
{
	expect_text("4096", "0x0000000000001000 = 4096");
	expect_text("0X1000", "= 4096");
	expect_text("ff", "= 255");
	expect_text("18446744073709551615", "0xffffffffffffffff");
}

static void mistakes(void **state)
{
	static const char *const bad[] = {"",
					  "x",
					  "0x",
					  "12g",
					  "0x12 ",
					  " 12",
					  "+5",
					  "1.5",
					  "0x-1",
					  "0x0x1",
					  "18446744073709551616",
					  "0x10000000000000000"};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		int status;
		char *text = run((char *)bad[i], NULL, NULL, &status);

		if (status != EXIT_QUIRE || strchr(text, '\n') == NULL || strchr(text, '\n')[1] != '\0')
			fail_msg("'%s': status %d, text: %s", bad[i], status, text);
		free(text);
	}
}

/* ---- error codes ---- */

/* The row of a bit: its value, or -1. */
static int row_of(const char *text, const char *name)
{
	char head[16];
	const char *at;

	snprintf(head, sizeof(head), "  %-4s  ", name);
	at = strstr(text, head);
	return at == NULL ? -1 : at[8] - '0';
}

static void error_codes(void **state)
{
	static const char *const name[] = {"P", "W/R", "U/S", "RSVD", "I/D", "PK", "SS", "HLAT"};

	for (unsigned code = 0; code < 256; code++) {
		bool p = code & 1, w = code & 2, rsvd = code & 8, fetch = code & 16, pk = code & 32;
		bool possible = (p || (!rsvd && !pk)) && !(fetch && (w || pk)); /* SDM 4.7 */
		char text[16], *out;
		int status;

		snprintf(text, sizeof(text), code % 2 ? "%x" : "0x%x", code);
		out = run((char *)"--error", text, NULL, &status);
		assert_int_equal(status, 0);
		for (unsigned bit = 0; bit < ARRAY_SIZE(name); bit++) {
			int row = row_of(out, name[bit]), set = code >> bit & 1;

			if (row != set && !(bit >= 6 && !set && row == -1))
				fail_msg("code %#x: %s is %d in: %s", code, name[bit], row, out);
		}
		if ((strstr(out, "No CPU makes this") == NULL) != possible)
			fail_msg("code %#x: possible %d, but: %s", code, possible, out);
		free(out);
	}
}

static void log_lines(void **state)
{
	static const struct {
		const char *line, *wanted;
	} lines[] = {
	    {"a[7]: segfault at 10 ip 000055d0c0b5d139 sp 00007ffc5b1e2b10 error 6 in a[55d0c0b5d000+1000]",
	     "error code 0x6"},
	    {"a[7]: segfault at 10 ip 000055d0c0b5d139 sp 00007ffc5b1e2b10 error 6 in a[55d0c0b5d000+1000]",
	     "a NULL pointer, 16 bytes"},
	    /* the kernel prints hexadecimal: 14 is a fetch in user mode */
	    {"[  12.3] a[7]: segfault at 0 ip 0000000000000000 sp 00007ffc5b1e2b10 error 14 likely on CPU 1",
	     "error code 0x14"},
	    {"a[7]: segfault at 0 ip 0000000000000000 sp 00007ffc5b1e2b10 error 14", "function pointer that is NULL"},
	    {"a[7]: segfault at 7ffc5b1e2a00 ip 000055d0c0b5d139 sp 00007ffc5b1e2b10 error 6",
	     "272 bytes below the stack"},
	    {"a[7]: segfault at ffff888000000000 ip 000055d0c0b5d139 sp 00007ffc5b1e2b10 error 5", "kernel's half"},
	    {"segfault at 7f0000001000 ip 1 sp 2 error 7", "quire explain 0x7f0000001000"},
	    {"#PF: error_code(0x0002) - not-present page", "error code 0x2"},
	    {"traps: a[7] general protection fault ip:401136 sp:7ffd error:0 in a[401000+1000]", "not canonical"},
	    {"traps: a[7] trap invalid opcode ip:401136 sp:7ffd error:0 in a[401000+1000]", "no page fault"},
	    {"BUG: unable to handle page fault for address: ffffffffdeadbeef\n#PF: supervisor write access in kernel "
	     "mode\n#PF: error_code(0x0002) - not-present page\nOops: 0002 [#1] PREEMPT SMP NOPTI",
	     "error code 0x2"},
	    {"BUG: kernel NULL pointer dereference, address: 0000000000000008\nOops: 0000 [#1] SMP",
	     "8 bytes behind it"},
	    {"Oops: 0010 [#1] SMP", "error code 0x10"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++)
		expect_text(lines[i].line, lines[i].wanted);
}

/* The CPU's own codes: faults are caused here, and the signal's frame has what the CPU pushed. */
static sigjmp_buf again;
static volatile unsigned long pushed;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	pushed = (unsigned long)((ucontext_t *)context)->uc_mcontext.gregs[REG_ERR];
	siglongjmp(again, 1);
}

enum { READ, WRITE, RUN };

static void cause(volatile char *at, int access)
{
	if (sigsetjmp(again, 1) != 0)
		return;
	if (access == READ)
		(void)*at;
	else if (access == WRITE)
		*at = 2;
	else
		((void (*)(void))(uintptr_t)at)();
	fail_msg("access %d: no fault", access);
}

static void expect_row(const char *text, const char *name, const char *said)
{
	char row[64];

	snprintf(row, sizeof(row), "%-4s  %s", name, said);
	if (strstr(text, row) == NULL)
		fail_msg("'%s' is not in: %s", row, text);
}

static void codes_of_this_cpu(void **state)
{
	static const struct {
		int prot, access; /* prot -1: unmapped */
		const char *p, *w, *i;
	} faults[] = {
	    {-1, READ, "0  no translation", "0  a read", "0  an access to data"},
	    {-1, WRITE, "0  no translation", "1  a write", "0  an access to data"},
	    {-1, RUN, "0  no translation", "0  a read", "1  an instruction fetch"},
	    {PROT_READ, WRITE, "1  there is a translation", "1  a write", "0  an access to data"},
	    {PROT_READ, RUN, "1  there is a translation", "0  a read", "1  an instruction fetch"},
	};
	struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO}, before;

	sigaction(SIGSEGV, &act, &before);
	for (unsigned k = 0; k < ARRAY_SIZE(faults); k++) {
		char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		char code[24], *out;
		int status;

		*(volatile char *)at = 1;
		if (faults[k].prot < 0)
			munmap(at, 4096);
		else
			mprotect(at, 4096, faults[k].prot);
		cause(at, faults[k].access);
		snprintf(code, sizeof(code), "%lx", pushed);
		out = run((char *)"--error", code, NULL, &status);
		assert_null(strstr(out, "No CPU makes this"));
		assert_int_equal(row_of(out, "U/S"), 1);
		expect_row(out, "P", faults[k].p);
		expect_row(out, "W/R", faults[k].w);
		expect_row(out, "I/D", faults[k].i);
		free(out);
		if (faults[k].prot >= 0)
			munmap(at, 4096);
	}
	sigaction(SIGSEGV, &before, NULL);
}

/* ---- entries ---- */

/* Bits that must be 0 in a present entry, a bit at a time, as SDM tables 4-14 .. 4-20 list them. */
static bool is_reserved(unsigned bit, unsigned level, bool leaf, unsigned phys_bits)
{
	if (bit >= phys_bits && bit <= 51)
		return true;
	if (bit == 7)
		return level >= 4;
	if (leaf && level == 2)
		return bit >= 13 && bit <= 20;
	return leaf && level == 3 && bit >= 13 && bit <= 29;
}

static char *entry_text(unsigned level, u64 entry, unsigned phys_bits)
{
	static const char *const option[] = {"", "--pte", "--pmd", "--pud", "--pgd"};
	char value[64], width[32], *out;
	int status;

	snprintf(value, sizeof(value), "%s=%#llx", option[level], (unsigned long long)entry);
	snprintf(width, sizeof(width), "--phys-bits=%u", phys_bits);
	out = run(value, width, NULL, &status);
	assert_int_equal(status, 0);
	return out;
}

static void present_entries(void **state)
{
	u64 random = 0x9e3779b97f4a7c15;

	for (unsigned i = 0; i < 2000; i++) {
		unsigned level = i % 4 + 1, phys_bits = 32 + i % 21;
		u64 keep = i % 3 ? 0x8000000000000fffull | (((1ull << phys_bits) - 1) & ~0x3fffffffull) : ~0ull, entry,
		    wrong = 0;
		bool leaf;
		char *out, address[48];

		random = random * 6364136223846793005u + 1442695040888963407u;
		entry = (random & keep) | 1;
		leaf = level == 1 || (level < 4 && entry & 0x80);
		for (unsigned bit = 0; bit < 64; bit++)
			if (is_reserved(bit, level, leaf, phys_bits))
				wrong |= entry & 1ull << bit;
		out = entry_text(level, entry, phys_bits);
		if ((strstr(out, "RSVD") != NULL) != (wrong != 0))
			fail_msg("level %u, %u bits, wrong %#llx: %s", level, phys_bits, (unsigned long long)wrong,
				 out);
		snprintf(address, sizeof(address), "physical address %#llx",
			 (unsigned long long)(entry & 0xffffffffff000ull &
					      (leaf ? ~0ull << (12 + 9 * (level - 1)) : ~0ull)));
		if (strstr(out, address) == NULL || (strstr(out, "A page of") != NULL) != leaf)
			fail_msg("level %u, %s: %s", level, address, out);
		for (char *line = out; *line; line += strcspn(line, "\n") + 1)
			if (strcspn(line, "\n") > 79)
				fail_msg("too wide: %s", line);
		free(out);
	}
}

static void expect_entry(unsigned level, u64 entry, const char *wanted)
{
	char *out = entry_text(level, entry, 52);

	for (char *c = out; *c; c++) /* sentences, however they were wrapped */
		*c = *c == '\n' ? ' ' : *c;
	if (strstr(out, wanted) == NULL)
		fail_msg("level %u, %#llx: \"%s\" is not in: %s", level, (unsigned long long)entry, wanted, out);
	free(out);
}

static void absent_entries(void **state)
{
	u64 random = 88172645463325252ull;
	char wanted[80];

	expect_entry(1, 0, "Empty");
	expect_entry(1, 0xffffffffff800, "a guard");
	expect_entry(1, 0x123456104, "frame 0x123456 is kept");
	expect_entry(2, 0x123400184, "frame 0x123400 is kept");
	for (unsigned i = 0; i < 200; i++) {
		u32 slot;
		u64 offset;

		random = random * 6364136223846793005u + 1442695040888963407u;
		slot = (u32)(random >> 34);
		/* mm/swap.h's drawing: the slot's complement in 51:12, bit 9, bit 10 exclusive */
		snprintf(wanted, sizeof(wanted), "slot %u%s", slot, i % 2 ? "; the page" : ".");
		expect_entry(1, ((0xffffffffffull ^ slot) << 12) | 0x200 | (i % 2 ? 0x400 : 0), wanted);
		/* Linux: the type in 63:59, the offset's complement in 58:9 */
		offset = random >> 20;
		snprintf(wanted, sizeof(wanted), "type %u, offset %#llx", i % 32, (unsigned long long)offset);
		expect_entry(1, (u64)(i % 32) << 59 | ((0x3ffffffffffffull ^ offset) << 9), wanted);
	}
}

static void wrong_options(void **state)
{
	static const char *const bad[][3] = {
	    {"--error", "x"},
	    {"--error", ""},
	    {"--pte", "10000000000000000"},
	    {"--pte", "-1"},
	    {"--pte=1", "--pmd=1"},
	    {"--pte=1", "0x1000"},
	    {"--pte=1", "--phys-bits=31"},
	    {"--pte=1", "--phys-bits=53"},
	    {"1", "2"},
	    {"segfault at 10 error", "y"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		int status, out[2];
		char text[512] = "";
		pid_t child;

		/* argp ends the process that it finds a mistake in */
		assert_int_equal(pipe(out), 0);
		child = fork();
		if (child == 0) {
			dup2(out[1], STDOUT_FILENO);
			dup2(out[1], STDERR_FILENO);
			argp_err_exit_status = EXIT_QUIRE;
			_exit(cmd_explain(
			    3, (char *[]){(char *)"quire explain", (char *)bad[i][0], (char *)bad[i][1], NULL}));
		}
		close(out[1]);
		assert_true(read(out[0], text, sizeof(text) - 1) >= 0);
		close(out[0]);
		assert_true(waitpid(child, &status, 0) == child);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_QUIRE)
			fail_msg("%s %s: status %#x: %s", bad[i][0], bad[i][1], status, text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(drawing_adds_up),   cmocka_unit_test(canonical_form),  cmocka_unit_test(bases),
	    cmocka_unit_test(mistakes),          cmocka_unit_test(error_codes),     cmocka_unit_test(log_lines),
	    cmocka_unit_test(codes_of_this_cpu), cmocka_unit_test(present_entries), cmocka_unit_test(absent_entries),
	    cmocka_unit_test(wrong_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
