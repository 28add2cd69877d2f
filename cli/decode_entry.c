/* SPDX-License-Identifier: MIT
 *
 * cli/decode_entry.c - a raw page-table entry, bit by bit: what the hardware reads, and what software keeps in the bits
 * that it does not.
 *
 * Sources: Intel SDM vol. 3A, tables 4-14 .. 4-20; AMD APM vol. 2, 5.3; what Quire's mm/ keeps: mm/pgtable.h, mm/swap.h,
 * mm/guard.c; what Linux keeps: arch/x86/include/asm/pgtable_types.h (software bits) and pgtable_64.h (swap entries).
 */
#include <stdarg.h>
#include <stdio.h>

#include "cli/decode.h"
#include "mm/swap.h"
#include "report/format.h"

#define WIDTH 79

struct entry {
	u64 v;
	unsigned level, phys_bits;
	bool leaf;
	u64 size; /* bytes that it maps or that the table below covers */
};

static const char *const level_name[] = {"", "PTE", "PMD", "PUD", "PGD", "PGD"};
static const char *const size_name[] = {"", "4K", "2M", "1G"};

static __attribute__((format(printf, 4, 5))) void put(const char *bit, const char *name, u64 value, const char *what,
						      ...)
{
	va_list args;

	printf(value < 10 ? "  %5s  %-7s %llu  " : "  %5s  %-7s %#llx  ", bit, name, (unsigned long long)value);
	va_start(args, what);
	vprintf(what, args);
	va_end(args);
	putchar('\n');
}

/* A sentence, on lines that fit. */
static __attribute__((format(printf, 1, 2))) void say(const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fmt_wrap(stdout, 0, WIDTH, text);
}

/* Bits that must be 0 in a present entry (SDM 4.5 and table 4-14 on). */
static u64 reserved_bits(const struct entry *e)
{
	u64 bits = X86_PHYS_MASK & ~((1ull << e->phys_bits) - 1);

	if (e->level >= X86_PML4)
		bits |= X86_PTE_PS;
	else if (e->level > X86_PT && e->leaf)
		bits |= (x86_level_size(e->level) - 1) & X86_PHYS_MASK & ~X86_PTE_PAT_LARGE;
	return bits;
}

static u64 address(const struct entry *e)
{
	u64 low = e->leaf ? e->size - 1 : PAGE_SIZE - 1;

	return e->v & X86_PHYS_MASK & ~low;
}

static unsigned bits_of(u64 pa)
{
	unsigned n = 0;

	for (; pa; pa >>= 1)
		n++;
	return n;
}

static void put_high(const struct entry *e)
{
	put("63", "NX", e->v >> 63,
	    e->v >> 63 ? "no instructions from here (EFER.NXE = 1; else reserved)" : "instructions may be fetched");
	if (e->leaf)
		put("62:59", "PKEY", (e->v & X86_PTE_PKEY) >> X86_PTE_PKEY_SHIFT,
		    "protection key, with CR4.PKE; else ignored");
	else
		put("62:59", "-", (e->v & X86_PTE_PKEY) >> X86_PTE_PKEY_SHIFT, "ignored");
	put("58:52", "-", e->v >> 52 & 0x7f, "ignored%s",
	    e->leaf && e->v >> 58 & 1 ? "; Linux: 58 = dirty and read-only (shadow stacks)" : "");
	put("51:12", "address", address(e),
	    e->leaf ? "the page's first byte: frame %#llx" : "the next table: frame %#llx",
	    (unsigned long long)(address(e) >> PAGE_SHIFT));
	if (e->leaf && e->level > X86_PT)
		put("12", "PAT", e->v >> 12 & 1, "memory type, with PCD and PWT");
}

/* For software, while P = 1. Quire's mm/ uses none of them then; Linux does in leaves. */
static void put_software(const struct entry *e)
{
	put("11", "SW3", e->v >> 11 & 1, e->leaf ? "ignored; Linux: soft-dirty" : "ignored");
	put("10", "SW2", e->v >> 10 & 1, e->leaf ? "ignored; Linux: userfaultfd write-protects it" : "ignored");
	put("9", "SW1", e->v >> 9 & 1, e->leaf ? "ignored; Linux: special (no struct page)" : "ignored");
}

