/* SPDX-License-Identifier: MIT
 *
 * cli/explain.c - `quire explain ADDRESS`: how the hardware splits a virtual address, drawn for each page size. What it
 * makes of error codes, log lines and entries: cli/decode.h.
 *
 *    63  48   47     39   38     30   29     21   20     12   11         0
 *   +--------+-----------+-----------+-----------+-----------+--------------+
 *   | sign   | PML4      | PDPT      | PD        | PT        | offset       |
 *   |        | 011111111 | 111111111 | 110111101 | 001000010 | 101100010000 |
 *   |    0x0 |       255 |       511 |       445 |        66 |        0xb10 |
 *   +--------+-----------+-----------+-----------+-----------+--------------+
 *
 * Source: Intel SDM vol. 3A, 4.5 and figures 4-8 .. 4-11; canonical addresses: vol. 1, 3.3.7.1.
 */
#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/decode.h"
#include "x86/paging.h"

enum { KEY_ERROR = 0x100, KEY_PTE, KEY_PMD, KEY_PUD, KEY_PGD, KEY_PHYS };

struct explain {
	char text[512]; /* arguments, as given, a space between them */
	unsigned words; /* arguments */
	u64 va;
	unsigned levels;    /* 4 or 5 */
	unsigned phys_bits; /* of the CPU that would read an entry */
	int option;         /* KEY_ERROR .. KEY_PGD: what is decoded; 0: an address or a line */
	u64 value;          /* its argument */
};

#define MAX_FIELDS 7 /* sign, up to 5 indexes, offset */

/* Bits high:low of the address, and the columns that its drawing takes. */
struct field {
	const char *name;
	unsigned high, low, width;
	bool index; /* a table index: drawn in binary and decimal; otherwise hexadecimal, binary when it fits */
};

static unsigned vaddr_bits(const struct explain *e)
{
	return e->levels == 5 ? 57 : 48;
}

static u64 field_value(u64 va, const struct field *f)
{
	return va << (63 - f->high) >> (63 - f->high + f->low);
}

/* The fields of a walk that ends at leaf_level (1 = 4K, 2 = 2M, 3 = 1G), highest first. Returns how many. */
static unsigned split(const struct explain *e, unsigned leaf_level, struct field f[MAX_FIELDS])
{
	unsigned n = 0, offset_bits = x86_level_shift(leaf_level);

	f[n++] = (struct field){"sign", 63, vaddr_bits(e), 6, false};
	for (unsigned level = e->levels; level >= leaf_level; level--) {
		unsigned low = x86_level_shift(level);

		f[n++] = (struct field){x86_level_name(level), low + 8, low, 9, true};
	}
	f[n++] = (struct field){"offset", offset_bits - 1, 0, offset_bits == 12 ? 12 : 10, false};
	return n;
}

static void put_rule(const struct field *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		putchar('+');
		for (unsigned k = 0; k < f[i].width + 2; k++)
			putchar('-');
	}
	puts("+");
}

static void put_binary(u64 value, unsigned bits)
{
	while (bits-- > 0)
		putchar('0' + (int)(value >> bits & 1));
}

static void draw(const struct explain *e, unsigned leaf_level)
{
	struct field f[MAX_FIELDS];
	unsigned n = split(e, leaf_level, f);

	for (unsigned i = 0; i < n; i++)
		printf("%s%-2u%*u", i == 0 ? "  " : "   ", f[i].high, (int)f[i].width - 2, f[i].low);
	putchar('\n');
	put_rule(f, n);
	for (unsigned i = 0; i < n; i++)
		printf("| %-*s ", (int)f[i].width, f[i].name);
	puts("|");
	for (unsigned i = 0; i < n; i++) {
		unsigned bits = f[i].high - f[i].low + 1;

		printf("| ");
		if (bits <= f[i].width)
			put_binary(field_value(e->va, &f[i]), bits);
		printf("%*s ", bits <= f[i].width ? (int)(f[i].width - bits) : (int)f[i].width, "");
	}
	puts("|");
	for (unsigned i = 0; i < n; i++) {
		char value[32];

		snprintf(value, sizeof(value), f[i].index ? "%llu" : "0x%llx",
			 (unsigned long long)field_value(e->va, &f[i]));
		printf("| %*s ", (int)f[i].width, value);
	}
	puts("|");
	put_rule(f, n);
}

