/* SPDX-License-Identifier: MIT
 *
 * mm/pin.c - pages that somebody besides the page tables refers to: pipes (vmsplice), devices (direct I/O, registered
 * buffers).
 *
 *   vm_hold(GET)   one more reference (FOLL_GET). A page that a fork shares is not reused by a write while the
 *                  reference lasts: whoever holds it must go on seeing the old contents. A page that one address space
 *                  has for itself is written in place, as on Linux
 *   vm_hold(PIN)   1,024 more (FOLL_PIN, GUP_PIN_COUNTING_BIAS): the page was made the address space's own before, and
 *                  stays so: fork copies it for the child at once, and the parent keeps it
 *   both           reclaim, compaction and khugepaged leave it where it is; it outlives its mappings
 *
 * Only anonymous pages are held: what else the holder refers to nobody can tell from what it was before.
 *
 * Invariants (numbers as mm/check.c prints them)
 *   43 vm->holds says who is held how often, and vm->nr_holds how many are
 *
 * Source: Linux 6.12 mm/gup.c, include/linux/mm.h (folio_maybe_dma_pinned), mm/memory.c (copy_present_page,
 * do_wp_page with FAULT_FLAG_UNSHARE).
 */
#include "mm/pin.h"
#include "mm/fault.h"
#include "mm/vmscan.h"

#define PIN_BIAS 1024

/* A value of vm->holds: how often a frame is held. */
struct hold {
	u32 gets, pins;
};

static struct hold hold_of(const struct vm *vm, u64 pfn)
{
	u64 value = radix_get(&vm->holds, pfn);

	return (struct hold){(u32)value, (u32)(value >> 32)};
}

static int hold_set(struct vm *vm, u64 pfn, struct hold h)
{
	bool was = radix_get(&vm->holds, pfn), is = h.gets | h.pins;
	int err = radix_set(vm, &vm->holds, pfn, h.gets | (u64)h.pins << 32);

	if (!err)
		vm->nr_holds += (u64)is - (u64)was;
	return err;
}

bool page_is_held(struct vm *vm, const struct page *head)
{
	u64 pfn = page_to_pfn(vm, head), next = pfn;

	return vm->nr_holds && radix_next(&vm->holds, &next) && next < pfn + (1ull << head->order);
}

bool page_maybe_pinned(const struct page *head)
{
	return head->_refcount >= PIN_BIAS;
}

void pin_count_refs(struct vm *vm, s32 delta, u64 *nr)
{
	u64 pfn = 0;

	for (*nr = 0; radix_next(&vm->holds, &pfn); pfn++, ++*nr) {
		struct hold h = hold_of(vm, pfn);

		page_head(vm, pfn_to_page(vm, pfn))->_refcount += delta * (s32)(h.gets + PIN_BIAS * h.pins);
	}
}

/* Linux: gup_must_unshare(). */
static bool must_unshare(const struct page *page)
{
	return !(page->flags & PG_anon_exclusive);
}

/* The page at va as get_user_pages() finds it. NULL: it is nobody's anonymous page. */
static struct page *page_at(struct mm_struct *mm, u64 va, u64 *pfn)
{
	struct pt_pos pos;

	pt_walk(mm, va, X86_PT, &pos);
	*pfn = entry_pfn(*pos.entry) + ((va & (x86_level_size(pos.level) - 1)) >> PAGE_SHIFT);
	if (is_zero_pfn(mm->vm, *pfn) || page_head(mm->vm, pfn_to_page(mm->vm, *pfn))->kind != PAGE_ANON)
		return NULL;
	return pfn_to_page(mm->vm, entry_pfn(*pos.entry));
}

int vm_hold(struct hw_cpu *cpu, struct mm_struct *mm, u64 va, enum vm_hold how, bool write, u64 *pfn)
{
	struct vm *vm = mm->vm;
	struct page *page;
	struct hold h;
	int cause;

	va = ALIGN_DOWN(va, PAGE_SIZE);
	cause = populate_range(cpu, mm, va, va + PAGE_SIZE, write);
	page = cause ? NULL : page_at(mm, va, pfn);
	if (page && how == VM_HOLD_PIN && must_unshare(page)) {
		cause = fault_unshare(cpu, mm, va);
		page = cause ? NULL : page_at(mm, va, pfn);
	}
	if (cause)
		return cause == VM_FAULT_NOMEM ? -ENOMEM : -EFAULT;
	if (!page) {
		*pfn = 0;
		return 0;
	}
	h = hold_of(vm, *pfn);
	*(how == VM_HOLD_PIN ? &h.pins : &h.gets) += 1;
	if (hold_set(vm, *pfn, h))
		return -ENOMEM;
	page_head(vm, page)->_refcount += how == VM_HOLD_PIN ? PIN_BIAS : 1;
	CHECK3(vm->cfg.check, vm_check(vm));
	return 0;
}

void vm_release(struct vm *vm, u64 pfn, enum vm_hold how)
{
	struct page *head;
	struct hold h;

	if (!pfn)
		return;
	head = page_head(vm, pfn_to_page(vm, pfn));
	h = hold_of(vm, pfn);
	ASSERT(how == VM_HOLD_PIN ? h.pins : h.gets);
	*(how == VM_HOLD_PIN ? &h.pins : &h.gets) -= 1;
	if (hold_set(vm, pfn, h))
		ASSERT(!"the place is there");
	head->_refcount -= how == VM_HOLD_PIN ? PIN_BIAS - 1 : 0;
	put_page(vm, head);
	CHECK3(vm->cfg.check, vm_check(vm));
}
