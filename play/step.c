/* SPDX-License-Identifier: MIT
 *
 * play/step.c - the explanations of `quire play --step`.
 *
 *     7  write $a 42
 *        write at 0x20fffffff000: PML4 65, PDPT 511, PD 511, PT 511, offset 0
 *          TLB miss; the walk begins at CR3 and reads 1 entry
 *            PML4[ 65] 0                       empty
 *          #PF: CR2 = 0x20fffffff000, error code 0x6 = not present | write | user
 *          kernel: row 2: ...
 *        the write again
 *          ...
 *
 * The entries are shown as the walk found them; bits that the walk sets (A, D) are told after it. Of many accesses in
 * one line the first few are told, the others counted.
 */
#include <inttypes.h>

#include "mm/vm.h"
#include "play/names.h"
#include "play/step.h"
#include "x86/paging.h"

#define TOLD 3 /* accesses of a line that are explained */

static const char *const size_name[] = {"4K", "2M", "1G"};

/* ---- a line ---- */

void step_begin(struct step *s)
{
	s->on = true;
	s->told = s->more = s->more_faults = 0;
	s->faulted = s->quiet = false;
}

void step_end(struct step *s)
{
	if (s->more)
		fprintf(s->out, "        ... and %" PRIu64 " more accesses like these, with %" PRIu64 " page faults\n",
			s->more, s->more_faults);
	if (s->swapped_out)
		fprintf(s->out,
			"          written to swap: %" PRIu64
			", and still in memory (the swap cache): these frames are the next to go\n",
			s->swapped_out);
	s->swapped_out = s->written_back = 0;
	s->on = false;
}

/* ---- an access ---- */

static const char *access_name(unsigned access)
{
	static const char *const name[] = {"read", "write", "fetch"};

	return name[access & MMU_KIND];
}

static void tell_split(const struct step *s, u64 va, unsigned access)
{
	fprintf(s->out, "        %s at %#" PRIx64 ": ", access_name(access), va);
	if (!x86_canonical(va, 48)) {
		fprintf(s->out, "not canonical (bits 63..47 differ)\n");
		return;
	}
	for (unsigned level = X86_PML4; level >= X86_PT; level--)
		fprintf(s->out, "%s %u, ", x86_level_name(level), x86_index(va, level));
	fprintf(s->out, "offset %u\n", (unsigned)(va & (PAGE_SIZE - 1)));
}

void step_before_access(struct step *s, const struct mmu_cpu *cpu, u64 va, unsigned access)
{
	struct mmu_result r;

	s->quiet = !s->on || (!s->faulted && s->told >= TOLD);
	if (s->quiet)
		return;
	if (s->faulted)
		fprintf(s->out, "        the %s again\n", access_name(access));
	else
		tell_split(s, va, access);
	s->told += !s->faulted;
	mmu_walk(cpu, va, access, &r, s->entry);
	s->counters = mmu_counters(cpu);
	s->rewalks = s->counters->rewalks[0] + s->counters->rewalks[1];
}

static void tell_bits(const struct step *s, u64 entry)
{
	const char *between = "";

	for (const struct named *bit = pte_bit_names; bit->name; bit++) {
		if (!(entry & (u64)bit->value))
			continue;
		fprintf(s->out, "%s%s", between, bit->name);
		between = " ";
	}
}

static void tell_entry(const struct step *s, u64 va, unsigned level)
{
	u64 entry = s->entry[level];
	bool leaf = level == X86_PT || entry & X86_PTE_PS;
	u64 pa = entry & X86_PHYS_MASK & ~(leaf ? x86_level_size(level) - 1 : 0), slot;

	fprintf(s->out, "            %4s[%3u] ", x86_level_name(level), x86_index(va, level));
	if (entry == 0) {
		fprintf(s->out, "0: empty\n");
		return;
	}
	fprintf(s->out, "%#018" PRIx64 ": ", entry);
	if (!(entry & X86_PTE_P) && level == X86_PT && vm_entry_swap_slot(entry, &slot))
		fprintf(s->out, "not present: a swap entry, slot %" PRIu64, slot);
	else if (vm_entry_guard(entry))
		fprintf(s->out, "not present: a guard page");
	else if (!(entry & X86_PTE_P))
		fprintf(s->out, "not present (the kernel keeps a page without rights here)");
	else
		fprintf(s->out, "%s at %#" PRIx64 "  ", leaf ? "page" : "table", pa);
	if (entry & X86_PTE_P)
		tell_bits(s, entry);
	fputc('\n', s->out);
}

