/* SPDX-License-Identifier: MIT
 *
 * bench/null_hw.c - a machine that does nothing: hw.h with as little as it takes. null_hw.h says what for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "bench/null_hw.h"
#include "lib/errno.h"

int hw_ram(struct hw_machine *m, unsigned index, u64 *start, u64 *end)
{
	*start = 0;
	*end = m->ram_bytes;
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
	return HW_NX | HW_PGE | HW_PCID | HW_INVPCID | HW_GBPAGES;
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
	cpu->cr3 = v & ~X86_CR3_NOFLUSH;
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
void hw_event(struct hw_machine *m, const struct vm_event *ev)
{
	m->events++;
}
void hw_log(struct hw_machine *m, const char *line)
{
	fprintf(stderr, "%s\n", line);
}
_Noreturn void hw_panic(const char *line)
{
	fprintf(stderr, "panic: %s\n", line);
	abort();
}

struct vm *null_hw_create(struct hw_machine *m, u64 ram_bytes, struct vm_config cfg)
{
	struct vm *vm;

	*m = (struct hw_machine){.ram_bytes = ram_bytes};
	m->ram = mmap(NULL, ram_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->ram == MAP_FAILED) {
		perror("RAM");
		exit(1);
	}
	cfg.ram_base = m->ram;
	vm = vm_init(m, &cfg);
	if (!vm)
		hw_panic("RAM is too small");
	return vm;
}

void null_hw_destroy(struct hw_machine *m)
{
	munmap(m->ram, m->ram_bytes);
}

double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}
