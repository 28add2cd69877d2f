/* SPDX-License-Identifier: MIT
 *
 * mm/tlb.c - what the TLBs may hold: flush batches, PCIDs by generation, shootdowns, context switches.
 *
 * Generations, Linux's scheme. mm->tlb_gen grows with every flush of the mm. Each CPU remembers, for each of its six
 * PCIDs, which context it holds and up to which generation it is right:
 *
 *   mm A: ctx_id 7, tlb_gen 12        CPU 0: ctxs[0] = {7, 12}  ctxs[1] = {9, 3}  ...   loaded_asid 0
 *                                     CPU 1: ctxs[0] = {4, 8}   ctxs[1] = {7, 11} ...   loaded_asid 0
 *
 * Only CPUs whose CR3 is the mm (cpumask) are interrupted. Any other finds out when it switches back: CPU 1 loads A
 * with PCID 2 and sees 11 < 12, so it flushes. ctx_id is never reused, so a dead mm's entries are harmless until its
 * PCID is given away, with a flush.
 *
 * Lazy mode. A CPU without user work keeps its last CR3 (is_lazy): no interrupt reaches it, unless tables were freed
 * that its paging-structure caches may name; then it turns to the empty tables of init_pgd_pfn.
 *
 * KPTI. A context has two PCIDs, its kernel one (asid + 1) and its user one (the same | 2048), since the two roots do
 * not show the same. Only the kernel's can be flushed with INVLPG or MOV CR3 here; the user's is flushed with INVPCID
 * for one address, and for more, or without INVPCID, on the way out: user_pcid_flush_mask. That is in time, since user
 * code alone uses it.
 *
 *   entry   CR3 = kernel root | asid + 1        | NOFLUSH                               bits 12 and 11 go
 *   exit    CR3 = user root   | asid + 1 | 2048 | NOFLUSH, unless its bit in the mask    bits 12 and 11 come
 *   Without PCIDs both flush all but the trampoline, which is global.
 *
 * The frames that wait for the flush:
 *   local[8] first, then batch_pfn -> [ next | n | pfn pfn ... ] -> [ next | n | ... ]      frames of PAGE_KERNEL
 *   At 10,000 frames, or when no batch frame can be had, the flush happens early.
 *
 * Sources: Linux 6.12 arch/x86/mm/tlb.c (choose_new_asid, flush_tlb_func, tlb_single_page_flush_ceiling 33),
 * arch/x86/entry/calling.h (SWITCH_TO_KERNEL_CR3, SWITCH_TO_USER_CR3), include/asm-generic/tlb.h (batches); Intel SDM
 * vol. 3A 4.10.
 */
#include "mm/tlb.h"
#include "mm/internal.h"
#include "mm/pgtable.h"

#define TLB_SINGLE_PAGE_FLUSH_CEILING 33
#define MAX_GATHER_PAGES              10000
#define PTI_USER_PGTABLE              (1ull << PAGE_SHIFT) /* CR3 bit 12: the user root, 4096 bytes on */
#define PTI_USER_PCID                 (1ull << 11)

struct gather_batch {
	u64 next_pfn, nr;
	u32 pfn[(PAGE_SIZE - 2 * sizeof(u64)) / sizeof(u32)];
};

static struct vm_cpu *vm_cpu_of(struct hw_cpu *cpu, struct vm *vm)
{
	void **slot = hw_percpu(cpu);

	if (!*slot) {
		*slot = &vm->cpu[hw_cpu_id(cpu)];
		vm->cpu[hw_cpu_id(cpu)].vm = vm;
	}
	return *slot;
}

static void emit(struct vm *vm, enum vm_event_type type, struct mm_struct *mm, u64 n)
{
	vm_emit(vm, &(struct vm_event){.type = (u8)type, .mm = mm ? mm->id : 0, .n = n});
}

/* ---- one CPU ---- */

/* PCID 0 is nobody's: code that knows no PCIDs runs with it. */
static unsigned kern_pcid(unsigned asid)
{
	return asid + 1;
}

/* For the kernel root. flush: the kernel PCID's entries go. */
static u64 make_cr3(const struct vm *vm, u64 pgd_pfn, unsigned asid, bool flush)
{
	u64 cr3 = pgd_pfn << PAGE_SHIFT;

	if (vm->pcid)
		cr3 |= kern_pcid(asid) | (flush ? 0 : X86_CR3_NOFLUSH);
	return cr3;
}

