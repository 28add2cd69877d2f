/* SPDX-License-Identifier: MIT
 *
 * test/mm/random.c - random programs: several address spaces on several CPUs map, unmap, protect, move, fork, read,
 * write and exit, at check level 3. The oracle is a flat model: for each page of each address space its rights, and the
 * byte that it must hold. It knows nothing of frames, tables or sharing: fork copies the whole model. The same with
 * less RAM than the programs use, under every replacement policy: the model does not know of swap either.
 *
 * A failure prints seed and step; `test-mm-random SEED` runs that seed alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mm/internal.h"
#include "test/mm/flat_hw.h"

#define MIB     (1ull << 20)
#define BASE    0x7f0000000000ull
#define PAGES   2048 /* the window: 8 MiB, four huge pages */
#define MMS     4
#define CPUS    3
#define STEPS   1500
#define FILES   2
#define NOTHING 255

enum {
	ADV_DONTNEED = 4,
	ADV_FREE = 8,
	ADV_HUGEPAGE = 14,
	ADV_NOHUGEPAGE = 15,
	ADV_COLLAPSE = 25,
	ADV_WILLNEED = 3,
	ADV_COLD = 20,
	ADV_PAGEOUT = 21
};

/* What one page is to the program. */
struct page_model {
	bool freed;               /* by MADV_FREE: may read as zero from any moment on */
	bool mapped, shared, own; /* own: a private page that was written to (or anonymous), value is its byte */
	u8 prot;
	u8 file; /* NOTHING: anonymous */
	u8 value;
	u16 index;  /* in the file, or in the shared anonymous object */
	int object; /* shared anonymous memory: which */
};

#define OBJECTS 4096
struct world {
	u64 rng;
	struct hw_machine *m;
	struct mm_struct *mm[MMS];
	struct page_model model[MMS][PAGES];
	struct address_space *file[FILES];
	u8 file_byte[FILES][PAGES];
	u8 disk[FILES][PAGES]; /* what the files' device holds */
	u8 (*swap)[PAGE_SIZE]; /* and the swap device */
	u8 *object[OBJECTS];   /* [PAGES] bytes each */
	int objects;
};

static u64 next(struct world *w, u64 n)
{
	w->rng ^= w->rng << 13;
	w->rng ^= w->rng >> 7;
	w->rng ^= w->rng << 17;
	return (w->rng >> 11) % n;
}

/* A file's page i begins with this byte. */
static u8 file_start_byte(unsigned file, u64 index)
{
	return (u8)(file * 50 + index * 7 + 3);
}

struct backing {
	struct world *w;
	unsigned file;
};

static u8 *ram_base_of(struct hw_machine *m)
{
	return flat_vm(m)->ram;
}

static int read_page(void *ctx, u64 index, u64 pfn)
{
	struct backing *b = ctx;

	memset(ram_base_of(b->w->m) + (pfn << PAGE_SHIFT), b->w->disk[b->file][index], PAGE_SIZE);
	return 0;
}

static int write_page(void *ctx, u64 index, u64 pfn)
{
	struct backing *b = ctx;

	b->w->disk[b->file][index] = ram_base_of(b->w->m)[pfn << PAGE_SHIFT];
	return 0;
}

static const struct backing_ops ops = {.read_page = read_page, .write_page = write_page};

static int read_swap(void *ctx, u64 slot, u64 pfn)
{
	struct world *w = ctx;

	memcpy(ram_base_of(w->m) + (pfn << PAGE_SHIFT), w->swap[slot], PAGE_SIZE);
	return 0;
}

static int write_swap(void *ctx, u64 slot, u64 pfn)
{
	struct world *w = ctx;

	memcpy(w->swap[slot], ram_base_of(w->m) + (pfn << PAGE_SHIFT), PAGE_SIZE);
	return 0;
}

static bool zero_filled(void *ctx, u64 pfn)
{
	static const u8 zeroes[PAGE_SIZE];
	struct world *w = ctx;

	return memcmp(ram_base_of(w->m) + (pfn << PAGE_SHIFT), zeroes, PAGE_SIZE) == 0;
}

static const struct backing_ops swap_ops = {
    .read_page = read_swap, .write_page = write_swap, .zero_filled = zero_filled};

/* ---- the model ---- */

static u8 *byte_of(struct world *w, struct page_model *p)
{
	if (p->shared)
		return p->file == NOTHING ? &w->object[p->object][p->index] : &w->file_byte[p->file][p->index];
	return p->own || p->file == NOTHING ? &p->value : &w->file_byte[p->file][p->index];
}

