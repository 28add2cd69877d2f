/* SPDX-License-Identifier: MIT
 *
 * test/mm/flat_hw.c - hw.h for tests: see flat_hw.h.
 *
 * Sources: Intel SDM vol. 3A 4.5 - 4.7 (walk, rights, error code), 4.10 (what may be cached, what an invalidation
 * drops).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/errno.h"
#include "test/mm/flat_hw.h"

#define CPUS      64
#define TLB_SLOTS 4096
#define PSC_SLOTS 512

/* A cached translation: a leaf, or (in a PSC) the entry of a table. It is good while it is younger than the last
 * invalidation of all that its PCID has: so that one takes no time, as tests do them by the million. */
struct cached {
	u64 stamp; /* when it was filled; 0: empty, or dropped alone */
	u16 pcid;
	u8 level;
	u64 number; /* va >> shift of level */
	u64 entry;  /* rights: those of the whole path, in RW, US, NX */
};
#define PCIDS 4096

struct cache {
	unsigned slots;
	struct cached *slot; /* [slots]; made when the CPU is first used */
	u64 *dropped;        /* [PCIDS]: when */
	u64 dropped_all;
};

struct hw_cpu {
	struct hw_machine *machine;
	unsigned id;
	u64 cr3;
	void *percpu;
	struct mm_struct *running;
	struct cache tlb, psc;
	u64 clock; /* of fills and drops */
};

struct hw_machine {
	u8 *ram;
	bool lent; /* the caller's */
	u64 bytes;
	unsigned features;
	struct vm *vm;
	struct hw_cpu cpu[CPUS];
	struct hw_cpu *current;
	u64 irq_depth;
	bool forgetful; /* it is told to invalidate, and does not */
	struct flat_events events;
};

jmp_buf *flat_panic_jmp;
char flat_panic_text[256];

/* ---- the seam ---- */

int hw_ram(struct hw_machine *m, unsigned index, u64 *start, u64 *end)
{
	/* A hole of one frame, so that RAM is two ranges and the second starts unaligned. */
	u64 hole = m->bytes / 4;

	if (index > 1)
		return -ENOENT;
	*start = index ? hole + PAGE_SIZE : 0;
	*end = index ? m->bytes : hole;
	return 0;
}
struct hw_cpu *hw_this_cpu(struct hw_machine *m)
{
	return m->current;
}
unsigned hw_cpu_id(struct hw_cpu *cpu)
{
	return cpu->id;
}
unsigned hw_features(struct hw_cpu *cpu)
{
	return cpu->machine->features;
}
void **hw_percpu(struct hw_cpu *cpu)
{
	return &cpu->percpu;
}
u64 hw_read_cr3(struct hw_cpu *cpu)
{
	return cpu->cr3;
}

static unsigned pcid_of(const struct hw_cpu *cpu)
{
	return cpu->machine->features & HW_PCID ? cpu->cr3 & X86_CR3_PCID : 0;
}

static bool is_good(const struct cache *cache, const struct cached *c)
{
	return c->stamp > cache->dropped[c->pcid] && c->stamp > cache->dropped_all;
}

/* Drops what is of one PCID, or of all (pcid < 0). */
static void drop(struct hw_cpu *cpu, struct cache *cache, int pcid)
{
	cpu->clock++;
	if (!cache->slot)
		return;
	if (pcid < 0)
		cache->dropped_all = cpu->clock;
	else
		cache->dropped[pcid] = cpu->clock;
}

static void drop_pcid(struct hw_cpu *cpu, int pcid)
{
	drop(cpu, &cpu->tlb, pcid);
	drop(cpu, &cpu->psc, pcid);
}

