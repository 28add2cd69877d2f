/* SPDX-License-Identifier: MIT
 *
 * cli/decode_error.c - a page fault's error code, and the line that Linux logs about a fault that ended in SIGSEGV.
 *
 *    31       15    7    6   5   4    3    2   1   0
 *   +---+----+---+----+----+----+---+----+---+---+---+
 *   |RMP|    |SGX|HLAT| SS | PK |I/D|RSVD|U/S|W/R| P |
 *   +---+----+---+----+----+----+---+----+---+---+---+
 *
 * Sources: Intel SDM vol. 3A, 4.7 and figure 4-12; AMD APM vol. 2, 8.4.2; Linux arch/x86/mm/fault.c: show_signal_msg()
 * prints all its numbers in hexadecimal, sanitize_error_code() sets P for addresses of the kernel's half.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/decode.h"
#include "report/format.h"
#include "x86/paging.h"

#define WIDTH         79
#define STACK_NEAR    (64ull << 10) /* below the stack pointer: a frame that does not fit any more */
#define USER_END_4    0x800000000000ull
#define RARE_FROM_BIT 6 /* bits from here on are told only when they are set */

static const struct {
	u8 bit;
	const char *name, *clear, *set;
} bits[] = {
    {0, "P", "no translation: an entry on the way is not present", "there is a translation, and it forbids the access"},
    {1, "W/R", "a read (or an instruction fetch)", "a write (an instruction that reads and writes counts as one)"},
    {2, "U/S", "in supervisor mode: the kernel made the access", "in user mode"},
    {3, "RSVD", "no reserved bit was set", "an entry on the way has a reserved bit set: the page tables are damaged"},
    {4, "I/D", "an access to data", "an instruction fetch"},
    {5, "PK", "not by a protection key", "the page's protection key forbids it (PKRU)"},
    {6, "SS", "", "an access of the shadow stack (CET)"},
    {7, "HLAT", "", "in the walk of HLAT paging"},
    {15, "SGX", "", "SGX's access control forbids it; the page tables do not"},
    {31, "RMP", "", "SEV-SNP's reverse map table forbids it"},
};

/* Why a CPU cannot have made this code; NULL: it can. */
static const char *impossible(u64 code)
{
	u64 known = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(bits); i++)
		known |= 1ull << bits[i].bit;
	if (code & ~known)
		return "it has bits that no manual names";
	if (code & X86_PF_RSVD && !(code & X86_PF_PROT))
		return "a reserved bit is found in an entry that is present, so RSVD comes with P";
	if (code & X86_PF_PK && !(code & X86_PF_PROT))
		return "a protection key is looked at when there is a translation, so PK comes with P";
	if (code & X86_PF_INSTR && code & X86_PF_WRITE)
		return "an instruction fetch writes nothing, so I/D and W/R exclude each other";
	if (code & X86_PF_PK && code & X86_PF_INSTR)
		return "protection keys do not forbid instruction fetches, so PK and I/D exclude each other";
	return NULL;
}

static const char *verdict(u64 code)
{
	if (code & X86_PF_RSVD)
		return "A damaged page table: software never makes such entries on purpose, but for emulated devices "
		       "(KVM).";
	if (code & X86_PF_PK)
		return "The page is there and its rights would allow it: its protection key does not (pkey_mprotect).";
	if (!(code & X86_PF_PROT))
		return "Nothing is mapped there, or nobody has touched it yet: the kernel looks for an area at the "
		       "address.";
	if (code & X86_PF_INSTR)
		return "The page is there and is not executable (NX, or SMEP: the kernel ran into user memory).";
	if (code & X86_PF_WRITE)
		return "The page is there and is read-only: copy-on-write, a write to read-only memory, or to the "
		       "kernel's.";
	return "The page is there and may not be read at all: it is the kernel's, or a stale TLB entry.";
}

static void put_bits(u64 code)
{
	for (unsigned i = 0; i < ARRAY_SIZE(bits); i++) {
		bool set = code >> bits[i].bit & 1;

		if (set || bits[i].bit < RARE_FROM_BIT)
			printf("  bit %2u  %-4s  %d  %s\n", bits[i].bit, bits[i].name, set,
			       set ? bits[i].set : bits[i].clear);
	}
}

