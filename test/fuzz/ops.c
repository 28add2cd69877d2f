/* SPDX-License-Identifier: MIT
 *
 * test/fuzz/ops.c - any bytes as calls of vm.h: several processes on three CPUs with little RAM, swap and huge pages, on
 * CPUs that keep every translation until they are told (test/mm/flat_hw.h), vm_check after every CHECK_EVERY of them.
 * Bytes also choose which allocation and which transfer to or from swap fails. Nothing may panic, and at the end all
 * memory is given back.
 *
 * The first two bytes choose the machine, and how much of its RAM is left: most machines are short of memory after some
 * hundred pages, and two 2M are whole at first, of which the kernel's own objects take one.
 *
 * What an input may cost is bounded, since libFuzzer keeps what reaches something new, and that is what works most: the
 * pages that it brings in, those that are locked, what comes after an OOM kill, how often all is checked. Before that the
 * mean input took ten times as long as the median, in reclaim that looked at locked pages again and again.
 */
#include <string.h>
#include <sys/mman.h>

#include "mm/internal.h"
#include "test/fuzz/bytes.h"
#include "test/mm/flat_hw.h"

#define BASE          0x7f0000000000ull
#define END           (BASE + 4 * PMD_SIZE)
#define HEAP          (BASE + PMD_SIZE)
#define MMS           4
#define CPUS          3
#define MAX_OPS       100
#define MAX_PAGES     128 /* that faults and calls bring in: an input that has had so many is over */
#define MAX_LOCKED    24  /* pages of a process: reclaim passes over them time and again */
#define CHECK_EVERY   32  /* calls; each mutation checks its own structure anyway (check level 2) */
#define MIB           (1ull << 20)
#define LAST_BYTES    24 /* of an input, after that */
#define BALLAST_ORDER 5
#define BALLAST       48   /* blocks at most */
#define GUARD_INSTALL 102  /* MADV_GUARD_INSTALL; _REMOVE follows */
#define DROPPABLE     0x08 /* MAP_DROPPABLE, a type of its own */

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
	struct page *ballast[BALLAST];
};

/* Swap keeps no contents: what matters here is where pages are. */
static int transfer(void *ctx, u64 slot, u64 pfn)
{
	struct fuzz *f = ctx;

	return f->transfers_left && --f->transfers_left == 0 ? -EIO : 0;
}
static const struct backing_ops swap_ops = {.read_page = transfer, .write_page = transfer};

/* Its areas lie where the addresses of calls are. */
static struct mm_struct *process(struct fuzz *f)
{
	struct mm_struct *mm = mm_create(flat_vm(f->m));

	if (!mm)
		return NULL;
	vm_set_mmap_base(mm, END);
	vm_set_brk(mm, HEAP);
	vm_set_rlimit(mm, VM_RLIMIT_MEMLOCK, MAX_LOCKED * PAGE_SIZE);
	return mm;
}

/* Somebody else has all but so many frames, so that memory is short after a few pages. */
static void load(struct fuzz *f, u64 left)
{
	struct vm *vm = flat_vm(f->m);

	for (unsigned i = 0; i < BALLAST && vm->kind_frames[PAGE_FREE] >= left + (1u << BALLAST_ORDER); i++)
		f->ballast[i] = alloc_pages(vm, BALLAST_ORDER, PAGE_KERNEL);
}

static void create(struct fuzz *f)
{
	static const u64 left[] = {~0u, 400, 230, 170}; /* frames; reclaim begins at 100 */
	u64 how = bytes_take(&f->in, 2);
	bool pcid = how & 4;
	static _Alignas(PMD_SIZE) u8 ram[6 * MIB + 64 * PAGE_SIZE]; /* the last run's bytes are still in it */
	struct vm_config vm = {.ram_dirty = true,
			       .thp = how % 3,
			       .pcid = pcid,
			       .kpti = how >> 3 & 1,
			       .check = 2,
			       .khugepaged = &vm_khugepaged_defaults,
			       .reclaim = (how >> 4 & 15) % VM_RECLAIM_NR,
			       .nr_hugepages = how >> 13 & 1,
			       .swap_slots = how >> 8 & 1 ? 600 : 40,
			       .swap_rotational = how >> 9 & 1,
			       .overcommit = (how >> 10 & 3) % 3,
			       .swap_ops = &swap_ops,
			       .swap_ctx = f};
	unsigned features = HW_NX | HW_PGE | (pcid ? HW_PCID : 0) | (how >> 12 & 1 && pcid ? HW_INVPCID : 0);

	f->m = flat_create(&(struct flat_config){.ram = ram, .ram_bytes = sizeof(ram), .features = features, .vm = vm});
	load(f, left[how >> 14 & 3]);
	f->file = vm_file_create(flat_vm(f->m), 256 * PAGE_SIZE, NULL, NULL);
	f->shmem = shmem_file_create(flat_vm(f->m), 1024 * PAGE_SIZE);
	f->mm[0] = process(f);
	MUST(f->file && f->shmem && f->mm[0]);
}