void hw_write_cr3(struct hw_cpu *cpu, u64 v)
{
	bool pcide = cpu->machine->features & HW_PCID;

	if (!pcide && v & (X86_CR3_NOFLUSH | X86_CR3_PCID))
		hw_panic("flat: PCID bits in CR3 without PCID");
	cpu->machine->events.cr3_writes++;
	cpu->machine->events.last_cr3 = v;
	cpu->cr3 = v & ~X86_CR3_NOFLUSH;
	if (!(v & X86_CR3_NOFLUSH) && !cpu->machine->forgetful)
		drop_pcid(cpu, (int)pcid_of(cpu));
}

static struct cached *slot_of(struct cache *cache, unsigned pcid, unsigned level, u64 va)
{
	u64 number = va >> x86_level_shift(level);

	return &cache->slot[(number * 0x9e3779b97f4a7c15ull >> 40 ^ pcid * 37 ^ level * 101) % cache->slots];
}

static struct cached *cache_find(struct cache *cache, unsigned pcid, unsigned level, u64 va)
{
	struct cached *c = slot_of(cache, pcid, level, va);

	if (!is_good(cache, c) || c->pcid != pcid || c->level != level || c->number != va >> x86_level_shift(level))
		return NULL;
	return c;
}

static void cache_fill(struct hw_cpu *cpu, struct cache *cache, unsigned level, u64 va, u64 entry)
{
	unsigned pcid = pcid_of(cpu);

	*slot_of(cache, pcid, level, va) = (struct cached){.stamp = ++cpu->clock,
							   .pcid = (u16)pcid,
							   .level = (u8)level,
							   .number = va >> x86_level_shift(level),
							   .entry = entry};
}

static void drop_va(struct cache *cache, unsigned pcid, u64 va)
{
	for (unsigned level = 1; cache->slot && level <= 4; level++) {
		struct cached *c = cache_find(cache, pcid, level, va);

		if (c)
			c->stamp = 0;
	}
}

static void invlpg(struct hw_cpu *cpu, unsigned pcid, u64 va)
{
	drop_va(&cpu->tlb, pcid, va);
	drop(cpu, &cpu->psc, (int)pcid);
}

void hw_invlpg(struct hw_cpu *cpu, u64 va)
{
	cpu->machine->events.invlpgs++;
	if (!cpu->machine->forgetful)
		invlpg(cpu, pcid_of(cpu), va);
}
void hw_invpcid(struct hw_cpu *cpu, unsigned type, unsigned pcid, u64 va)
{
	if (!(cpu->machine->features & HW_INVPCID))
		hw_panic("flat: INVPCID where there is none");
	cpu->machine->events.invpcids++;
	if (cpu->machine->forgetful)
		return;
	if (type == X86_INVPCID_ADDR) { /* of the paging-structure caches, what leads to va only */
		drop_va(&cpu->tlb, pcid, va);
		drop_va(&cpu->psc, pcid, va);
		return;
	}
	drop_pcid(cpu, type == X86_INVPCID_SINGLE ? (int)pcid : -1);
}
void hw_shootdown(struct hw_machine *m, u64 mask, const struct tlb_flush *req)
{
	if (m->irq_depth)
		hw_panic("flat: shootdown with interrupts off");
	for (unsigned i = 0; i < CPUS; i++) {
		if (mask >> i & 1)
			vm_shootdown(&m->cpu[i], req);
	}
}
u64 hw_irq_save(struct hw_machine *m)
{
	return m->irq_depth++;
}
void hw_irq_restore(struct hw_machine *m, u64 flags)
{
	if (--m->irq_depth != flags)
		hw_panic("flat: interrupts restored out of order");
}
void hw_clear_frames(struct hw_machine *m, u64 pfn, unsigned order)
{
	memset(m->ram + (pfn << PAGE_SHIFT), 0, PAGE_SIZE << order);
	m->events.frames_cleared += 1ull << order;
}
void hw_copy_frames(struct hw_machine *m, u64 dst_pfn, u64 src_pfn, unsigned order)
{
	memcpy(m->ram + (dst_pfn << PAGE_SHIFT), m->ram + (src_pfn << PAGE_SHIFT), PAGE_SIZE << order);
	m->events.frames_copied += 1ull << order;
}
void hw_event(struct hw_machine *m, const struct vm_event *ev)
{
	struct flat_events *e = &m->events;

	e->type[ev->type]++;
	if (ev->type == VM_EV_FAULT) {
		e->fault[ev->cause]++;
		e->faults++;
		e->last_fault = *ev;
	} else if (ev->type == VM_EV_POPULATE) {
		e->populate[ev->cause]++;
		e->populates++;
	} else if (ev->type == VM_EV_TLB_FLUSH) {
		if (ev->n == VM_FLUSH_ALL)
			e->full_flushes++;
		else
			e->pages_flushed += ev->n;
	} else if (ev->type == VM_EV_SHOOTDOWN) {
		e->ipis += ev->n;
	} else if (ev->type == VM_EV_SWITCH) {
		e->flushing_switches += ev->n;
	}
}
void hw_log(struct hw_machine *m, const char *line)
{
	fprintf(stderr, "mm: %s\n", line);
}
_Noreturn void hw_panic(const char *line)
{
	snprintf(flat_panic_text, sizeof(flat_panic_text), "%s", line);
	if (flat_panic_jmp)
		longjmp(*flat_panic_jmp, 1);
	fprintf(stderr, "panic: %s\n", line);
	abort();
}