/* What the user PCID holds is wrong: it goes before user code runs again. Without PCIDs the exit's CR3 flushes it. */
static void invalidate_user_asid(struct vm_cpu *vcpu, unsigned asid)
{
	if (vcpu->vm->kpti && vcpu->vm->pcid)
		vcpu->user_pcid_flush_mask |= (u16)(1u << kern_pcid(asid));
}

/* CR3 holds what this file last wrote, but for the flush bit, which does not stay. */
static bool cr3_is_ours(const struct vm_cpu *vcpu, struct hw_cpu *cpu)
{
	return hw_read_cr3(cpu) == make_cr3(vcpu->vm, vcpu->loaded_mm->pgd_pfn, vcpu->loaded_asid, true);
}

static void load_init_tables(struct vm_cpu *vcpu, struct hw_cpu *cpu)
{
	if (vcpu->loaded_mm)
		vcpu->loaded_mm->cpumask &= ~(1ull << hw_cpu_id(cpu));
	vcpu->loaded_mm = NULL;
	vcpu->is_lazy = false;
	/* PCID 0 with its few entries flushed: those of the PCIDs stay for when their contexts return. */
	hw_write_cr3(cpu, vcpu->vm->init_pgd_pfn << PAGE_SHIFT);
	emit(vcpu->vm, VM_EV_SWITCH, NULL, 1);
}

/* The PCID for next on this CPU; *flush: what it holds is not next's, or is out of date. */
static unsigned choose_new_asid(struct vm_cpu *vcpu, const struct mm_struct *next, bool *flush)
{
	unsigned asid;

	*flush = true;
	if (!vcpu->vm->pcid)
		return 0;
	for (asid = 0; asid < TLB_NR_DYN_ASIDS; asid++) {
		if (vcpu->ctxs[asid].ctx_id != next->ctx_id)
			continue;
		*flush = vcpu->ctxs[asid].tlb_gen < next->tlb_gen;
		return asid;
	}
	asid = vcpu->next_asid;
	vcpu->next_asid = (u8)((asid + 1) % TLB_NR_DYN_ASIDS);
	return asid;
}

static void load_mm(struct vm_cpu *vcpu, struct hw_cpu *cpu, struct mm_struct *next)
{
	bool flush;
	unsigned asid = choose_new_asid(vcpu, next, &flush);

	vcpu->ctxs[asid] = (struct tlb_context){next->ctx_id, next->tlb_gen};
	vcpu->loaded_asid = (u8)asid;
	vcpu->loaded_mm = next;
	next->cpumask |= 1ull << hw_cpu_id(cpu);
	if (flush)
		invalidate_user_asid(vcpu, asid);
	hw_write_cr3(cpu, make_cr3(vcpu->vm, next->pgd_pfn, asid, flush));
	emit(vcpu->vm, VM_EV_SWITCH, next, flush);
}

/* Interrupts are off: a shootdown must find loaded_mm and CR3 in step. */
static void switch_mm_irqs_off(struct vm_cpu *vcpu, struct hw_cpu *cpu, struct mm_struct *next)
{
	bool was_lazy = vcpu->is_lazy;

	CHECK2(vcpu->vm->cfg.check, !vcpu->loaded_mm || cr3_is_ours(vcpu, cpu));
	vcpu->is_lazy = !next && vcpu->loaded_mm;
	if (!next)
		return;
	if (vcpu->loaded_mm == next) {
		if (was_lazy && vcpu->ctxs[vcpu->loaded_asid].tlb_gen < next->tlb_gen)
			load_mm(vcpu, cpu, next);
		return;
	}
	if (vcpu->loaded_mm)
		vcpu->loaded_mm->cpumask &= ~(1ull << hw_cpu_id(cpu));
	load_mm(vcpu, cpu, next);
}

void vm_switch(struct hw_cpu *cpu, struct mm_struct *mm)
{
	struct vm_cpu *vcpu = mm ? vm_cpu_of(cpu, mm->vm) : *hw_percpu(cpu);
	u64 flags;

	if (!vcpu) /* nothing ever ran here */
		return;
	flags = hw_irq_save(vcpu->vm->hw);
	switch_mm_irqs_off(vcpu, cpu, mm);
	hw_irq_restore(vcpu->vm->hw, flags);
}

static struct vm_cpu *kpti_cpu(struct hw_cpu *cpu)
{
	struct vm_cpu *vcpu = *hw_percpu(cpu);

	return vcpu && vcpu->vm->kpti ? vcpu : NULL;
}