void decode_error(u64 code)
{
	const char *no = impossible(code);
	char text[160];

	printf("page-fault error code %#llx\n", (unsigned long long)code);
	put_bits(code);
	if (no) {
		snprintf(text, sizeof(text), "No CPU makes this: %s.", no);
		fmt_wrap(stdout, 0, WIDTH, text);
	} else {
		fmt_wrap(stdout, 0, WIDTH, verdict(code));
	}
}

/* ---- the kernel's line ---- */

/* The hexadecimal number after a word that stands alone, or after "error_code(". False: there is none. */
static bool number_after(const char *line, const char *word, u64 *value)
{
	size_t n = strlen(word);
	const char *at = line;

	while ((at = strstr(at, word)) != NULL) {
		char *end;

		if ((at == line || strchr(" \n", at[-1]) != NULL) &&
		    (at[n] == ' ' || word[n - 1] == '(' || word[n - 1] == ':')) {
			*value = strtoull(at + n, &end, 16);
			if (end != at + n && strchr(" ,)\n", *end) != NULL)
				return true;
		}
		at += n;
	}
	return false;
}

/* What the address looks like, whatever the code says. */
static void put_address(u64 at, bool has_ip, u64 ip, bool has_sp, u64 sp)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "Address %#llx: ", (unsigned long long)at);
	char *rest = text + n;
	size_t room = sizeof(text) - (size_t)n;

	if (has_ip && at == ip)
		snprintf(rest, room, "%s",
			 at < PAGE_SIZE ? "a call through a function pointer that is NULL."
					: "where the program jumped to: a damaged function pointer or return address.");
	else if (at < PAGE_SIZE)
		snprintf(rest, room, "in the first page: a NULL pointer, %llu bytes behind it (a field, an index).",
			 (unsigned long long)at);
	else if (at >= USER_END_4 && x86_canonical(at, 48))
		snprintf(rest, room, "in the kernel's half: a wild pointer. Linux shows P = 1 there, whatever was.");
	else if (has_sp && at < sp && sp - at <= STACK_NEAR)
		snprintf(rest, room, "%llu bytes below the stack pointer: the stack has overflowed.",
			 (unsigned long long)(sp - at));
	else
		snprintf(rest, room, "quire explain %#llx draws it.", (unsigned long long)at);
	fmt_wrap(stdout, 0, WIDTH, text);
}

/* A trap that is no page fault: its error code is another's. (An oops names the page fault.) */
static bool other_trap(const char *line)
{
	static const char *const page_fault[] = {"segfault", "#PF", "page fault", "paging request", "NULL pointer"};

	for (unsigned i = 0; i < ARRAY_SIZE(page_fault); i++)
		if (strstr(line, page_fault[i]) != NULL)
			return false;
	return strstr(line, "trap") != NULL || strstr(line, "general protection") != NULL;
}

bool decode_log_line(const char *line)
{
	static const char *const word[] = {"error", "error_code(", "error:", "Oops:"};
	u64 code = 0, at, ip = 0, sp = 0;
	bool has_code = false, has_ip, has_sp;

	for (unsigned i = 0; i < ARRAY_SIZE(word) && !has_code; i++)
		has_code = number_after(line, word[i], &code);
	if (!has_code)
		return false;
	if (other_trap(line)) {
		fmt_wrap(
		    stdout, 0, WIDTH,
		    strstr(line, "general protection") != NULL
			? "A general protection fault is no page fault. Its error code names a segment; it is 0 for an "
			  "address that is not canonical (bits 63..48 that do not copy bit 47), which is what it "
			  "mostly is."
			: "A trap that is no page fault: its error code says nothing of memory.");
		return true;
	}
	decode_error(code);
	if (strstr(line, "segfault") != NULL)
		puts("It ended in SIGSEGV: the kernel found no area there that allows this access.");
	has_ip = number_after(line, "ip", &ip);
	has_sp = number_after(line, "sp", &sp);
	if (number_after(line, "at", &at) || number_after(line, "address:", &at))
		put_address(at, has_ip, ip, has_sp, sp);
	return true;
}