/* Why a walk, where it began, and what it read. */
static void tell_walk(const struct step *s, u64 va, const struct mmu_result *r)
{
	unsigned first = r->stop_level + r->steps - 1u;
	bool rewalk = s->counters->rewalks[0] + s->counters->rewalks[1] != s->rewalks;

	fprintf(s->out, "          %s; ",
		rewalk ? "the TLB's entry does not serve (a right or D is missing)" : "TLB miss");
	if (first < X86_PML4)
		fprintf(s->out, "the paging-structure caches know the %s entry: the walk begins at the %s",
			x86_level_name(first + 1), x86_level_name(first));
	else
		fprintf(s->out, "nothing in the paging-structure caches: the walk begins at CR3");
	fprintf(s->out, " and reads %u %s\n", r->steps, r->steps == 1 ? "entry" : "entries");
	for (unsigned level = first; level >= r->stop_level; level--)
		tell_entry(s, va, level);
}

static void tell_error_code(const struct step *s, u64 va, u32 code)
{
	fprintf(s->out, "          #PF: CR2 = %#" PRIx64 ", error code %#x = %s | %s | %s", va, code,
		code & X86_PF_PROT ? "a right is missing" : "not present", code & X86_PF_WRITE ? "write" : "read",
		code & X86_PF_USER ? "user" : "supervisor");
	if (code & X86_PF_RSVD)
		fprintf(s->out, " | reserved bit");
	if (code & X86_PF_INSTR)
		fprintf(s->out, " | instruction fetch");
	if (code & X86_PF_PK)
		fprintf(s->out, " | protection key");
	fputc('\n', s->out);
}

/* A and D that the walk has set. */
static void tell_accessed(const struct step *s, unsigned access, const struct mmu_result *r)
{
	unsigned first = r->stop_level + r->steps - 1u;

	for (unsigned level = first; level >= r->stop_level; level--)
		if (!(s->entry[level] & X86_PTE_A))
			fprintf(s->out, "          the walk sets A in the %s entry\n", x86_level_name(level));
	if ((access & MMU_KIND) == MMU_WRITE && !(s->entry[r->stop_level] & X86_PTE_D))
		fprintf(s->out, "          the walk sets D: the page is written to\n");
}

static void tell_success(const struct step *s, u64 va, unsigned access, const struct mmu_result *r)
{
	if (r->level_hit)
		fprintf(s->out, "          TLB hit, level %u, a %s entry: no table is read\n", r->level_hit,
			size_name[r->size]);
	else
		tell_walk(s, va, r);
	if (r->level_hit == 0)
		tell_accessed(s, access, r);
	fprintf(s->out, "          physical address %#" PRIx64 "%s%s%s\n", r->pa,
		r->level_hit ? "" : "; the TLB keeps it as a ", r->level_hit ? "" : size_name[r->size],
		r->level_hit ? "" : " page");
}

void step_after_access(struct step *s, u64 va, unsigned access, const struct mmu_result *r)
{
	if (s->quiet) {
		s->more += r->outcome == MMU_OK;
		s->more_faults += r->outcome == MMU_PF;
		return;
	}
	s->faulted = r->outcome == MMU_PF;
	if (r->outcome == MMU_GP) {
		fprintf(s->out, "          #GP: no page fault, and no address in CR2\n");
	} else if (r->outcome == MMU_PF) {
		tell_walk(s, va, r);
		tell_error_code(s, va, r->error_code);
	} else {
		tell_success(s, va, access, r);
	}
}

/* ---- what the kernel does ---- */