static void put_canonical(const struct explain *e)
{
	unsigned bits = vaddr_bits(e), top = (unsigned)(e->va >> (bits - 1) & 1);
	u64 fixed = (u64)((s64)(e->va << (64 - bits)) >> (64 - bits));

	if (x86_canonical(e->va, bits)) {
		printf("Canonical: bits 63..%u all copy bit %u, which is %u. %s half.\n", bits, bits - 1, top,
		       top ? "Kernel" : "User");
		return;
	}
	printf("NOT canonical: bit %u is %u, but bits 63..%u are %#llx and not all %u.\n", bits - 1, top, bits,
	       (unsigned long long)(e->va >> bits), top);
	printf("An access raises #GP (#SS through the stack), never #PF. Canonical would be %#018llx.\n",
	       (unsigned long long)fixed);
	if (e->levels == 4 && x86_canonical(e->va, 57))
		puts("With 5-level paging it is canonical: see --levels 5.");
}

static int explain(const struct explain *e)
{
	static const char *const size[] = {"", "4K", "2M", "1G"};

	printf("%#018llx = %llu\n", (unsigned long long)e->va, (unsigned long long)e->va);
	put_canonical(e);
	for (unsigned leaf = 1; leaf <= 3; leaf++) {
		u64 page = ALIGN_DOWN(e->va, x86_level_size(leaf));

		printf("\n%s page %#018llx, a walk of %u steps, offset %llu\n", size[leaf], (unsigned long long)page,
		       e->levels - leaf + 1, (unsigned long long)(e->va - page));
		draw(e, leaf);
	}
	return 0;
}

/* "0x..." is hexadecimal; digits alone are decimal; digits with a..f among them are hexadecimal. Returns NULL, or what
 * is wrong. */
static const char *parse_address(const char *text, u64 *va)
{
	bool prefix = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = prefix ? text + 2 : text;
	bool hex = prefix || digits[strspn(digits, "0123456789")] != '\0';
	char *end;

	if (!isxdigit((unsigned char)digits[0]) || digits[strspn(digits, "0123456789abcdefABCDEF")] != '\0')
		return "not a hexadecimal or decimal number";
	errno = 0;
	*va = strtoull(digits, &end, hex ? 16 : 10);
	return errno == ERANGE ? "larger than 64 bits" : NULL;
}

/* An error code as the kernel prints it: hexadecimal, with or without 0x. */
static const char *parse_hex(const char *text, u64 *value)
{
	const char *digits = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? text + 2 : text;

	if (digits[0] == '\0' || digits[strspn(digits, "0123456789abcdefABCDEF")] != '\0')
		return "not a hexadecimal number";
	errno = 0;
	*value = strtoull(digits, NULL, 16);
	return errno == ERANGE ? "larger than 64 bits" : NULL;
}

static void take_value(struct explain *e, int key, const char *arg, struct argp_state *state)
{
	const char *wrong = parse_hex(arg, &e->value);

	if (e->option != 0)
		argp_failure(state, EXIT_QUIRE, 0, "one of --error, --pte, --pmd, --pud and --pgd at a time");
	if (wrong != NULL)
		argp_failure(state, EXIT_QUIRE, 0, "%s: '%s'", wrong, arg);
	e->option = key;
}

static unsigned parse_phys_bits(const char *arg, struct argp_state *state)
{
	char *end;
	unsigned long bits = strtoul(arg, &end, 10);

	if (end == arg || *end != '\0' || bits < 32 || bits > 52)
		argp_failure(state, EXIT_QUIRE, 0, "--phys-bits %s: must be 32 to 52", arg);
	return (unsigned)bits;
}

