/* SPDX-License-Identifier: MIT
 *
 * test/fuzz/ops.c - any bytes as calls of vm.h: several processes on three CPUs with little RAM, swap and huge pages, on
 * CPUs that keep every translation until they are told (test/mm/flat_hw.h), vm_check after every CHECK_EVERY of them.
 * Bytes also choose which allocation and which transfer to or from swap fails. Nothing may panic, and at the end all
 * memory is given back.
 *
 * The first two bytes choose the machine.
 *
 * Not blind for its speed: in 10 s of a CPU, each from an empty corpus, this found 1,631 edges in 46,000 runs where
 * the one that ran vm_check after every call, and let libFuzzer count the checkers' branches, found 900 in 6,500.
 */
#include <string.h>

#include "mm/internal.h"
#include "test/fuzz/bytes.h"
#include "test/mm/flat_hw.h"

#define BASE          0x7f0000000000ull
#define PAGES         2048
#define MMS           4
#define CPUS          3
#define MAX_OPS       100
#define CHECK_EVERY   16 /* calls; each mutation checks its own structure anyway (check level 2) */
#define MIB           (1ull << 20)
#define GUARD_INSTALL 102 /* MADV_GUARD_INSTALL; _REMOVE follows */

struct fuzz {
	struct bytes in;
	struct hw_machine *m;
	struct mm_struct *mm[MMS];
	struct address_space *file, *shmem;
	struct {
		u64 pfn; /* 0: nothing */
		enum vm_hold how;
	} held[4];
	unsigned transfers_left; /* until one fails; 0: none will */
};

/* Swap keeps no contents: what matters here is where pages are. */
static int transfer(void *ctx, u64 slot, u64 pfn)
{
	struct fuzz *f = ctx;

	return f->transfers_left && --f->transfers_left == 0 ? -EIO : 0;
}
static const struct backing_ops swap_ops = {.read_page = transfer, .write_page = transfer};

static void create(struct fuzz *f)
{
	u64 how = bytes_take(&f->in, 2);
	bool pcid = how & 4;
	static _Alignas(PMD_SIZE) u8 ram[6 * MIB]; /* the last run's bytes are still in it */
	struct vm_config vm = {.ram_dirty = true,
			       .thp = how % 3,
			       .pcid = pcid,
			       .kpti = how >> 3 & 1,
			       .check = 2,
			       .khugepaged = &vm_khugepaged_defaults,
			       .reclaim = (how >> 4 & 15) % VM_RECLAIM_NR,
			       .swap_slots = how >> 8 & 1 ? 1100 : 40,
			       .swap_rotational = how >> 9 & 1,
			       .overcommit = (how >> 10 & 3) % 3,
			       .swap_ops = &swap_ops,
			       .swap_ctx = f};
	unsigned features = HW_NX | HW_PGE | (pcid ? HW_PCID : 0) | (how >> 12 & 1 && pcid ? HW_INVPCID : 0);

	f->m = flat_create(&(struct flat_config){.ram = ram, .ram_bytes = sizeof(ram), .features = features, .vm = vm});
	f->file = vm_file_create(flat_vm(f->m), 256 * PAGE_SIZE, NULL, NULL);
	f->shmem = shmem_file_create(flat_vm(f->m), 1024 * PAGE_SIZE);
	f->mm[0] = mm_create(flat_vm(f->m));
	MUST(f->file && f->shmem && f->mm[0]);
}

static u64 address(struct fuzz *f)
{
	u64 b = bytes_take(&f->in, 2);

	return BASE + (b & 0x8000 ? b % 4 * PMD_SIZE : b % PAGES * PAGE_SIZE);
}

static u64 length(struct fuzz *f)
{
	u64 b = bytes_take(&f->in, 1);

	return b >= 0xe0 ? (1 + b % 3) * PMD_SIZE : (b & 0x7f) * PAGE_SIZE;
}

static void op_map(struct fuzz *f, struct hw_cpu *cpu, struct mm_struct *mm)
{
	u64 b = bytes_take(&f->in, 2), at = address(f), len = length(f);
	struct address_space *file = b & 1 ? b & 2 ? f->file : f->shmem : NULL;
	unsigned flags = (b & 4 ? MAP_SHARED : MAP_PRIVATE) | (file ? 0 : MAP_ANONYMOUS) | (b & 8 ? 0 : MAP_FIXED) |
			 (b & 16 ? MAP_POPULATE : 0) | (b & 32 ? MAP_NORESERVE : 0);

	vm_mmap(cpu, mm, at, len, b & 64 ? b >> 7 & 7 : PROT_READ | PROT_WRITE, flags, file, b >> 10);
}

static void op_touch(struct fuzz *f, struct hw_cpu *cpu)
{
	static const u64 strides[] = {1, 1, 4, 512};
	u64 b = bytes_take(&f->in, 1), at = address(f), stride = strides[b >> 2 & 3] * PAGE_SIZE;

	for (u64 i = 0; i < 1 + (b >> 4); i++) {
		u8 byte = (u8)i;

		if (flat_access(cpu, at + i * stride, "rwwx"[b & 3], &byte) == VM_FAULT_NOMEM)
			return;
	}
}