static int expected_end(const struct page_model *p, char kind)
{
	if (!p->mapped)
		return VM_FAULT_MAPERR;
	if (kind == 'w')
		return p->prot & PROT_WRITE ? 0 : VM_FAULT_ACCERR;
	if (kind == 'x')
		return p->prot & PROT_EXEC ? 0 : VM_FAULT_ACCERR;
	return p->prot ? 0 : VM_FAULT_ACCERR;
}

/* ---- steps ---- */

struct range {
	unsigned first, pages;
};

/* Small ranges, and often whole huge pages. */
static struct range pick_range(struct world *w)
{
	struct range r;

	if (next(w, 4) == 0) {
		r.first = (unsigned)next(w, PAGES / 512) * 512;
		r.pages = 512 * (1 + (unsigned)next(w, 2));
	} else {
		r.first = (unsigned)next(w, PAGES);
		r.pages = 1 + (unsigned)next(w, next(w, 4) ? 40 : 700);
	}
	if (r.first + r.pages > PAGES)
		r.pages = PAGES - r.first;
	return r;
}

static u64 addr(unsigned page)
{
	return BASE + page * PAGE_SIZE;
}

static void step_map(struct world *w, struct hw_cpu *cpu, unsigned i, struct range r)
{
	unsigned kind = (unsigned)next(w, 6),
		 prot = (unsigned)next(w, 3) ? PROT_READ | PROT_WRITE : (unsigned)next(w, 8);
	bool shared = kind == 1 || kind == 3, is_file = kind == 2 || kind == 3;
	u8 file = is_file ? (u8)next(w, FILES) : NOTHING;
	unsigned flags = MAP_FIXED | (shared ? MAP_SHARED : MAP_PRIVATE) | (is_file ? 0 : MAP_ANONYMOUS);
	u16 pgoff = is_file ? (u16)next(w, PAGES - r.pages + 1) : 0;
	long got;

	if (next(w, 8) == 0)
		flags |= MAP_POPULATE;
	got = vm_mmap(cpu, w->mm[i], addr(r.first), r.pages * PAGE_SIZE, prot, flags, is_file ? w->file[file] : NULL,
		      pgoff);
	assert_int_equal(got, addr(r.first));
	if (shared && !is_file) {
		assert_true(w->objects < OBJECTS);
		w->object[w->objects] = calloc(1, r.pages);
	}
	for (unsigned k = 0; k < r.pages; k++) {
		struct page_model *p = &w->model[i][r.first + k];

		*p = (struct page_model){.mapped = true,
					 .shared = shared,
					 .prot = (u8)prot,
					 .file = file,
					 .index = (u16)(pgoff + k),
					 .object = w->objects};
		/* MAP_POPULATE writes to private pages, as Linux does: the copy of a file's page is made now. */
		if (is_file && !shared && prot & PROT_WRITE && flags & MAP_POPULATE) {
			p->value = w->file_byte[file][p->index];
			p->own = true;
		}
	}
	w->objects += shared && !is_file;
}

static void step_unmap(struct world *w, struct hw_cpu *cpu, unsigned i, struct range r)
{
	assert_int_equal(vm_munmap(cpu, w->mm[i], addr(r.first), r.pages * PAGE_SIZE), 0);
	memset(&w->model[i][r.first], 0, r.pages * sizeof(struct page_model));
}

/* Linux changes what comes before the first hole, then says -ENOMEM. */
static void step_protect(struct world *w, struct hw_cpu *cpu, unsigned i, struct range r)
{
	unsigned prot = (unsigned)next(w, 8), k;
	long got = vm_mprotect(cpu, w->mm[i], addr(r.first), r.pages * PAGE_SIZE, prot);

	for (k = 0; k < r.pages && w->model[i][r.first + k].mapped; k++)
		w->model[i][r.first + k].prot = (u8)prot;
	assert_int_equal(got, k == r.pages ? 0 : -ENOMEM);
}

static void step_advise(struct world *w, struct hw_cpu *cpu, unsigned i, struct range r)
{
	static const int advices[] = {ADV_DONTNEED, ADV_DONTNEED, ADV_FREE, ADV_HUGEPAGE, ADV_NOHUGEPAGE};
	int advice = advices[next(w, ARRAY_SIZE(advices))];

	vm_madvise(cpu, w->mm[i], addr(r.first), r.pages * PAGE_SIZE, advice);
	for (unsigned k = 0; k < r.pages; k++) {
		struct page_model *p = &w->model[i][r.first + k];

		p->freed |= advice == ADV_FREE && p->file == NOTHING && !p->shared;
		if (advice == ADV_DONTNEED && p->mapped && !p->shared) {
			p->own = false;
			p->value = 0;
		}
	}
}