static void put_low(const struct entry *e)
{
	bool large_possible = e->level == X86_PD || e->level == X86_PDPT;

	if (e->leaf)
		put("8", "G", e->v >> 8 & 1,
		    e->v >> 8 & 1 ? "global: stays in the TLB when CR3 changes (CR4.PGE)" : "not global");
	else
		put("8", "-", e->v >> 8 & 1, e->level >= X86_PML4 ? "ignored by Intel, must be 0 for AMD" : "ignored");
	if (e->level == X86_PT)
		put("7", "PAT", e->v >> 7 & 1, "memory type, with PCD and PWT");
	else
		put("7", "PS", e->v >> 7 & 1,
		    e->leaf && large_possible ? "a page of %s, no table"
		    : large_possible          ? "a table is below"
					      : "must be 0",
		    large_possible ? size_name[e->level] : "");
	if (e->leaf)
		put("6", "D", e->v >> 6 & 1, e->v >> 6 & 1 ? "dirty: it was written to" : "clean");
	else
		put("6", "-", e->v >> 6 & 1, "ignored");
	put("5", "A", e->v >> 5 & 1,
	    e->v >> 5 & 1 ? "accessed: a walk came by" : "no walk has come by since it was cleared");
	put("4", "PCD", e->v >> 4 & 1, e->leaf ? "memory type of the page" : "memory type of the table");
	put("3", "PWT", e->v >> 3 & 1, e->leaf ? "memory type of the page" : "memory type of the table");
	put("2", "U/S", e->v >> 2 & 1, e->v >> 2 & 1 ? "user mode may, if all levels say so" : "supervisor only");
	put("1", "R/W", e->v >> 1 & 1,
	    e->v >> 1 & 1 ? "writes, if all levels say so" : "read-only (for the kernel with CR0.WP)");
	put("0", "P", e->v & 1, "present");
}

static void present(const struct entry *e)
{
	u64 wrong = e->v & reserved_bits(e);

	put_high(e);
	put_software(e);
	put_low(e);
	if (e->leaf)
		say("A page of %s at physical address %#llx: %s, %s, %s.", size_name[e->level],
		    (unsigned long long)address(e), e->v & X86_PTE_US ? "user" : "supervisor",
		    e->v & X86_PTE_RW ? "writable" : "read-only", e->v & X86_PTE_NX ? "not executable" : "executable");
	else
		say("A table (%s) at physical address %#llx, for %s of addresses.", x86_level_name(e->level - 1),
		    (unsigned long long)address(e), fmt_bytes(e->size).s);
	if (wrong)
		say("Reserved bits are set, %#llx%s: a walk ends in #PF with RSVD (error code bit 3).",
		    (unsigned long long)wrong, wrong >> e->phys_bits ? " (the address is too wide)" : "");
	else
		say("Well formed on a CPU of %u or more physical address bits (supposed here: %u).",
		    bits_of(address(e)) > 32 ? bits_of(address(e)) : 32, e->phys_bits);
}

/* P = 0: the hardware looks at nothing else. */
static void not_present(const struct entry *e)
{
	const struct entry hidden = {e->v, e->level, e->phys_bits, true, e->size};

	put("0", "P", 0, "not present: the hardware ignores all else; an access faults");
	if (e->v == 0) {
		say("Empty: nothing is mapped here, or nobody has touched it yet.");
		return;
	}
	if (e->v & PTE_PROTNONE) {
		say("In Quire's mm/: a page of an area without any access (PROT_NONE, bit 8); frame %#llx is kept.",
		    (unsigned long long)(address(&hidden) >> PAGE_SHIFT));
		say("In Linux: the same, with the address's complement: frame %#llx.",
		    (unsigned long long)((~e->v & X86_PHYS_MASK) >> PAGE_SHIFT));
		return;
	}
	if (is_guard_entry(e->v))
		say("In Quire's mm/: a guard (MADV_GUARD_INSTALL): an access is SIGSEGV.");
	else if (e->level == X86_PT && is_swap_entry(e->v))
		say("In Quire's mm/: in swap, slot %u%s.", swp_slot(e->v),
		    e->v & SWP_EXCLUSIVE ? "; the page was this process's alone" : "");
	else
		say("In Quire's mm/: nothing that it makes.");
	say("In Linux: a swap entry, type %llu, offset %#llx%s%s%s; the highest types are migration, hwpoison and "
	    "markers.",
	    (unsigned long long)(e->v >> 59), (unsigned long long)(~e->v << 5 >> 14),
	    e->v & X86_PTE_PWT ? ", exclusive" : "", e->v & X86_PTE_US ? ", userfaultfd" : "",
	    e->v & X86_PTE_RW ? ", soft-dirty" : "");
}

void decode_entry(u64 v, unsigned level, unsigned phys_bits)
{
	struct entry e = {.v = v, .level = level, .phys_bits = phys_bits, .size = x86_level_size(level)};

	e.leaf = level == X86_PT || (level <= X86_PDPT && v & X86_PTE_PS);
	printf("%s (%s entry) 0x%016llx\n", level_name[level], x86_level_name(level), (unsigned long long)v);
	if (v & X86_PTE_P)
		present(&e);
	else
		not_present(&e);
}
