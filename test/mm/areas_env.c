/* SPDX-License-Identifier: MIT
 *
 * test/mm/areas_env.c - one machine for a test of areas: the whole of mm/ at check level 3, on test/mm/flat_hw.c, whose
 * CPU ends the test when a flush was forgotten.
 */
#include "test/mm/areas_env.h"
#include "test/mm/flat_hw.h"
#include <stdlib.h>

#define RAM_BYTES (24ull << 20)

static struct hw_machine *machine;
static const struct vm_variant *variant; /* NULL: the newest Linux */

static struct vm *env_vm(void)
{
	struct flat_config cfg = {.ram_bytes = RAM_BYTES,
				  .vm = {.check = 3, .thp = VM_THP_MADVISE, .pcid = true, .variant = variant}};

	if (!machine)
		machine = flat_create(&cfg);
	return flat_vm(machine);
}

void env_set_variant(const struct vm_variant *v)
{
	variant = v;
}

void env_end(void)
{
	flat_destroy(machine);
	machine = NULL;
}

struct mm_struct *env_mm(void)
{
	return mm_create(env_vm());
}

struct mm_struct *env_fork(struct mm_struct *parent)
{
	struct mm_struct *child;

	if (mm_fork(env_cpu(), parent, &child))
		abort();
	return child;
}

struct hw_cpu *env_cpu(void)
{
	return flat_cpu(machine, 0);
}

void env_write(struct mm_struct *mm, u64 va, u8 byte)
{
	flat_run(env_cpu(), mm);
	if (flat_access(env_cpu(), va, 'w', &byte))
		abort();
}

u8 env_read(struct mm_struct *mm, u64 va)
{
	u8 byte;

	flat_run(env_cpu(), mm);
	if (flat_access(env_cpu(), va, 'r', &byte))
		abort();
	return byte;
}

int env_access(struct mm_struct *mm, u64 va, char kind, u8 *byte)
{
	flat_run(env_cpu(), mm);
	return flat_access(env_cpu(), va, kind, byte);
}

static int read_zeroes(void *ctx, u64 index, u64 pfn)
{
	hw_clear_frames(machine, pfn, 0);
	return 0;
}

struct address_space *env_file(u64 size)
{
	static const struct backing_ops zeroes = {.read_page = read_zeroes};

	return vm_file_create(env_vm(), size, &zeroes, NULL);
}

struct address_space *env_shmem(u64 size)
{
	return shmem_file_create(env_vm(), size);
}

void env_set_max_map_count(u32 n)
{
	env_vm()->cfg.max_map_count = n;
}

/* A slab asks for a frame only when it has no room: take what room there is, so that the next area needs one. */
void env_fail_after(long n)
{
	static void *hoard[64];
	static unsigned held;
	struct vm *vm = env_vm();

	while (held)
		slab_free(vm, SLAB_VMA, hoard[--held]);
	while (n >= 0 && vm->slab[SLAB_VMA].partial)
		hoard[held++] = slab_alloc(vm, SLAB_VMA);
	vm_fail_alloc_after(vm, n < 0 ? ~0ull : (u64)n);
}

u64 env_live_areas(void)
{
	return env_vm()->slab[SLAB_VMA].objects;
}