/* ---- the owner's side ---- */

/* The last machine that was made with lent RAM: the next one takes its caches, empty, instead of making them. */
static struct hw_machine *spare;

static struct hw_machine *machine_take(bool lent)
{
	struct hw_machine *m = lent && spare ? spare : calloc(1, sizeof(*m));

	if (!m)
		abort();
	if (lent)
		spare = NULL;
	for (unsigned i = 0; i < CPUS; i++) {
		struct hw_cpu *cpu = &m->cpu[i];

		drop_pcid(cpu, -1);
		*cpu = (struct hw_cpu){.machine = m, .id = i, .tlb = cpu->tlb, .psc = cpu->psc, .clock = cpu->clock};
	}
	m->lent = lent;
	m->irq_depth = 0;
	m->forgetful = false;
	m->events = (struct flat_events){0};
	return m;
}

struct hw_machine *flat_create(const struct flat_config *cfg)
{
	struct hw_machine *m = machine_take(cfg->ram != NULL);
	struct vm_config vm = cfg->vm;

	m->bytes = cfg->ram_bytes;
	m->features = cfg->features ? cfg->features : HW_NX | HW_PGE | HW_PCID | HW_INVPCID | HW_GBPAGES;
	m->ram = m->lent
		     ? cfg->ram
		     : mmap(NULL, m->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->ram == MAP_FAILED)
		abort();
	m->current = flat_cpu(m, 0);
	vm.ram_base = m->ram;
	m->vm = vm_init(m, &vm);
	return m;
}

static void cache_free(struct cache *cache)
{
	free(cache->slot);
	free(cache->dropped);
}

void flat_destroy(struct hw_machine *m)
{
	if (m->lent && !spare) {
		spare = m;
		return;
	}
	for (unsigned i = 0; i < CPUS; i++) {
		cache_free(&m->cpu[i].tlb);
		cache_free(&m->cpu[i].psc);
	}
	if (!m->lent)
		munmap(m->ram, m->bytes);
	free(m);
}

struct vm *flat_vm(struct hw_machine *m)
{
	return m->vm;
}

static void cache_make(struct cache *cache, unsigned slots)
{
	*cache = (struct cache){
	    .slots = slots, .slot = calloc(slots, sizeof(struct cached)), .dropped = calloc(PCIDS, sizeof(u64))};
	if (!cache->slot || !cache->dropped)
		abort();
}

struct hw_cpu *flat_cpu(struct hw_machine *m, unsigned id)
{
	struct hw_cpu *cpu = &m->cpu[id];