static void take_word(struct explain *e, const char *arg, struct argp_state *state)
{
	size_t used = strlen(e->text);

	if ((size_t)snprintf(e->text + used, sizeof(e->text) - used, "%s%s", e->words ? " " : "", arg) >=
	    sizeof(e->text) - used)
		argp_failure(state, EXIT_QUIRE, 0, "that is longer than any line about a fault");
	e->words++;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct explain *e = state->input;

	switch (key) {
	case KEY_ERROR:
	case KEY_PTE:
	case KEY_PMD:
	case KEY_PUD:
	case KEY_PGD:
		take_value(e, key, arg, state);
		return 0;
	case KEY_PHYS:
		e->phys_bits = parse_phys_bits(arg, state);
		return 0;
	case 'l':
		if (strcmp(arg, "4") != 0 && strcmp(arg, "5") != 0)
			argp_failure(state, EXIT_QUIRE, 0, "--levels %s: must be 4 or 5", arg);
		e->levels = (unsigned)(arg[0] - '0');
		return 0;
	case ARGP_KEY_ARG:
		take_word(e, arg, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* An address, or a line of the kernel's log. */
static int explain_text(struct explain *e)
{
	const char *wrong;

	if (e->text[0] == '\0') {
		fprintf(stderr, "quire explain: an address is missing\n");
		return EXIT_QUIRE;
	}
	if (decode_log_line(e->text))
		return 0;
	wrong = e->words > 1 ? "neither one address nor a line with an error code" : parse_address(e->text, &e->va);
	if (wrong != NULL) {
		fprintf(stderr, "quire explain: %s: '%s'\n", wrong, e->text);
		return EXIT_QUIRE;
	}
	return explain(e);
}

int cmd_explain(int argc, char **argv)
{
	static const struct argp_option options[] = {
	    {"levels", 'l', "N", 0, "4 (default) or 5: levels of page tables (5: LA57)", 0},
	    {"error", KEY_ERROR, "CODE", 0, "a page fault's error code, hexadecimal as the kernel prints it", 0},
	    {"pte", KEY_PTE, "ENTRY", 0, "a raw entry of a page table, hexadecimal", 0},
	    {"pmd", KEY_PMD, "ENTRY", 0, "of a page directory", 0},
	    {"pud", KEY_PUD, "ENTRY", 0, "of a page-directory-pointer table", 0},
	    {"pgd", KEY_PGD, "ENTRY", 0, "of the root: PML4, or PML5 with --levels 5", 0},
	    {"phys-bits", KEY_PHYS, "N", 0,
	     "the CPU's physical address bits, 32 to 52 (52): an entry's above are reserved", 0},
	    {0},
	};
	static const struct argp argp = {
	    .options = options,
	    .parser = parse_option,
	    .args_doc = "ADDRESS\n'LINE OF THE KERNEL LOG'\n--error CODE\n--pte|--pmd|--pud|--pgd ENTRY",
	    .doc = "Draws how the hardware splits a virtual address into table indexes and an offset; or says what an "
		   "error code, a line about a segfault, or a page-table entry means, bit by bit.\v"
		   "ADDRESS: 0x and hexadecimal digits; or digits alone, decimal; or digits with a..f among "
		   "them, hexadecimal.",
	};
	struct explain e = {.levels = 4, .phys_bits = 52};

	argp_parse(&argp, argc, argv, 0, NULL, &e);
	if (e.option != 0 && e.words != 0) {
		fprintf(stderr, "quire explain: '%s' beside an option that has its own value\n", e.text);
		return EXIT_QUIRE;
	}
	if (e.option == KEY_ERROR)
		decode_error(e.value);
	else if (e.option != 0)
		decode_entry(e.value, e.option == KEY_PGD ? e.levels : (unsigned)(e.option - KEY_PTE + 1), e.phys_bits);
	else
		return explain_text(&e);
	return 0;
}