bool vm_enter_kernel(struct hw_cpu *cpu)
{
	struct vm_cpu *vcpu = kpti_cpu(cpu);
	u64 cr3;

	if (!vcpu)
		return false;
	cr3 = hw_read_cr3(cpu);
	if (!(cr3 & PTI_USER_PGTABLE))
		return false;
	cr3 &= ~PTI_USER_PGTABLE;
	if (vcpu->vm->pcid)
		cr3 = (cr3 & ~PTI_USER_PCID) | X86_CR3_NOFLUSH;
	hw_write_cr3(cpu, cr3);
	CHECK2(vcpu->vm->cfg.check, cr3_is_ours(vcpu, cpu));
	return true;
}

void vm_exit_to_user(struct hw_cpu *cpu)
{
	struct vm_cpu *vcpu = kpti_cpu(cpu);
	u64 cr3;

	if (!vcpu)
		return;
	ASSERT(vcpu->loaded_mm && !vcpu->is_lazy);
	cr3 = hw_read_cr3(cpu);
	CHECK2(vcpu->vm->cfg.check, cr3_is_ours(vcpu, cpu));
	if (vcpu->vm->pcid) {
		u16 bit = (u16)(1u << kern_pcid(vcpu->loaded_asid));

		cr3 |= PTI_USER_PCID | (vcpu->user_pcid_flush_mask & bit ? 0 : X86_CR3_NOFLUSH);
		vcpu->user_pcid_flush_mask &= (u16)~bit;
	}
	hw_write_cr3(cpu, cr3 | PTI_USER_PGTABLE);
}

static u64 flush_nr_pages(const struct tlb_flush *req)
{
	if (req->end == VM_FLUSH_ALL)
		return VM_FLUSH_ALL;
	return (req->end - req->start + (PAGE_SIZE << req->order) - 1) >> (PAGE_SHIFT + req->order);
}

static void flush_context(struct vm_cpu *vcpu, struct hw_cpu *cpu)
{
	invalidate_user_asid(vcpu, vcpu->loaded_asid);
	if (vcpu->vm->invpcid)
		hw_invpcid(cpu, X86_INVPCID_SINGLE, kern_pcid(vcpu->loaded_asid), 0);
	else
		hw_write_cr3(cpu, make_cr3(vcpu->vm, vcpu->loaded_mm->pgd_pfn, vcpu->loaded_asid, true));
}

/* va leaves the user PCID: at once, or with all else on the way out. */
static void flush_user_one(struct vm_cpu *vcpu, struct hw_cpu *cpu, u64 va)
{
	if (vcpu->vm->kpti && vcpu->vm->invpcid)
		hw_invpcid(cpu, X86_INVPCID_ADDR, kern_pcid(vcpu->loaded_asid) | (unsigned)PTI_USER_PCID, va);
	else
		invalidate_user_asid(vcpu, vcpu->loaded_asid);
}

/* The pages of a ranged request, one by one (Linux's flush_tlb_one_user). INVLPG drops the paging-structure caches of
 * the whole PCID, so it is enough for freed tables; INVPCID drops those of its address only, and strides from an
 * unaligned start may step over the last table. */
static void flush_pages(struct vm_cpu *vcpu, struct hw_cpu *cpu, const struct tlb_flush *req, u64 pages)
{
	for (u64 i = 0; i < pages; i++) {
		u64 va = req->start + (i << (PAGE_SHIFT + req->order));

		hw_invlpg(cpu, va);
		flush_user_one(vcpu, cpu, va);
	}
	if (req->freed_tables && vcpu->vm->kpti)
		flush_user_one(vcpu, cpu, req->end - 1);
}

/* Linux's flush_tlb_func(). */
static void flush_loaded(struct vm_cpu *vcpu, struct hw_cpu *cpu, const struct tlb_flush *req)
{
	struct mm_struct *mm = req->mm;
	struct tlb_context *ctx = &vcpu->ctxs[vcpu->loaded_asid];
	u64 pages = flush_nr_pages(req);

	CHECK2(vcpu->vm->cfg.check, cr3_is_ours(vcpu, cpu));
	if (ctx->tlb_gen == mm->tlb_gen)
		return; /* a later flush, or a switch, did it */
	if (pages != VM_FLUSH_ALL && req->new_tlb_gen == ctx->tlb_gen + 1 && req->new_tlb_gen == mm->tlb_gen) {
		flush_pages(vcpu, cpu, req, pages);
	} else {
		pages = VM_FLUSH_ALL;
		flush_context(vcpu, cpu);
	}
	ctx->tlb_gen = mm->tlb_gen;
	emit(vcpu->vm, VM_EV_TLB_FLUSH, mm, pages);
}