	if (!cpu->tlb.slot) {
		cache_make(&cpu->tlb, TLB_SLOTS);
		cache_make(&cpu->psc, PSC_SLOTS);
	}
	return cpu;
}

void flat_lose_flushes(struct hw_machine *m, bool lose)
{
	m->forgetful = lose;
}

struct flat_events *flat_events(struct hw_machine *m)
{
	return &m->events;
}

void flat_reset_events(struct hw_machine *m)
{
	memset(&m->events, 0, sizeof(m->events));
}

void flat_run(struct hw_cpu *cpu, struct mm_struct *mm)
{
	cpu->machine->current = cpu;
	cpu->running = mm;
	vm_switch(cpu, mm);
}

/* ---- the MMU ---- */

#define RIGHTS (X86_PTE_RW | X86_PTE_US)

struct walk {
	u64 entry; /* leaf with the path's rights; 0: not present */
	unsigned level;
	u64 *where;
};

/* From the table `pfn` of `level` downwards; rights of the path above are in `path`. */
static struct walk walk_from(struct hw_cpu *cpu, u64 va, unsigned level, u64 table_pa, u64 path, bool fill)
{
	for (;; level--) {
		u64 *where = (u64 *)(cpu->machine->ram + table_pa) + x86_index(va, level), entry = *where;

		if (!(entry & X86_PTE_P))
			return (struct walk){0, level, where};
		path = (path & (entry | ~(u64)RIGHTS)) | (entry & X86_PTE_NX);
		if (level == 1 || entry & X86_PTE_PS) {
			entry = (entry & ~(RIGHTS | X86_PTE_NX)) | (path & (RIGHTS | X86_PTE_NX));
			return (struct walk){entry, level, where};
		}
		*where |= X86_PTE_A;
		table_pa = entry & X86_PHYS_MASK;
		if (fill)
			cache_fill(cpu, &cpu->psc, level, va, table_pa | (path & (RIGHTS | X86_PTE_NX)));
	}
}

static struct walk walk_memory(struct hw_cpu *cpu, u64 va)
{
	return walk_from(cpu, va, 4, cpu->cr3 & X86_PHYS_MASK, RIGHTS, false);
}

/* Begins at the lowest table that the paging-structure caches know. */
static struct walk walk_cached(struct hw_cpu *cpu, u64 va)
{
	for (unsigned level = 2; level <= 4; level++) {
		struct cached *c = cache_find(&cpu->psc, pcid_of(cpu), level, va);

		if (c)
			return walk_from(cpu, va, level - 1, c->entry & X86_PHYS_MASK, c->entry, true);
	}
	return walk_from(cpu, va, 4, cpu->cr3 & X86_PHYS_MASK, RIGHTS, true);
}

static bool allows(u64 entry, char kind)
{
	return entry & X86_PTE_US && !(kind == 'w' && !(entry & X86_PTE_RW)) && !(kind == 'x' && entry & X86_PTE_NX);
}

static struct cached *tlb_find(struct hw_cpu *cpu, u64 va)
{
	for (unsigned level = 1; level <= 3; level++) {
		struct cached *c = cache_find(&cpu->tlb, pcid_of(cpu), level, va);

		if (c)
			return c;
	}
	return NULL;
}

/* The frame's address of va in a leaf. */
static u64 leaf_pa(u64 entry, unsigned level, u64 va)
{
	u64 size = x86_level_size(level);

	return (entry & X86_PHYS_MASK & ~(size - 1)) | (va & (size - 1));
}

static void flat_stale(struct hw_cpu *cpu, u64 va, u64 cached, u64 memory)
{
	char text[240];
	u64 nr;
	const char *who = vm_last_change(cpu, va, &nr);

	snprintf(
	    text, sizeof(text),
	    "flat: stale translation used: cpu %u va %llx cached %llx memory %llx, last changed by %s, change %llu",
	    cpu->id, (unsigned long long)va, (unsigned long long)cached, (unsigned long long)memory,
	    who ? who : "nobody known", (unsigned long long)nr);
	hw_panic(text);
}