/* Near the start of a 2M mostly, so that areas meet; or anywhere. */
static u64 address(struct fuzz *f)
{
	u64 b = bytes_take(&f->in, 2), page = b >> 4;

	return BASE + (b & 3) * PMD_SIZE + (b & 4 ? 0 : b & 8 ? page % 16 : page % PTRS_PER_TABLE) * PAGE_SIZE;
}

/* A few pages, or 2M and some. */
static u64 length(struct fuzz *f)
{
	u64 b = bytes_take(&f->in, 1);

	return b < 0xc0 ? (b & 0x3f) * PAGE_SIZE
			: (b >> 4 & 1) * PMD_SIZE + (b & 0x20 ? PMD_SIZE : (b & 15) * PAGE_SIZE);
}

static u64 pages_left(const struct fuzz *f)
{
	const struct flat_events *e = flat_events(f->m);
	u64 brought = e->faults + e->populates;

	return brought < MAX_PAGES ? MAX_PAGES - brought : 0;
}

/* A call that brings in so much is for an input that has as much left. */
static bool may_bring(const struct fuzz *f, u64 len)
{
	return len >> PAGE_SHIFT <= pages_left(f) / 8;
}

/* The high bits of the choice: where in a file; of what sort anonymous memory is. */
static void op_map(struct fuzz *f, struct hw_cpu *cpu, struct mm_struct *mm)
{
	static const unsigned sorts[] = {0, MAP_HUGETLB, MAP_GROWSDOWN, MAP_LOCKED};
	u64 b = bytes_take(&f->in, 2), at = address(f), len = length(f);
	struct address_space *file = b & 1 ? b & 2 ? f->file : f->shmem : NULL;
	unsigned flags = (b & 4 ? MAP_SHARED : MAP_PRIVATE) | (b & 8 ? 0 : MAP_FIXED) | (b & 16 ? MAP_POPULATE : 0) |
			 (b & 32 ? MAP_NORESERVE : 0);

	if (!file)
		flags |= MAP_ANONYMOUS | sorts[b >> 10 & 3];
	if (!file && b >> 12 == 1)
		flags = (flags & ~(MAP_SHARED | MAP_PRIVATE)) | DROPPABLE;

	if (!may_bring(f, len))
		flags &= ~MAP_POPULATE;
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
		b = b & 0x80 ? GUARD_INSTALL + (b & 1) : b & 31;
		if (may_bring(f, len) || (b != MADV_POPULATE_READ && b != MADV_POPULATE_WRITE))
			vm_madvise(cpu, mm, at, len, (int)b);
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
	case 15:
		b = bytes_take(&f->in, 1);
		if (b & 1)
			vm_set_thp_disable(mm, b >> 1 & 1, b >> 1 & 2);
		else
			vm_brk(cpu, mm, HEAP + (b >> 1) * PAGE_SIZE);
		break;
	default:
		op_touch(f, cpu);
	}
}

/* Those that the OOM killer chose are gone; somebody lives. The input is over soon: who is chosen had all memory looked
 * at many times in vain. */
static void bury(struct fuzz *f)
{
	unsigned alive = 0;

	for (unsigned i = 0; i < MMS; i++) {
		if (f->mm[i] && f->mm[i]->oom_victim) {
			mm_put(f->mm[i]);
			f->mm[i] = NULL;
			f->in.left = min(f->in.left, (size_t)LAST_BYTES);
		}
		alive += f->mm[i] != NULL;
	}
	if (alive)
		return;
	vm_fail_alloc_after(flat_vm(f->m), ~0ull);
	f->mm[0] = process(f);
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
	for (unsigned n = 0; n < MAX_OPS && f.in.left && pages_left(&f); n++) {
		u64 b = bytes_take(&f.in, 1), what = bytes_take(&f.in, 1) % 20;
		struct hw_cpu *cpu = flat_cpu(f.m, b % CPUS);
		unsigned i = b >> 2 & (MMS - 1);

		while (!f.mm[i])
			i = (i + 1) % MMS;
		flat_run(cpu, f.mm[i]);
		op(&f, i, cpu, what);
		bury(&f);
		if ((n + 1) % CHECK_EVERY == 0)
			check(&f);
	}
	check(&f);
	for (unsigned i = 0; i < MMS; i++)
		if (f.mm[i])
			mm_put(f.mm[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(f.held); i++)
		if (f.held[i].pfn)
			vm_release(flat_vm(f.m), f.held[i].pfn, f.held[i].how);
	for (unsigned i = 0; i < ARRAY_SIZE(f.ballast); i++)
		if (f.ballast[i])
			put_page(flat_vm(f.m), f.ballast[i]);
	vm_file_put(f.file);
	vm_file_put(f.shmem);
	vm_meminfo(flat_vm(f.m), &info);
	MUST(info.anon_frames + info.file_frames + info.table_frames + info.swap_used == 0);
	flat_destroy(f.m);
	return 0;
}
