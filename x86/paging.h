/* SPDX-License-Identifier: MIT
 *
 * x86/paging.h - the manual in C: x86-64 paging, shared by both halves. No state, no policy.
 *
 * A 48-bit linear address under 4-level paging (bits 63:48 copy bit 47: "canonical"):
 *
 *   63    48 47   39 38   30 29   21 20   12 11         0
 *  +--------+-------+-------+-------+-------+------------+
 *  |  sign  | PML4  | PDPT  |  PD   |  PT   |   offset   |
 *  +--------+-------+-------+-------+-------+------------+
 *   level:     4       3       2       1           (5 = PML5, bits 56:48)
 *
 * An entry at any level:
 *
 *   63  62..59  58..52  51 .. MAXPHYADDR  MAXPHYADDR-1 .. 12  11..9  8   7    6  5  4   3   2   1   0
 *   NX  PKEY    avail   reserved (0)      physical address    avail  G  PS/PAT D  A PCD PWT U/S R/W P
 *
 * Sources: Intel SDM vol. 3A ch. 4 (4.5 4-level paging, 4.6 access rights, 4.7 #PF, 4.10 caching);
 * AMD APM vol. 2 ch. 5. Where the two differ it is said at the definition.
 */
#ifndef X86_PAGING_H
#define X86_PAGING_H

#include "lib/types.h"

#define PAGE_SHIFT      12
#define PAGE_SIZE       (1ull << PAGE_SHIFT)
#define PMD_SHIFT       21
#define PMD_SIZE        (1ull << PMD_SHIFT)
#define PUD_SHIFT       30
#define PUD_SIZE        (1ull << PUD_SHIFT)
#define PGDIR_SHIFT     39
#define PTRS_PER_TABLE  512
#define HPAGE_PMD_ORDER (PMD_SHIFT - PAGE_SHIFT) /* 9: 512 frames */
#define HPAGE_PUD_ORDER (PUD_SHIFT - PAGE_SHIFT) /* 18 */

/* Levels count as the manual's figures do: 1 = PT, 2 = PD, 3 = PDPT, 4 = PML4, 5 = PML5. */
enum x86_level { X86_PT = 1, X86_PD = 2, X86_PDPT = 3, X86_PML4 = 4, X86_PML5 = 5 };

/* Entry bits (SDM tables 4-14 .. 4-20). */
#define X86_PTE_P          (1ull << 0)
#define X86_PTE_RW         (1ull << 1)
#define X86_PTE_US         (1ull << 2)
#define X86_PTE_PWT        (1ull << 3)
#define X86_PTE_PCD        (1ull << 4)
#define X86_PTE_A          (1ull << 5)
#define X86_PTE_D          (1ull << 6) /* leaves only */
#define X86_PTE_PS         (1ull << 7) /* levels 2 and 3: a leaf. PAT at level 1, reserved at 4 and 5 */
#define X86_PTE_G          (1ull << 8) /* leaves only, and only with CR4.PGE */
#define X86_PTE_SW1        (1ull << 9) /* ignored by the hardware: free for the OS half */
#define X86_PTE_SW2        (1ull << 10)
#define X86_PTE_SW3        (1ull << 11)
#define X86_PTE_PAT_LARGE  (1ull << 12) /* PAT of a 2M or 1G leaf */
#define X86_PTE_PKEY_SHIFT 59
#define X86_PTE_PKEY       (0xfull << X86_PTE_PKEY_SHIFT)
#define X86_PTE_NX         (1ull << 63)          /* reserved while EFER.NXE = 0 */
#define X86_PHYS_MASK      0x000ffffffffff000ull /* bits 51:12, the widest physical address there is */

/* Page-fault error code (SDM figure 4-12; RMP: AMD APM vol. 2, 8.4.2). */
#define X86_PF_PROT     (1u << 0) /* P: 0 = not present, 1 = a rights or reserved-bit violation */
#define X86_PF_WRITE    (1u << 1) /* W/R */
#define X86_PF_USER     (1u << 2) /* U/S: CPL was 3 */
#define X86_PF_RSVD     (1u << 3) /* a reserved bit was set in an entry */
#define X86_PF_INSTR    (1u << 4) /* I/D: an instruction fetch (only with EFER.NXE or CR4.SMEP) */
#define X86_PF_PK       (1u << 5) /* protection keys */
#define X86_PF_SS       (1u << 6) /* a shadow-stack access */
#define X86_PF_HLAT     (1u << 7) /* during the walk of HLAT paging */
#define X86_PF_SGX      (1u << 15)
#define X86_PF_RMP      (1u << 31) /* SEV-SNP: the reverse map forbids it */

#define X86_CR0_PE      (1ull << 0)
#define X86_CR0_WP      (1ull << 16)
#define X86_CR0_NW      (1ull << 29)
#define X86_CR0_CD      (1ull << 30)
#define X86_CR0_PG      (1ull << 31)
#define X86_CR4_PSE     (1ull << 4)
#define X86_CR4_PAE     (1ull << 5)
#define X86_CR4_PGE     (1ull << 7)
#define X86_CR4_LA57    (1ull << 12)
#define X86_CR4_PCIDE   (1ull << 17)
#define X86_CR4_SMEP    (1ull << 20)
#define X86_CR4_SMAP    (1ull << 21)
#define X86_CR4_PKE     (1ull << 22)
#define X86_EFER_SCE    (1ull << 0)
#define X86_EFER_LME    (1ull << 8)
#define X86_EFER_LMA    (1ull << 10) /* what the CPU is in, not what software asks for */
#define X86_EFER_NXE    (1ull << 11)
#define X86_RFLAGS_AC   (1ull << 18)

#define X86_CR3_PCID    0xfffull     /* bits 11:0 with CR4.PCIDE */
#define X86_CR3_NOFLUSH (1ull << 63) /* MOV to CR3: keep this PCID's entries (SDM 4.10.4.1) */

/* INVPCID types (SDM vol. 2, INVPCID). */
enum x86_invpcid {
	X86_INVPCID_ADDR = 0,       /* one address of one PCID, not global entries */
	X86_INVPCID_SINGLE = 1,     /* one PCID, not global entries */
	X86_INVPCID_ALL_GLOBAL = 2, /* everything, global entries too */
	X86_INVPCID_ALL = 3,        /* all PCIDs, but global entries */
};

/* Bits that a level's index occupies: level 1 -> 12, 2 -> 21, 3 -> 30, 4 -> 39, 5 -> 48. */
static inline unsigned x86_level_shift(unsigned level)
{
	return PAGE_SHIFT + 9 * (level - 1);
}
/* Bytes that one entry of a level covers: level 1 -> 4096, level 2 -> 2 MiB, ... */
static inline u64 x86_level_size(unsigned level)
{
	return 1ull << x86_level_shift(level);
}
/* The manual's name of a level's tables. */
static inline const char *x86_level_name(unsigned level)
{
	static const char *const name[] = {"", "PT", "PD", "PDPT", "PML4", "PML5"};

	return name[level];
}
/* The entry's number in its table, 0..511. Example: x86_index(0x7ffff7fff000, 4) = 255. */
static inline unsigned x86_index(u64 va, unsigned level)
{
	return (va >> x86_level_shift(level)) & 511;
}

/* vaddr_bits: 48 or 57. True when bits 63:vaddr_bits equal bit vaddr_bits-1. */
static inline bool x86_canonical(u64 va, unsigned vaddr_bits)
{
	return (u64)((s64)(va << (64 - vaddr_bits)) >> (64 - vaddr_bits)) == va;
}

#endif