/* Returns 0 and *pa, or the error code of a #PF (bit 31 set, so that it is never 0). */
static unsigned translate(struct hw_cpu *cpu, u64 va, char kind, u64 *pa)
{
	unsigned code = X86_PF_USER | (kind == 'w' ? X86_PF_WRITE : 0) | (kind == 'x' ? X86_PF_INSTR : 0) | 1u << 31;
	struct cached *hit = tlb_find(cpu, va);
	struct walk now = walk_memory(cpu, va), w;

	if (hit && (!now.entry || leaf_pa(now.entry, now.level, va) != leaf_pa(hit->entry, hit->level, va) ||
		    (hit->entry & ~now.entry & RIGHTS) || (now.entry & ~hit->entry & X86_PTE_NX)))
		flat_stale(cpu, va, hit->entry, now.entry);
	w = hit ? (struct walk){hit->entry, hit->level, now.where} : walk_cached(cpu, va);
	if (w.where != now.where)
		flat_stale(cpu, va, w.entry, now.entry);
	if (!w.entry || !allows(w.entry, kind)) {
		invlpg(cpu, pcid_of(cpu), va); /* a fault drops what is cached of its address */
		return code | (w.entry ? X86_PF_PROT : 0);
	}
	*w.where |= X86_PTE_A | (kind == 'w' ? X86_PTE_D : 0);
	cache_fill(cpu, &cpu->tlb, w.level, va, w.entry);
	*pa = leaf_pa(w.entry, w.level, va);
	return 0;
}

void flat_speculate(struct hw_cpu *cpu, u64 va)
{
	walk_cached(cpu, va);
}

bool flat_caches_sound(struct hw_machine *m)
{
	for (unsigned i = 0; i < CPUS; i++) {
		struct hw_cpu *cpu = &m->cpu[i];
		unsigned pcid = pcid_of(cpu);

		for (unsigned k = 0; cpu->psc.slot && k < PSC_SLOTS; k++) {
			struct cached *c = &cpu->psc.slot[k];
			u64 table_pa = cpu->cr3 & X86_PHYS_MASK;

			if (c->pcid != pcid || !is_good(&cpu->psc, c))
				continue;
			for (unsigned level = 4; level >= c->level; level--) {
				u64 va = c->number << x86_level_shift(c->level);
				u64 entry = ((u64 *)(m->ram + table_pa))[x86_index(va, level)];

				table_pa = entry & X86_PTE_P ? entry & X86_PHYS_MASK : 0;
				if (!table_pa)
					break;
			}
			if (table_pa != (c->entry & X86_PHYS_MASK)) {
				fprintf(stderr, "flat: cpu %u may walk through a table that is gone\n", i);
				return false;
			}
		}
	}
	return true;
}

int flat_access(struct hw_cpu *cpu, u64 va, char kind, u8 *byte)
{
	u64 pa;

	cpu->machine->current = cpu;
	for (unsigned tries = 0; tries < 8; tries++) {
		unsigned code;
		int end;

		vm_exit_to_user(cpu);
		code = translate(cpu, va, kind, &pa);
		vm_enter_kernel(cpu);
		if (!code) {
			if (kind == 'w')
				cpu->machine->ram[pa] = *byte;
			else
				*byte = cpu->machine->ram[pa];
			return 0;
		}
		end = vm_fault(cpu, cpu->running, va, code & ~(1u << 31));
		if (end)
			return end;
	}
	hw_panic("flat: an access faults for ever");
}

int flat_touch(struct hw_cpu *cpu, u64 start, u64 bytes, char kind)
{
	for (u64 va = start; va < start + bytes; va += PAGE_SIZE) {
		u8 byte = (u8)(va >> PAGE_SHIFT);
		int end = flat_access(cpu, va, kind, &byte);

		if (end)
			return end;
	}
	return 0;
}