/* Pages of one area, as far as the model can tell: the same kind, one after the other. */
static bool uniform(const struct page_model *p, unsigned pages)
{
	for (unsigned k = 0; k < pages; k++) {
		if (!p[k].mapped || p[k].shared != p->shared || p[k].prot != p->prot || p[k].file != p->file ||
		    p[k].object != p->object || ((p->shared || p->file != NOTHING) && p[k].index != p->index + k))
			return false;
	}
	return true;
}

static void step_move(struct world *w, struct hw_cpu *cpu, unsigned i, struct range r)
{
	unsigned to = (unsigned)next(w, PAGES - r.pages + 1);
	static struct page_model moved[PAGES];
	long got;

	if (next(w, 3) == 0) /* as a huge page may move whole */
		to = ALIGN_DOWN(to, 512) + r.first % 512 <= PAGES - r.pages ? ALIGN_DOWN(to, 512) + r.first % 512 : to;
	while (r.pages > 1 && !uniform(&w->model[i][r.first], r.pages))
		r.pages /= 2;
	if (!uniform(&w->model[i][r.first], r.pages) || (to < r.first + r.pages && r.first < to + r.pages))
		return;
	got = vm_mremap(cpu, w->mm[i], addr(r.first), r.pages * PAGE_SIZE, r.pages * PAGE_SIZE,
			MREMAP_MAYMOVE | MREMAP_FIXED, addr(to));
	if (got == -EFAULT) { /* two areas that look alike: the target is gone already, as on Linux */
		memset(&w->model[i][to], 0, r.pages * sizeof(struct page_model));
		for (unsigned k = 0; k < r.pages; k++) /* or not: look */
			assert_int_equal(vm_munmap(cpu, w->mm[i], addr(to + k), PAGE_SIZE), 0);
		return;
	}
	assert_int_equal(got, addr(to));
	memcpy(moved, &w->model[i][r.first], r.pages * sizeof(*moved));
	memset(&w->model[i][r.first], 0, r.pages * sizeof(*moved));
	memcpy(&w->model[i][to], moved, r.pages * sizeof(*moved));
}

static void step_access(struct world *w, struct hw_cpu *cpu, unsigned i, unsigned page)
{
	struct page_model *p = &w->model[i][page];
	char kind = "rrwwwx"[next(w, 6)];
	u8 value = (u8)next(w, 256), byte = value;
	int end = flat_access(cpu, addr(page) + next(w, PAGE_SIZE) / 4096, kind, &byte);

	assert_int_equal(end, expected_end(p, kind));
	if (end)
		return;
	if (kind != 'w') {
		if (p->freed && byte == 0)
			p->value = 0;
		assert_int_equal(byte, *byte_of(w, p));
		return;
	}
	p->freed = false;
	if (!p->shared)
		p->own = true;
	*byte_of(w, p) = value;
}

static void step_fork(struct world *w, struct hw_cpu *cpu, unsigned i, unsigned to)
{
	if (w->mm[to])
		return;
	assert_int_equal(mm_fork(cpu, w->mm[i], &w->mm[to]), 0);
	memcpy(w->model[to], w->model[i], sizeof(w->model[to]));
}

static void step_exit(struct world *w, unsigned i, unsigned other)
{
	if (i == other || !w->mm[other])
		return;
	mm_put(w->mm[i]);
	w->mm[i] = NULL;
}

/* By advice, or in the background: nothing that a program could see changes. */
static void step_unseen(struct world *w, struct hw_cpu *cpu, unsigned i, struct range r)
{
	static const u8 advice[] = {ADV_WILLNEED, ADV_COLD, ADV_PAGEOUT, ADV_COLLAPSE};

	switch (next(w, 4)) {
	case 0:
		vm_tick(flat_vm(w->m), 20000000);
		break;
	case 1:
		vm_reclaim(flat_vm(w->m), cpu, next(w, 100));
		break;
	default:
		vm_madvise(cpu, w->mm[i], addr(r.first), r.pages * PAGE_SIZE, advice[next(w, ARRAY_SIZE(advice))]);
	}
}

