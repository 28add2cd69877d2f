/* SPDX-License-Identifier: MIT
 *
 * mm/fault.c - a page fault, from #PF to a mapping. Read this file first.
 *
 *   |   | condition                      | action                                         | function          |
 *   |---|--------------------------------|------------------------------------------------|-------------------|
 *   | 0 | no area, or a guard page       | grow the stack, or SEGV_MAPERR                 | find_area         |
 *   | 1 | the area forbids it            | SEGV_ACCERR; for want of a protection key      | area_allows       |
 *   | 2 | empty, anonymous               | read: the zero page; write: a zeroed frame;    | do_anonymous_page |
 *   |   |                                | huge where policy allows                       |                   |
 *   | 3 | empty, file                    | from the page cache, with fault-around         | do_file_fault     |
 *   | 4 | swap entry                     | swap in, with read-ahead                       | do_swap_page      |
 *   | 5 | write to a read-only entry     | sole owner: reuse; else copy                   | do_wp_page        |
 *   |   | of a writable area             |                                                |                   |
 *   | 6 | present and sufficient         | spurious (a stale entry): count, return        | sufficient        |
 *   | 7 | reserved bit, or nothing       | panic with a dump                              | unexplained       |
 *   |   | explains it                    |                                                |                   |
 *
 * A row that finds no frame lets go of what it holds; then reclaim makes room, and the fault begins again (vmscan.c).
 * The kernel sets A, and D for a write, in the entries that it makes: the access follows at once.
 *
 * Sources: Linux 6.12 arch/x86/mm/fault.c (access_error), mm/memory.c (handle_pte_fault, do_anonymous_page, do_wp_page,
 * wp_can_reuse_anon_folio).
 */
#include "mm/fault.h"
#include "mm/lru.h"
#include "mm/swap.h"
#include "mm/compaction.h"
#include "mm/vmscan.h"

/* ---- row 0 ---- */

static bool find_area(struct fault *f)
{
	f->vma = vma_find(f->mm, f->va);
	if (!f->vma)
		return false;
	if (f->vma->vm_start <= f->va)
		return true;
	f->grew = expand_stack(f->vma, f->va) == 0;
	return f->grew;
}

/* ---- row 1 ---- */

/* A fetch from a page that is not there counts as a read, as in Linux: the page comes, then the fetch is refused. */
static bool area_allows(const struct fault *f)
{
	if (f->code & X86_PF_PK)
		return false;
	if (f->code & X86_PF_INSTR && f->code & X86_PF_PROT)
		return f->vma->vm_flags & VM_EXEC;
	if (fault_write(f))
		return f->vma->vm_flags & VM_WRITE;
	return f->vma->vm_flags & (VM_READ | VM_WRITE | VM_EXEC); /* x86: what can be written or run can be read */
}

/* ---- row 2 ---- */

void map_new_anon_page(struct fault *f, struct page *page, u64 bits)
{
	anon_vma_prepare(f->vma);
	page->flags |= PG_anon_exclusive;
	if (f->vma->vm_flags & VM_DROPPABLE)
		page_set_lazyfree(f->mm->vm, page);
	if (page_add_rmap(f->mm, page, f->pos.va, f->order))
		ASSERT(!"a new page's first mapping needs no memory");
	pt_set(NULL, f->mm, &f->pos, entry_make(f->vma, page_to_pfn(f->mm->vm, page), f->pos.level, bits));
	lru_add(f->mm->vm, page, LRU_NEW);
}

static unsigned do_anonymous_page(struct fault *f)
{
	struct vm *vm = f->mm->vm;
	unsigned cause = do_huge_anonymous_page(f);
	struct page *page;

	if (cause != VM_FAULT_NR)
		return cause;
	if (fault_extend(f, X86_PT))
		return VM_FAULT_NOMEM;
	if (!fault_write(f) && vm->variant.zero_page) {
		pt_set(NULL, f->mm, &f->pos, entry_make(f->vma, vm->zero_pfn, X86_PT, 0));
		return VM_FAULT_ZERO_READ;
	}
	page = alloc_pages(vm, 0, PAGE_ANON);
	if (!page)
		return VM_FAULT_NOMEM;
	hw_clear_frames(vm->hw, page_to_pfn(vm, page), 0);
	map_new_anon_page(f, page, f->vma->vm_flags & VM_WRITE ? X86_PTE_RW | X86_PTE_D : 0);
	return fault_write(f) ? VM_FAULT_ZERO_WRITE : VM_FAULT_ZERO_READ;
}

/* ---- row 5 ---- */