static void op_lock(struct fuzz *f, struct hw_cpu *cpu, struct mm_struct *mm)
{
	u64 b = bytes_take(&f->in, 1), at = address(f), len = length(f);

	switch (b & 3) {
	case 0:
		vm_munlock(cpu, mm, at, len);
		break;
	case 1:
		vm_mlock(cpu, mm, at, len, b & 4 ? MLOCK_ONFAULT : 0);
		break;
	case 2:
		vm_mlockall(cpu, mm, b >> 2 & 7);
		break;
	case 3:
		vm_munlockall(cpu, mm);
	}
}

/* A page is held, in the place of one that was. */
static void op_hold(struct fuzz *f, struct hw_cpu *cpu, struct mm_struct *mm)
{
	u64 b = bytes_take(&f->in, 1), at = address(f), pfn = 0;
	unsigned i = b >> 2 & 3;

	if (f->held[i].pfn)
		vm_release(flat_vm(f->m), f->held[i].pfn, f->held[i].how);
	f->held[i].pfn = 0;
	if (b & 0x80 || vm_hold(cpu, mm, at, b & 1 ? VM_HOLD_PIN : VM_HOLD_GET, b & 2, &pfn))
		return;
	f->held[i].pfn = pfn;
	f->held[i].how = b & 1 ? VM_HOLD_PIN : VM_HOLD_GET;
}

static void op_file(struct fuzz *f)
{
	u64 b = bytes_take(&f->in, 1), len = length(f);
	struct address_space *file = b & 1 ? f->file : f->shmem;

	if (b & 2)
		vm_file_punch(file, (b >> 2) * PAGE_SIZE, len);
	else
		vm_file_resize(file, len);
}

static void op(struct fuzz *f, unsigned i, struct hw_cpu *cpu, u64 what)
{
	struct mm_struct *mm = f->mm[i];
	u64 at, len, b;

	switch (what) {
	case 0:
		op_map(f, cpu, mm);
		break;
	case 1:
		at = address(f);
		vm_munmap(cpu, mm, at, length(f));
		break;
	case 2:
		at = address(f), len = length(f);
		vm_mprotect(cpu, mm, at, len, bytes_take(&f->in, 1) & 7);
		break;
	case 3:
		at = address(f), len = length(f);
		b = bytes_take(&f->in, 1);
		vm_madvise(cpu, mm, at, len, b & 0x80 ? GUARD_INSTALL + (b & 1) : b & 31);
		break;
	case 4:
		at = address(f), len = length(f);
		vm_mremap(cpu, mm, at, len, length(f), bytes_take(&f->in, 1) & 7, address(f));
		break;
	case 5:
		i = bytes_take(&f->in, 1) % MMS;
		if (!f->mm[i] && mm_fork(cpu, mm, &f->mm[i]))
			f->mm[i] = NULL;
		break;
	case 6:
		mm_put(mm);
		f->mm[i] = NULL;
		break;
	case 7:
		vm_fail_alloc_after(flat_vm(f->m), bytes_take(&f->in, 1) & 63);
		break;
	case 8:
		f->transfers_left = bytes_take(&f->in, 1) & 63;
		break;
	case 9:
		vm_tick(flat_vm(f->m), bytes_take(&f->in, 1) * 1000000);
		break;
	case 10:
		flat_speculate(cpu, address(f));
		flat_run(cpu, NULL);
		break;
	case 11:
		op_file(f);
		break;
	case 12:
		op_lock(f, cpu, mm);
		break;
	case 13:
		at = address(f), len = length(f);
		vm_msync(cpu, mm, at, len, bytes_take(&f->in, 1) & 7);
		break;
	case 14:
		op_hold(f, cpu, mm);
		break;
	default:
		op_touch(f, cpu);
	}
}

/* Those that the OOM killer chose are gone; somebody lives. */
static void bury(struct fuzz *f)
{
	unsigned alive = 0;

	for (unsigned i = 0; i < MMS; i++) {
		if (f->mm[i] && f->mm[i]->oom_victim) {
			mm_put(f->mm[i]);
			f->mm[i] = NULL;
		}
		alive += f->mm[i] != NULL;
	}
	if (alive)
		return;
	vm_fail_alloc_after(flat_vm(f->m), ~0ull);
	f->mm[0] = mm_create(flat_vm(f->m));
	MUST(f->mm[0]);
}

static void check(struct fuzz *f)
{
	vm_check(flat_vm(f->m));
	MUST(flat_caches_sound(f->m));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz f = {.in = {data, size}};
	struct vm_meminfo info;

	create(&f);
	for (unsigned n = 0; n < MAX_OPS && f.in.left; n++) {
		u64 b = bytes_take(&f.in, 1), what = bytes_take(&f.in, 1) % 20;
		struct hw_cpu *cpu = flat_cpu(f.m, b % CPUS);
		unsigned i = b >> 2 & (MMS - 1);

		while (!f.mm[i])
			i = (i + 1) % MMS;
		flat_run(cpu, f.mm[i]);
		op(&f, i, cpu, what);
		bury(&f);
		if (n % CHECK_EVERY == 0)
			check(&f);
	}
	check(&f);
	for (unsigned i = 0; i < MMS; i++)
		if (f.mm[i])
			mm_put(f.mm[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(f.held); i++)
		if (f.held[i].pfn)
			vm_release(flat_vm(f.m), f.held[i].pfn, f.held[i].how);
	vm_file_put(f.file);
	vm_file_put(f.shmem);
	vm_meminfo(flat_vm(f.m), &info);
	MUST(info.anon_frames + info.file_frames + info.table_frames + info.swap_used == 0);
	flat_destroy(f.m);
	return 0;
}
