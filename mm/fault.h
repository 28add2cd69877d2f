/* SPDX-License-Identifier: MIT
 *
 * mm/fault.h - one page fault on its way through mm/fault.c, huge.c and filemap.c. Linux: struct vm_fault.
 */
#ifndef MM_FAULT_H
#define MM_FAULT_H

#include "mm/pgtable.h"

struct fault {
	struct hw_cpu *cpu;
	struct mm_struct *mm;
	struct vm_area_struct *vma;
	u64 va;        /* bytes: CR2 */
	unsigned code; /* X86_PF_* */
	struct pt_pos pos;
	u64 entry;             /* what pos holds */
	u8 order;              /* of the entry that the fault made or found: 0, 9, 18 */
	bool grew;             /* the stack was extended for it */
	bool wants_compaction; /* no huge page is free: VM_FAULT_NOMEM, to be tried again when memory was compacted */
	bool compacted;        /* it was */
	bool major;            /* it waited for I/O */
};

static inline bool fault_write(const struct fault *f)
{
	return f->code & X86_PF_WRITE;
}
/* Bits of a new private entry: a write fault finds it writable and dirty, as the access will leave it. */
static inline u64 fault_bits(const struct fault *f)
{
	return fault_write(f) ? X86_PTE_RW | X86_PTE_D : 0;
}
static inline void fault_walk(struct fault *f)
{
	pt_walk(f->mm, f->va, X86_PT, &f->pos);
	f->entry = *f->pos.entry;
	f->order = (u8)level_order(f->pos.level);
}
/* Down to `level`, tables made on the way. Returns 0 or -ENOMEM. */
static inline int fault_extend(struct fault *f, unsigned level)
{
	int err = pt_extend(f->mm, f->va, level, &f->pos);

	f->entry = *f->pos.entry;
	f->order = (u8)level_order(f->pos.level);
	return err;
}

/* The rows of the table in mm/fault.c that live elsewhere. They return a VM_FAULT_*; VM_FAULT_NR: not for me, go on
 * with small pages (a huge leaf that was in the way is split). */
unsigned do_huge_anonymous_page(struct fault *f); /* row 2, huge.c */
unsigned do_huge_wp_page(struct fault *f);        /* row 5, huge.c */
unsigned do_file_fault(struct fault *f);          /* row 3, filemap.c */

/* Rows 2 and 5 for MAP_HUGETLB, hugetlb.c. VM_FAULT_NR as above. */
unsigned hugetlb_no_page(struct fault *f);
unsigned hugetlb_wp(struct fault *f);

/* Row 5, fault.c. f->pos, f->entry: a present entry that forbids the write. */
unsigned do_wp_page(struct fault *f);
/* A private anonymous page appears in f's empty entry: page has one reference, which becomes the entry's. */
void map_new_anon_page(struct fault *f, struct page *page, u64 bits);
/* The sole owner writes: the entry at f->pos becomes writable. */
void wp_page_reuse(struct fault *f);
/* The page at va, which is there and anonymous, becomes the address space's own without a write: copied if it is
 * shared. Linux: FAULT_FLAG_UNSHARE. Returns 0 or VM_FAULT_NOMEM. */
int fault_unshare(struct hw_cpu *cpu, struct mm_struct *mm, u64 va);

#endif