void vm_shootdown(struct hw_cpu *cpu, const struct tlb_flush *req)
{
	struct vm_cpu *vcpu = vm_cpu_of(cpu, req->vm);

	if (vcpu->loaded_mm != req->mm)
		return; /* it switched away meanwhile */
	if (req->leave || vcpu->is_lazy)
		load_init_tables(vcpu, cpu);
	else
		flush_loaded(vcpu, cpu, req);
}

/* ---- all CPUs ---- */

/* The CPUs of the mm other than `self` that must hear of a flush. */
static u64 shootdown_mask(const struct tlb_flush *req, u64 self)
{
	u64 mask = req->mm->cpumask & ~self;

	if (req->freed_tables || req->leave)
		return mask;
	for (u64 rest = mask; rest; rest &= rest - 1) {
		unsigned id = (unsigned)__builtin_ctzll(rest);

		if (req->vm->cpu[id].is_lazy)
			mask &= ~(1ull << id);
	}
	return mask;
}

static u64 count_cpus(u64 mask)
{
	u64 n = 0;

	for (; mask; mask &= mask - 1)
		n++;
	return n;
}

/* Carries req out here and on the other CPUs; returns when all have. */
static void flush_everywhere(struct hw_cpu *cpu, const struct tlb_flush *req)
{
	u64 self = 1ull << hw_cpu_id(cpu), others = shootdown_mask(req, self);

	if (req->mm->cpumask & self)
		vm_shootdown(cpu, req);
	if (!others)
		return;
	vm_emit(req->vm, &(struct vm_event){
			     .type = VM_EV_SHOOTDOWN, .cause = req->cause, .mm = req->mm->id, .n = count_cpus(others)});
	hw_shootdown(req->vm->hw, others, req);
}

void tlb_leave_mm(struct hw_cpu *cpu, struct mm_struct *mm)
{
	flush_everywhere(cpu, &(struct tlb_flush){.vm = mm->vm, .mm = mm, .end = VM_FLUSH_ALL, .leave = true});
	ASSERT(!mm->cpumask);
}

/* ---- the batch ---- */

static void reset_range(struct mmu_gather *tlb)
{
	tlb->start = ~0ull;
	tlb->end = 0;
	tlb->order = MAX_ORDER;
	tlb->freed_tables = false;
}

void tlb_gather_mmu(struct mmu_gather *tlb, struct hw_cpu *cpu, struct mm_struct *mm, enum vm_flush_cause cause)
{
	tlb->cause = (u8)cause;
	tlb->mm = mm;
	tlb->cpu = cpu;
	tlb->fullmm = false;
	tlb->nr_pages = 0;
	tlb->batch_pfn = 0;
	memset(tlb->worked, 0, sizeof(tlb->worked));
	reset_range(tlb);
}

void tlb_gather_mmu_fullmm(struct mmu_gather *tlb, struct hw_cpu *cpu, struct mm_struct *mm)
{
	tlb_gather_mmu(tlb, cpu, mm, VM_FLUSH_BY_UNMAP);
	tlb->fullmm = true;
}

void tlb_adjust_range(struct mmu_gather *tlb, u64 va, u64 bytes, unsigned order)
{
	tlb->start = min(tlb->start, va);
	tlb->end = max(tlb->end, va + bytes);
	tlb->order = (u8)min((unsigned)tlb->order, order);
}

void tlb_remove_range(struct mmu_gather *tlb, u64 va, unsigned order)
{
	tlb_adjust_range(tlb, va, PAGE_SIZE << order, order);
}

void tlb_flush_whole_mm(struct mmu_gather *tlb)
{
	tlb->start = 0;
	tlb->end = VM_FLUSH_ALL;
	tlb->order = 0;
	tlb->freed_tables = true;
}

static void flush_range(struct mmu_gather *tlb)
{
	struct tlb_flush req = {.vm = tlb->mm->vm,
				.mm = tlb->mm,
				.start = tlb->start,
				.end = tlb->end,
				.order = tlb->order,
				.cause = tlb->cause,
				.freed_tables = tlb->freed_tables};

	if (tlb->start >= tlb->end)
		return;
	if (tlb->fullmm || flush_nr_pages(&req) > TLB_SINGLE_PAGE_FLUSH_CEILING)
		req.end = VM_FLUSH_ALL;
	req.new_tlb_gen = ++tlb->mm->tlb_gen;
	flush_everywhere(tlb->cpu, &req);
	reset_range(tlb);
}