static void step(struct world *w)
{
	unsigned i = (unsigned)next(w, MMS);
	struct hw_cpu *cpu = flat_cpu(w->m, (unsigned)next(w, CPUS));
	struct range r = pick_range(w);

	while (!w->mm[i])
		i = (i + 1) % MMS;
	flat_run(cpu, w->mm[i]);
	switch (next(w, 21)) {
	case 0:
	case 1:
		step_map(w, cpu, i, r);
		break;
	case 2:
		step_unmap(w, cpu, i, r);
		break;
	case 3:
	case 4:
		step_protect(w, cpu, i, r);
		break;
	case 5:
		step_advise(w, cpu, i, r);
		break;
	case 6:
		step_move(w, cpu, i, r);
		break;
	case 7:
		step_fork(w, cpu, i, (unsigned)next(w, MMS));
		break;
	case 8:
		step_exit(w, i, (unsigned)next(w, MMS));
		break;
	case 9:
		flat_speculate(cpu, addr(r.first));
		flat_run(cpu, NULL); /* lazy */
		break;
	case 10:
		step_unseen(w, cpu, i, r);
		break;
	default:
		for (unsigned k = 0, page = r.first, stride = 1 + (unsigned)next(w, 60);
		     k < (w->swap ? 30 : 10) && page < PAGES; k++) {
			step_access(w, cpu, i, page);
			page += stride;
		}
	}
	assert_true(flat_caches_sound(w->m));
}

/* ---- a run ---- */

static jmp_buf panic_jmp;
static u64 run_seed;
static unsigned run_step;
static bool running;

/* After each test: where it stopped, if it did. */
static int tell(void **state)
{
	if (running)
		print_error("seed %llu step %u %s\n", (unsigned long long)run_seed, run_step, flat_panic_text);
	running = false;
	flat_panic_jmp = NULL;
	flat_panic_text[0] = 0;
	return 0;
}

/* Every page is in its place, after all that happened. */
static void read_all(struct world *w)
{
	struct hw_cpu *cpu = flat_cpu(w->m, 0);

	for (unsigned i = 0; i < MMS; i++) {
		if (!w->mm[i])
			continue;
		flat_run(cpu, w->mm[i]);
		for (unsigned page = 0; page < PAGES; page++) {
			struct page_model *p = &w->model[i][page];
			u8 byte;

			if (expected_end(p, 'r'))
				continue;
			assert_int_equal(flat_access(cpu, addr(page), 'r', &byte), 0);
			assert_true(byte == *byte_of(w, p) || (p->freed && !byte));
		}
	}
}

static u64 ram_bytes = 96 * MIB, swap_ins, compactions;

static void run(u64 seed, const struct vm_config *cfg, unsigned features)
{
	static struct world w;
	static struct backing backing[FILES];
	struct vm_config vm = *cfg;
	struct vm_meminfo before;

	run_seed = seed;
	running = true;
	for (int k = 0; k < w.objects; k++)
		free(w.object[k]);
	free(w.swap);
	memset(&w, 0, sizeof(w));
	w.swap = vm.swap_slots ? calloc(vm.swap_slots, PAGE_SIZE) : NULL;
	vm.khugepaged = &vm_khugepaged_defaults;
	vm.swap_ops = &swap_ops;
	vm.swap_ctx = &w;
	w.rng = seed * 0x9e3779b97f4a7c15ull + 1;
	w.m = flat_create(&(struct flat_config){.ram_bytes = ram_bytes, .features = features, .vm = vm});
	vm_meminfo(flat_vm(w.m), &before);
	for (unsigned f = 0; f < FILES; f++) {
		backing[f] = (struct backing){&w, f};
		for (unsigned k = 0; k < PAGES; k++)
			w.disk[f][k] = file_start_byte(f, k);
		w.file[f] = vm_file_create(flat_vm(w.m), PAGES * PAGE_SIZE, &ops, &backing[f]);
		for (unsigned k = 0; k < PAGES; k++)
			w.file_byte[f][k] = file_start_byte(f, k);
	}
	w.mm[0] = mm_create(flat_vm(w.m));
	flat_panic_jmp = &panic_jmp;
	if (setjmp(panic_jmp))
		fail_msg("%s", flat_panic_text);
	for (run_step = 0; run_step < STEPS; run_step++)
		step(&w);
	read_all(&w);
	compactions += flat_events(w.m)->type[VM_EV_COMPACT];
	swap_ins += flat_events(w.m)->type[VM_EV_SWAP_IN];
	for (unsigned i = 0; i < MMS; i++) {
		if (w.mm[i])
			mm_put(w.mm[i]);
	}
	for (unsigned f = 0; f < FILES; f++)
		vm_file_put(w.file[f]);
	flat_panic_jmp = NULL;
	struct vm_meminfo info;

	vm_meminfo(flat_vm(w.m), &info);
	assert_int_equal(info.anon_frames + info.table_frames + info.swap_used, 0);
	assert_true(info.file_frames <= before.file_frames); /* fragmentation's */
	flat_destroy(w.m);
	running = false;
}