void wp_page_reuse(struct fault *f)
{
	u64 old = f->entry;

	while (!pt_store(NULL, f->mm, &f->pos, &old, old | X86_PTE_RW | X86_PTE_A | X86_PTE_D))
		;
}

/* A private copy takes the place of a page that others use, of a file's page, or of the zero page. */
static unsigned wp_page_copy(struct fault *f)
{
	struct vm *vm = f->mm->vm;
	u64 old_pfn = entry_pfn(f->entry);
	struct page *old = pfn_to_page(vm, old_pfn), *page = alloc_pages(vm, 0, PAGE_ANON);
	struct mmu_gather tlb;

	if (!page)
		return VM_FAULT_NOMEM;
	if (is_zero_pfn(vm, old_pfn))
		hw_clear_frames(vm->hw, page_to_pfn(vm, page), 0);
	else
		hw_copy_frames(vm->hw, page_to_pfn(vm, page), old_pfn, 0);
	tlb_gather_mmu(&tlb, f->cpu, f->mm, VM_FLUSH_BY_FAULT);
	pt_set(&tlb, f->mm, &f->pos, 0);
	if (!is_zero_pfn(vm, old_pfn)) {
		page_remove_rmap(f->mm, old, f->pos.va, 0);
		tlb_remove_page(&tlb, page_head(vm, old));
	}
	map_new_anon_page(f, page, fault_bits(f));
	tlb_finish_mmu(&tlb);
	return VM_FAULT_COW_COPY;
}

/* Linux's rule: an exclusive page, or a small one that nothing else refers to (the other owners are gone). A copy in
 * swap that only this page uses is given up: the write makes it wrong. */
static bool can_reuse(struct fault *f)
{
	struct page *page = pfn_to_page(f->mm->vm, entry_pfn(f->entry));

	swap_cache_free(f->mm->vm, page_head(f->mm->vm, page));

	if (page->flags & PG_anon_exclusive)
		return true;
	if (page->kind != PAGE_ANON || page->order || page->_refcount != 1)
		return false;
	page->flags |= PG_anon_exclusive;
	return true;
}

unsigned do_wp_page(struct fault *f)
{
	unsigned cause;

	if (f->vma->vm_flags & VM_SHARED) { /* a clean page of a shared file: this write dirties it */
		pfn_to_page(f->mm->vm, entry_pfn(f->entry))->flags |= PG_dirty;
		wp_page_reuse(f);
		return VM_FAULT_COW_REUSE;
	}
	if (f->pos.level > X86_PT) {
		cause = do_huge_wp_page(f);
		if (cause != VM_FAULT_NR)
			return cause;
		fault_walk(f);
	}
	if (!can_reuse(f))
		return wp_page_copy(f);
	wp_page_reuse(f);
	return VM_FAULT_COW_REUSE;
}

/* ---- rows 6 and 7 ---- */

static bool sufficient(const struct fault *f)
{
	u64 need = X86_PTE_P | X86_PTE_US | (fault_write(f) ? X86_PTE_RW : 0);

	if (f->code & X86_PF_INSTR && f->code & X86_PF_PROT && f->entry & X86_PTE_NX)
		return false;
	return (f->entry & need) == need;
}

static char *put_hex(char *to, const char *name, u64 value)
{
	while (*name)
		*to++ = *name++;
	for (int shift = 60; shift >= 0; shift -= 4)
		*to++ = "0123456789abcdef"[value >> shift & 15];
	*to = 0;
	return to;
}

static _Noreturn void unexplained(const struct fault *f)
{
	char line[160], *to = line;

	to = put_hex(to, "va ", f->va);
	to = put_hex(to, " error code ", f->code);
	to = put_hex(to, " level ", f->pos.level);
	to = put_hex(to, " entry ", f->entry);
	put_hex(to, " area flags ", f->vma ? f->vma->vm_flags : 0);
	hw_log(f->mm->vm->hw, line);
	hw_panic("a page fault that nothing explains (row 7): see the line before");
}

/* ---- the dispatcher ---- */

static unsigned handle_mm_fault(struct fault *f)
{
	unsigned cause;

	if (f->code & X86_PF_RSVD) {
		fault_walk(f);
		unexplained(f); /* 7 */
	}
	if (f->mm->oom_victim)
		return VM_FAULT_NOMEM;
	if (!find_area(f)) /* 0 */
		return VM_FAULT_MAPERR;
	if (!area_allows(f)) /* 1 */
		return f->code & X86_PF_PK ? VM_FAULT_PKUERR : VM_FAULT_ACCERR;
	fault_walk(f);
	if (!f->entry)
		cause = f->vma->vm_file ? do_file_fault(f) : do_anonymous_page(f); /* 3, 2 */
	else if (is_swap_entry(f->entry))
		cause = do_swap_page(f); /* 4 */
	else if (is_guard_entry(f->entry))
		cause = VM_FAULT_MAPERR; /* 0 */
	else if (sufficient(f))
		cause = VM_FAULT_SPURIOUS; /* 6 */
	else if (entry_present(f->entry) && fault_write(f) && !(f->entry & X86_PTE_RW))
		cause = do_wp_page(f); /* 5 */
	else
		unexplained(f); /* 7 */
	return f->grew && cause < VM_FAULT_MAPERR ? VM_FAULT_STACK : cause;
}

