/* SPDX-License-Identifier: MIT
 *
 * play/names.c - the tables of names. The values are Linux's.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "mm/event.h"
#include "play/names.h"
#include "x86/paging.h"

#define E(name)                                                                                                        \
	{                                                                                                              \
#name, name, 0                                                                                         \
	}
const struct named errno_names[] = {
    E(EPERM),  E(ENOENT), E(EIO),    E(EBADF),  E(EAGAIN), E(ENOMEM),    E(EACCES),     E(EFAULT), E(EBUSY),
    E(EEXIST), E(ENODEV), E(EINVAL), E(ENOSPC), E(EFBIG),  E(EOVERFLOW), E(EOPNOTSUPP), {0},
};
#undef E

const struct named signal_names[] = {
    {"SEGV_MAPERR", SIGSEGV, SEGV_MAPERR},
    {"SEGV_ACCERR", SIGSEGV, SEGV_ACCERR},
    {"SEGV_PKUERR", SIGSEGV, SEGV_PKUERR},
    {"SEGV_KERNEL", SIGSEGV, SI_KERNEL}, /* #GP: a non-canonical address */
    {"BUS_ADRERR", SIGBUS, BUS_ADRERR},
    {"KILL", SIGKILL, 0}, /* memory is full */
    {0},
};

const struct named advice_names[] = {
    {"normal", MADV_NORMAL, 0},
    {"random", MADV_RANDOM, 0},
    {"sequential", MADV_SEQUENTIAL, 0},
    {"willneed", MADV_WILLNEED, 0},
    {"dontneed", MADV_DONTNEED, 0},
    {"free", MADV_FREE, 0},
    {"remove", MADV_REMOVE, 0},
    {"dontfork", MADV_DONTFORK, 0},
    {"dofork", MADV_DOFORK, 0},
    {"hugepage", MADV_HUGEPAGE, 0},
    {"nohugepage", MADV_NOHUGEPAGE, 0},
    {"dontdump", MADV_DONTDUMP, 0},
    {"dodump", MADV_DODUMP, 0},
    {"wipeonfork", MADV_WIPEONFORK, 0},
    {"keeponfork", MADV_KEEPONFORK, 0},
    {"cold", MADV_COLD, 0},
    {"pageout", MADV_PAGEOUT, 0},
    {"populate-read", MADV_POPULATE_READ, 0},
    {"populate-write", MADV_POPULATE_WRITE, 0},
    {"dontneed-locked", 24, 0}, /* MADV_DONTNEED_LOCKED, MADV_COLLAPSE: not in every libc */
    {"collapse", 25, 0},
    {"guard-install", 102, 0}, /* MADV_GUARD_INSTALL, MADV_GUARD_REMOVE */
    {"guard-remove", 103, 0},
    {0},
};

const struct named cause_names[] = {
    {"zero-read", VM_FAULT_ZERO_READ, 0},
    {"zero-write", VM_FAULT_ZERO_WRITE, 0},
    {"file", VM_FAULT_FILE, 0},
    {"cow-copy", VM_FAULT_COW_COPY, 0},
    {"cow-reuse", VM_FAULT_COW_REUSE, 0},
    {"stack", VM_FAULT_STACK, 0},
    {"swap", VM_FAULT_SWAP, 0},
    {"spurious", VM_FAULT_SPURIOUS, 0},
    {"maperr", VM_FAULT_MAPERR, 0},
    {"accerr", VM_FAULT_ACCERR, 0},
    {"pkuerr", VM_FAULT_PKUERR, 0},
    {"bus", VM_FAULT_BUS, 0},
    {"nomem", VM_FAULT_NOMEM, 0},
    {"none", -1, 0},
    {0},
};

const struct named pte_bit_names[] = {
    {"P", X86_PTE_P, 0}, {"RW", X86_PTE_RW, 0},      {"US", X86_PTE_US, 0},
    {"A", X86_PTE_A, 0}, {"D", X86_PTE_D, 0},        {"PS", X86_PTE_PS, 0},
    {"G", X86_PTE_G, 0}, {"NX", (s64)X86_PTE_NX, 0}, {0},
};

const struct named *name_find(const struct named *table, const char *name)
{
	for (; table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

const char *name_of(const struct named *table, s64 value, s64 more)
{
	for (; table->name; table++)
		if (table->value == value && table->more == more)
			return table->name;
	return NULL;
}

bool prot_parse(const char *word, u32 *prot)
{
	*prot = 0;
	if (strcmp(word, "none") == 0)
		return true;
	for (const char *c = word; *c; c++) {
		u32 bit = *c == 'r' ? PROT_READ : *c == 'w' ? PROT_WRITE : *c == 'x' ? PROT_EXEC : 0;

		if (!bit || *prot & bit)
			return false;
		*prot |= bit;
	}
	return *prot != 0;
}

char prot_letter(u32 prot, bool shared)
{
	static const char letters[2][9] = {"nrowexba", "NROWEXBA"};

	return letters[shared][prot & 7];
}

const char *size_text(u64 bytes, char text[24])
{
	static const char unit[] = " KMGT";
	unsigned u = 0;

	while (bytes && u < sizeof(unit) - 2 && bytes % 1024 == 0) {
		bytes /= 1024;
		u++;
	}
	snprintf(text, 24, u ? "%llu%c" : "%llu", (unsigned long long)bytes, unit[u]);
	return text;
}