static u64 seed_from = 1, seed_to = 2;

static void each_seed(const struct vm_config *cfg, unsigned features)
{
	swap_ins = compactions = 0;
	for (u64 seed = seed_from; seed <= seed_to; seed++)
		run(seed, cfg, features);
	if (cfg->swap_slots && seed_to > seed_from)
		assert_true(swap_ins > 10);
	if (cfg->fragmentation && seed_to > seed_from)
		assert_true(compactions > 5);
}

static void small_pages(void **state)
{
	each_seed(&(struct vm_config){.pcid = true, .check = 3}, 0);
}
static void no_pcid(void **state)
{
	each_seed(&(struct vm_config){.thp = VM_THP_MADVISE, .check = 3}, HW_NX | HW_PGE);
}
static void thp(void **state)
{
	each_seed(&(struct vm_config){.thp = VM_THP_ALWAYS, .pcid = true, .check = 3}, 0);
}
static void two_megabytes_cold(void **state)
{
	each_seed(&(struct vm_config){.anon_order = 9, .pagecache_cold = true, .pcid = true, .check = 3},
		  HW_NX | HW_PGE | HW_PCID);
}

/* RAM for a part of what the programs use, swap for all of it. */
#define SWAPPING(test, ...)                                                                                            \
	static void test(void **state)                                                                                 \
	{                                                                                                              \
		ram_bytes = 5 * MIB;                                                                                   \
		each_seed(                                                                                             \
		    &(struct vm_config){                                                                               \
			.pcid = true, .check = 3, .swap_slots = 8192, .swap_checksum = true, __VA_ARGS__},             \
		    0);                                                                                                \
		ram_bytes = 96 * MIB;                                                                                  \
	}

SWAPPING(swap_lru2, .thp = VM_THP_NEVER)
SWAPPING(swap_lru2_thp, .thp = VM_THP_ALWAYS, .swap_rotational = true)
SWAPPING(swap_mglru, .reclaim = VM_RECLAIM_MGLRU, .thp = VM_THP_MADVISE)
SWAPPING(swap_clock, .reclaim = VM_RECLAIM_CLOCK, .pagecache_cold = true)
SWAPPING(swap_fifo, .reclaim = VM_RECLAIM_FIFO, .anon_order = 9, .swap_synchronous = true)
SWAPPING(swap_random, .reclaim = VM_RECLAIM_RANDOM,
	 .variant = &(struct vm_variant){.zero_page = true, .place_2m = true})
SWAPPING(swap_zram, .swap_synchronous = true, .thp = VM_THP_MADVISE)

/* Room for a few huge pages, in pieces from the start. */
static void compaction(void **state)
{
	ram_bytes = 20 * MIB;
	each_seed(
	    &(struct vm_config){
		.thp = VM_THP_ALWAYS, .thp_defrag = VM_DEFRAG_ALWAYS, .fragmentation = 1000, .pcid = true, .check = 3},
	    0);
	ram_bytes = 96 * MIB;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(small_pages, tell), cmocka_unit_test_teardown(no_pcid, tell),
	    cmocka_unit_test_teardown(thp, tell),         cmocka_unit_test_teardown(two_megabytes_cold, tell),
	    cmocka_unit_test_teardown(swap_lru2, tell),   cmocka_unit_test_teardown(swap_lru2_thp, tell),
	    cmocka_unit_test_teardown(swap_mglru, tell),  cmocka_unit_test_teardown(swap_clock, tell),
	    cmocka_unit_test_teardown(swap_fifo, tell),   cmocka_unit_test_teardown(swap_random, tell),
	    cmocka_unit_test_teardown(swap_zram, tell),   cmocka_unit_test_teardown(compaction, tell),
	};

	if (argc > 1)
		seed_from = seed_to = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		seed_to = strtoull(argv[2], NULL, 0);
	return cmocka_run_group_tests_name("random programs", tests, NULL, NULL);
}