static struct gather_batch *batch_at(struct vm *vm, u64 pfn)
{
	return phys_to_virt(vm, pfn << PAGE_SHIFT);
}

static void free_gathered(struct mmu_gather *tlb)
{
	struct vm *vm = tlb->mm->vm;

	for (u64 i = 0; i < min(tlb->nr_pages, (u64)MMU_GATHER_BUNDLE); i++)
		put_page(vm, pfn_to_page(vm, tlb->local[i]));
	while (tlb->batch_pfn) {
		u64 pfn = tlb->batch_pfn;
		struct gather_batch *batch = batch_at(vm, pfn);

		for (u64 i = 0; i < batch->nr; i++)
			put_page(vm, pfn_to_page(vm, batch->pfn[i]));
		tlb->batch_pfn = batch->next_pfn;
		put_page(vm, pfn_to_page(vm, pfn));
	}
	tlb->nr_pages = 0;
}

/* A batch with room, or NULL: RAM is full. */
static struct gather_batch *batch_with_room(struct mmu_gather *tlb)
{
	struct vm *vm = tlb->mm->vm;
	struct gather_batch *batch;
	struct page *page;

	if (tlb->batch_pfn) {
		batch = batch_at(vm, tlb->batch_pfn);
		if (batch->nr < ARRAY_SIZE(batch->pfn))
			return batch;
	}
	page = alloc_pages(vm, 0, PAGE_KERNEL);
	if (!page)
		return NULL;
	batch = batch_at(vm, page_to_pfn(vm, page));
	batch->next_pfn = tlb->batch_pfn;
	batch->nr = 0;
	tlb->batch_pfn = page_to_pfn(vm, page);
	return batch;
}

void tlb_remove_page(struct mmu_gather *tlb, struct page *page)
{
	u32 pfn = (u32)page_to_pfn(tlb->mm->vm, page);
	struct gather_batch *batch;

	if (tlb->nr_pages == MAX_GATHER_PAGES) {
		flush_range(tlb);
		free_gathered(tlb);
	}
	if (tlb->nr_pages < MMU_GATHER_BUNDLE) {
		tlb->local[tlb->nr_pages++] = pfn;
		return;
	}
	batch = batch_with_room(tlb);
	if (!batch) {
		flush_range(tlb);
		free_gathered(tlb);
		tlb->local[tlb->nr_pages++] = pfn;
		return;
	}
	batch->pfn[batch->nr++] = pfn;
	tlb->nr_pages++;
}

void tlb_remove_table(struct mmu_gather *tlb, struct page *table)
{
	tlb->freed_tables = true;
	tlb_remove_page(tlb, table);
}

static void tell_worked(const struct mmu_gather *tlb)
{
	for (unsigned what = 0; what < VM_ENTRIES_NR; what++)
		for (unsigned huge = 0; huge < 2; huge++)
			if (tlb->worked[what][huge])
				vm_emit(tlb->mm->vm, &(struct vm_event){.type = VM_EV_ENTRIES,
									.cause = (u8)what,
									.order = huge ? HPAGE_PMD_ORDER : 0,
									.mm = tlb->mm->id,
									.n = tlb->worked[what][huge]});
}

void tlb_finish_mmu(struct mmu_gather *tlb)
{
	flush_range(tlb);
	free_gathered(tlb);
	tell_worked(tlb);
}

void tlb_gather_end(struct mmu_gather *tlb)
{
	if (tlb->mm)
		tlb_finish_mmu(tlb);
	tlb->mm = NULL;
}

struct mmu_gather *tlb_gather_of(struct mmu_gather *tlb, struct hw_cpu *cpu, struct mm_struct *mm,
				 enum vm_flush_cause cause)
{
	if (tlb->mm != mm) {
		tlb_gather_end(tlb);
		tlb_gather_mmu(tlb, cpu, mm, cause);
	}
	return tlb;
}

/* ---- for whoever finds a flush missing ---- */

const char *vm_last_change(struct hw_cpu *cpu, u64 va, u64 *nr)
{
	const struct vm_cpu *vcpu = *hw_percpu(cpu);

	*nr = 0;
	return vcpu && vcpu->loaded_mm ? pt_last_change(vcpu->loaded_mm, va, nr) : NULL;
}
