/* SPDX-License-Identifier: MIT
 *
 * test/mm/areas_env.c - a machine for tests of areas: the whole of mm/ at check level 3, on RAM without contents and
 * one CPU that holds no translations.
 */
#include "test/mm/areas_env.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define RAM_BYTES (24ull << 20)

struct hw_cpu {
	u64 cr3;
	void *percpu;
};

struct hw_machine {
	struct hw_cpu cpu;
};

static struct hw_machine machine;
static struct vm *vm;

static void boot(void)
{
	struct vm_config cfg = {.check = 3, .thp = VM_THP_MADVISE, .pcid = true};

	if (vm)
		return;
	cfg.ram_base = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (cfg.ram_base == (void *)-1 || !(vm = vm_init(&machine, &cfg)))
		abort();
}

struct mm_struct *env_mm(void)
{
	boot();
	return mm_create(vm);
}

struct mm_struct *env_fork(struct mm_struct *parent)
{
	struct mm_struct *child;

	if (mm_fork(&machine.cpu, parent, &child))
		abort();
	return child;
}

struct hw_cpu *env_cpu(void)
{
	return &machine.cpu;
}

void env_write(struct mm_struct *mm, u64 va)
{
	if (vm_fault(&machine.cpu, mm, va, X86_PF_USER | X86_PF_WRITE))
		abort();
}

struct address_space *env_file(u64 size)
{
	boot();
	return vm_file_create(vm, size, NULL, NULL);
}

void env_set_max_map_count(u32 n)
{
	vm->cfg.max_map_count = n;
}

void env_fail_after(long n)
{
	vm_fail_alloc_after(vm, n < 0 ? ~0ull : (u64)n);
}

u64 env_live_areas(void)
{
	return vm->slab[SLAB_VMA].objects;
}

/* ---- hw/hw.h ---- */

int hw_ram(struct hw_machine *m, unsigned index, u64 *start, u64 *end)
{
	*start = 0;
	*end = RAM_BYTES;
	return index ? -ENOENT : 0;
}

struct hw_cpu *hw_this_cpu(struct hw_machine *m)
{
	return &m->cpu;
}

unsigned hw_cpu_id(struct hw_cpu *cpu)
{
	return 0;
}

unsigned hw_features(struct hw_cpu *cpu)
{
	return HW_NX | HW_PCID | HW_INVPCID | HW_GBPAGES;
}

void **hw_percpu(struct hw_cpu *cpu)
{
	return &cpu->percpu;
}

u64 hw_read_cr3(struct hw_cpu *cpu)
{
	return cpu->cr3;
}

void hw_write_cr3(struct hw_cpu *cpu, u64 v)
{
	cpu->cr3 = v;
}

void hw_invlpg(struct hw_cpu *cpu, u64 va) {}

void hw_invpcid(struct hw_cpu *cpu, unsigned type, unsigned pcid, u64 va) {}

void hw_shootdown(struct hw_machine *m, u64 mask, const struct tlb_flush *req) {}

u64 hw_irq_save(struct hw_machine *m)
{
	return 0;
}

void hw_irq_restore(struct hw_machine *m, u64 flags) {}

void hw_clear_frames(struct hw_machine *m, u64 pfn, unsigned order) {}

void hw_copy_frames(struct hw_machine *m, u64 dst_pfn, u64 src_pfn, unsigned order) {}

void hw_event(struct hw_machine *m, const struct vm_event *ev) {}

void hw_log(struct hw_machine *m, const char *line) {}

void hw_panic(const char *line)
{
	fprintf(stderr, "panic: %s\n", line);
	abort();
}