static const char *const cause_text[VM_FAULT_NR] = {
    [VM_FAULT_ZERO_READ] = "row 2, an empty entry of anonymous memory is read: the zero page, shared by all, read-only",
    [VM_FAULT_ZERO_WRITE] = "row 2, an empty entry of anonymous memory is written: a frame is taken and zeroed",
    [VM_FAULT_FILE] = "row 3, an empty entry of a file's area: the page comes from the page cache",
    [VM_FAULT_COW_COPY] = "row 5, a write to a page that others have too (or the zero page): a copy of its own",
    [VM_FAULT_COW_REUSE] = "row 5, a write to a read-only page that nobody else has any more: made writable, no copy",
    [VM_FAULT_STACK] = "row 0, just below a stack area: the area grows down, and the page is given",
    [VM_FAULT_SWAP] = "row 4, a swap entry: the page comes back",
    [VM_FAULT_SPURIOUS] = "row 6, the entry allows it: the CPU used an older one",
    [VM_FAULT_MAPERR] = "row 0, no area holds the address: SIGSEGV, SEGV_MAPERR",
    [VM_FAULT_ACCERR] = "row 1, the area forbids it: SIGSEGV, SEGV_ACCERR",
    [VM_FAULT_PKUERR] = "row 1, PKRU forbids the page's protection key: SIGSEGV, SEGV_PKUERR",
    [VM_FAULT_BUS] = "row 3, past the end of the file: SIGBUS, BUS_ADRERR",
    [VM_FAULT_NOMEM] = "no frame is free: the process is killed",
};

static void tell_fault(const struct step *s, const struct vm_event *ev)
{
	bool major = ev->flags & VM_EVF_MAJOR;

	fprintf(s->out, "          kernel: %s%s%s\n", cause_text[ev->cause],
		ev->order == HPAGE_PMD_ORDER ? " (a huge page: 512 frames, one entry)" : "",
		major                        ? "; it waited for the device (a major fault)"
		: ev->cause == VM_FAULT_SWAP ? " from the swap cache"
					     : "");
}

static void tell_flush(const struct step *s, u64 pages)
{
	if (pages == VM_FLUSH_ALL)
		fprintf(s->out, "          flushed: the whole address space's translations\n");
	else
		fprintf(s->out, "          flushed: %" PRIu64 " page%s, one INVLPG each\n", pages,
			pages == 1 ? "" : "s");
}

static void tell_reclaim(struct step *s, u64 frames)
{
	fprintf(s->out,
		"          reclaimed: %" PRIu64 " frame%s; written to swap: %" PRIu64 ", to files: %" PRIu64 "%s\n",
		frames, frames == 1 ? "" : "s", s->swapped_out, s->written_back,
		frames > s->swapped_out + s->written_back ? "; the others can be read or made again" : "");
	s->swapped_out = s->written_back = 0;
}

void step_event(struct step *s, const struct vm_event *ev)
{
	if (!s->on || s->quiet)
		return;
	switch (ev->type) {
	case VM_EV_FAULT:
		tell_fault(s, ev);
		break;
	case VM_EV_POPULATE:
		s->more_faults++;
		break;
	case VM_EV_TLB_FLUSH:
		tell_flush(s, ev->n);
		break;
	case VM_EV_SHOOTDOWN:
		fprintf(s->out, "          shootdown: %" PRIu64 " other CPU%s interrupted to flush too\n", ev->n,
			ev->n == 1 ? " is" : "s are");
		break;
	case VM_EV_SWITCH:
		fprintf(s->out, "          CR3 is loaded: %s\n",
			ev->n ? "the entries under its PCID are flushed" : "what the TLB has under its PCID is kept");
		break;
	case VM_EV_SWAP_OUT:
		s->swapped_out += ev->n;
		break;
	case VM_EV_WRITEBACK:
		s->written_back += ev->n;
		break;
	case VM_EV_RECLAIM:
		tell_reclaim(s, ev->n);
		break;
	case VM_EV_SWAP_IN:
		fprintf(s->out, "          read from swap: %" PRIu64 " page%s in one request\n", ev->n,
			ev->n == 1 ? "" : "s");
		break;
	case VM_EV_SWAP_RA_HIT:
		fprintf(s->out, "          the page was read ahead: it is in memory\n");
		break;
	case VM_EV_FILE_READ:
		fprintf(s->out, "          read from the file: %" PRIu64 " page%s\n", ev->n, ev->n == 1 ? "" : "s");
		break;
	case VM_EV_OOM_KILL:
		fprintf(s->out,
			"          nothing can be freed: the process with most memory, %" PRIu64 " pages, must end\n",
			ev->n);
		break;
	case VM_EV_THP_FAULT_FALLBACK:
		fprintf(s->out, "          a huge page was wanted, and none is free\n");
		break;
	case VM_EV_THP_SPLIT:
		fprintf(s->out, "          a huge page's entry becomes a table of 512 small ones\n");
		break;
	case VM_EV_THP_COLLAPSE:
		fprintf(s->out, "          512 small pages are copied into one huge page, which takes their place\n");
		break;
	}
}