/* The fault lacks a huge page: direct compaction, once. Returns whether that was so. */
static bool compact_for(struct fault *f)
{
	if (!f->wants_compaction)
		return false;
	f->wants_compaction = false;
	f->compacted = true;
	compact_memory(f->mm->vm, f->cpu);
	return true;
}

/* Handles the fault, from the start as often as it lacks a frame that reclaim finds, and tells of it. Returns 0 or the
 * cause that ends the access. */
static int fault_and_tell(struct fault *f, enum vm_event_type type)
{
	unsigned cause, tries = 0;
	struct vm_event ev;

	balance_if_low(f->mm->vm, f->cpu);
	do {
		cause = handle_mm_fault(f);
	} while (cause == VM_FAULT_NOMEM && (compact_for(f) || make_room(f->cpu, f->mm, f->va, &tries)));
	ev = (struct vm_event){.type = (u8)type, .cause = (u8)cause, .order = f->order, .mm = f->mm->id, .va = f->va};
	if (cause >= VM_FAULT_MAPERR)
		ev.order = 0;
	ev.flags = (u8)((f->major ? VM_EVF_MAJOR : 0) | (f->code & X86_PF_USER ? 0 : VM_EVF_KERNEL) |
			(f->code & X86_PF_WRITE ? VM_EVF_WRITE : 0) | (f->code & X86_PF_INSTR ? VM_EVF_INSTR : 0));
	if (cause == VM_FAULT_COW_COPY && is_zero_pfn(f->mm->vm, entry_pfn(f->entry)))
		ev.flags |= VM_EVF_ZERO;
	vm_emit(f->mm->vm, &ev);
	if (cause == VM_FAULT_NOMEM)
		vm_emit(f->mm->vm, &(struct vm_event){.type = VM_EV_OOM, .mm = f->mm->id, .va = f->va});
	return cause < VM_FAULT_MAPERR ? 0 : (int)cause;
}

int fault_unshare(struct hw_cpu *cpu, struct mm_struct *mm, u64 va)
{
	struct fault f = {.cpu = cpu, .mm = mm, .va = va, .vma = vma_lookup(mm, va)};
	unsigned cause;

	fault_walk(&f);
	if (f.pos.level > X86_PT) {
		struct mmu_gather tlb;
		int err = 0;

		tlb_gather_mmu(&tlb, cpu, mm, VM_FLUSH_BY_FAULT);
		for (; f.pos.level > X86_PT && !err; fault_walk(&f))
			err = split_huge_leaf(&tlb, mm, &f.pos);
		tlb_finish_mmu(&tlb);
		if (err)
			return VM_FAULT_NOMEM;
	}
	if (can_reuse(&f))
		return 0;
	cause = wp_page_copy(&f);
	vm_emit(mm->vm, &(struct vm_event){.type = VM_EV_POPULATE, .cause = (u8)cause, .mm = mm->id, .va = va});
	return cause == VM_FAULT_NOMEM ? (int)cause : 0;
}

int vm_fault(struct hw_cpu *cpu, struct mm_struct *mm, u64 va, unsigned error_code)
{
	struct fault f = {.cpu = cpu, .mm = mm, .va = va, .code = error_code};
	int end = fault_and_tell(&f, VM_EV_FAULT);

	CHECK3(mm->vm->cfg.check, vm_check(mm->vm));
	return end;
}

int populate_range(struct hw_cpu *cpu, struct mm_struct *mm, u64 start, u64 end, bool write)
{
	struct fault f;
	int stop;

	for (u64 va = start; va < end; va = f.pos.va + x86_level_size(f.pos.level)) {
		f = (struct fault){.cpu = cpu, .mm = mm, .va = va, .code = write ? X86_PF_WRITE : 0};
		fault_walk(&f);
		if (entry_present(f.entry) && (!write || f.entry & X86_PTE_RW))
			continue;
		stop = fault_and_tell(&f, VM_EV_POPULATE);
		if (stop)
			return stop;
	}
	return 0;
}
