/* SPDX-License-Identifier: MIT
 *
 * test/mm/policies.c - replacement page by page: a program that may use exactly N frames refers to pages one after the
 * other; before a page that is not in memory comes in, one victim goes. Textbook strings have textbook counts; on
 * random strings each policy evicts as the same rule, written again here on a plain array, and faults at the same
 * places.
 *
 * Sources: Belady, Nelson and Shedler 1969 (the anomaly); Silberschatz, Operating System Concepts, 9.4 (the string 7 0
 * 1 2 0 3 ...); Linux 6.12 mm/vmscan.c for lru2.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "mm/lru.h"
#include "mm/pgtable.h"
#include "mm/vmscan.h"
#include "test/mm/flat_hw.h"

#define MIB       (1ull << 20)
#define BASE      0x7f0000000000ull
#define MAX_PAGES 64

static struct hw_machine *m;
static struct hw_cpu *cpu;
static struct mm_struct *mm;

static void begin(enum vm_reclaim_policy policy)
{
	m = flat_create(&(struct flat_config){.ram_bytes = 16 * MIB,
					      .vm = {.check = 1,
						     .reclaim = policy,
						     .swap_slots = 1024,
						     .sysctl = &(struct vm_sysctl){60, 0}, /* nothing is read ahead */
						     .pcid = true}});
	cpu = flat_cpu(m, 0);
	mm = mm_create(flat_vm(m));
	flat_run(cpu, mm);
	assert_int_equal(vm_mmap(cpu, mm, BASE, MAX_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0),
			 BASE);
}

static void end(void)
{
	mm_put(mm);
	vm_check(flat_vm(m));
	flat_destroy(m);
}

static bool resident(unsigned page)
{
	u64 entry;

	return vm_lookup(mm, BASE + page * PAGE_SIZE, &entry) != 0;
}

/* One reference with at most `frames` pages in memory. Returns whether it faulted. Callers use every third page only:
 * where a page is must not matter. */
static bool refer(unsigned page, unsigned frames)
{
	bool fault = !resident(page);
	u8 byte = (u8)page;

	if (fault && mm->rss[MM_ANONPAGES] == frames)
		assert_int_equal(reclaim_pages(flat_vm(m), cpu, 1, true), 1);
	assert_int_equal(flat_access(cpu, BASE + page * PAGE_SIZE, 'w', &byte), 0);
	return fault;
}

static unsigned count_faults(enum vm_reclaim_policy policy, const char *string, unsigned frames)
{
	unsigned faults = 0;

	begin(policy);
	for (; *string; string++)
		faults += refer(3 * (unsigned)(*string - '0'), frames);
	end();
	return faults;
}

static const char belady[] = "123412512345";
static const char silberschatz[] = "70120304230321201701";

static void textbook(void **state)
{
	assert_int_equal(count_faults(VM_RECLAIM_FIFO, belady, 3), 9);
	assert_int_equal(count_faults(VM_RECLAIM_FIFO, belady, 4), 10);
	assert_int_equal(count_faults(VM_RECLAIM_FIFO, silberschatz, 3), 15);
	assert_int_equal(count_faults(VM_RECLAIM_CLOCK, belady, 5), 5);
}

/* ---- models: residents from the oldest to the newest, as their policy sees them ---- */

struct model_page {
	unsigned page;
	bool used, marked; /* used: the accessed bit. marked: lru2's PG_referenced */
	u64 seq;           /* mglru: generation */
};
struct model_list {
	struct model_page at[MAX_PAGES];
	unsigned nr;
};
struct model {
	struct model_list inactive, active;  /* one list: inactive */
	u64 min_seq, max_seq;                /* mglru */
	unsigned evictions, gone[MAX_PAGES]; /* gone: the number of the page's last eviction */
};

static struct model_page take_oldest(struct model_list *l)
{
	struct model_page first = l->at[0];

	memmove(l->at, l->at + 1, --l->nr * sizeof(l->at[0]));
	return first;
}

static void add(struct model_list *l, struct model_page p)
{
	l->at[l->nr++] = p;
}

static struct model_page *find(struct model_list *l, unsigned page)
{
	for (unsigned i = 0; i < l->nr; i++)
		if (l->at[i].page == page)
			return &l->at[i];
	return NULL;
}

static struct model_page evict_fifo(struct model *w)
{
	return take_oldest(&w->inactive);
}

static struct model_page evict_clock(struct model *w)
{
	struct model_page p;

	while ((p = take_oldest(&w->inactive)).used) {
		p.used = false;
		add(&w->inactive, p);
	}
	return p;
}

/* Active pages sink when they are more than the inactive ones; an inactive page that is used is marked and stays, if it
 * was marked it is active. */
static struct model_page evict_lru2(struct model *w)
{
	for (;;) {
		if (w->inactive.nr < w->active.nr) {
			for (unsigned i = 0; i < 32 && w->active.nr; i++) {
				struct model_page p = take_oldest(&w->active);

				p.used = false;
				add(&w->inactive, p);
			}
		}
		while (w->inactive.nr) {
			struct model_page p = take_oldest(&w->inactive);
			bool again = p.used && p.marked;

			if (!p.used)
				return p;
			p.marked = true;
			p.used = false;
			add(again ? &w->active : &w->inactive, p);
		}
	}
}

/* mglru keeps all generations in the one list, oldest first within each. The first of a generation; NULL: it is empty.
 */
static struct model_page *oldest_of(struct model *w, u64 seq)
{
	for (unsigned i = 0; i < w->inactive.nr; i++)
		if (w->inactive.at[i].seq == seq)
			return &w->inactive.at[i];
	return NULL;
}

/* Out of the middle of the list. */
static struct model_page take(struct model_list *l, struct model_page *p)
{
	struct model_page copy = *p;

	memmove(p, p + 1, (size_t)(l->at + --l->nr - p) * sizeof(*p));
	return copy;
}

/* The oldest of four generations becomes the oldest part of the next. */
static void merge_oldest(struct model *w)
{
	struct model_list merged = {.nr = 0};

	for (u64 seq = w->min_seq; seq <= w->max_seq; seq++) {
		struct model_page *p;

		while ((p = oldest_of(w, seq))) {
			struct model_page copy = take(&w->inactive, p);

			copy.seq = copy.seq == w->min_seq ? w->min_seq + 1 : copy.seq;
			add(&merged, copy);
		}
	}
	w->min_seq++;
	w->inactive = merged;
}

/* In the order of addresses, what was used joins the youngest generation; then there is a younger one. */
static void age_mglru(struct model *w)
{
	if (w->max_seq - w->min_seq + 1 == 4)
		merge_oldest(w);
	for (unsigned page = 0; page < MAX_PAGES; page++) {
		struct model_page *p = find(&w->inactive, page), copy;

		if (!p || !p->used)
			continue;
		p->used = false;
		if (p->seq == w->max_seq)
			continue;
		copy = take(&w->inactive, p);
		copy.seq = w->max_seq;
		add(&w->inactive, copy);
	}
	w->max_seq++;
}

static struct model_page evict_mglru(struct model *w)
{
	for (;;) {
		struct model_page p;

		while (w->min_seq + 2 <= w->max_seq && !oldest_of(w, w->min_seq))
			w->min_seq++;
		if (w->min_seq + 2 > w->max_seq) {
			age_mglru(w);
			continue;
		}
		p = take(&w->inactive, oldest_of(w, w->min_seq));
		if (!p.used)
			return p;
		p.used = false;
		p.seq = w->max_seq;
		add(&w->inactive, p);
	}
}

static u64 next(u64 *rng, u64 n)
{
	*rng ^= *rng << 13;
	*rng ^= *rng >> 7;
	*rng ^= *rng << 17;
	return (*rng >> 11) % n;
}

/* A page that was evicted so lately that all that is resident, and it, would have fitted meanwhile. */
static bool went_too_early(const struct model *w, unsigned page)
{
	return w->gone[page] && w->evictions - w->gone[page] <= w->inactive.nr + w->active.nr;
}

static void model_fault(struct model *w, const struct model_page *gone, unsigned page, bool refaults)
{
	if (gone)
		w->gone[gone->page] = ++w->evictions;
	add(refaults && went_too_early(w, page) ? &w->active : &w->inactive,
	    (struct model_page){page, true, false, w->max_seq});
}

static void compare(enum vm_reclaim_policy policy, struct model_page (*evict)(struct model *), u64 seed)
{
	u64 rng = seed * 0x9e3779b97f4a7c15ull + 1;
	unsigned frames = 2 + (unsigned)next(&rng, 10), pages = frames + 1 + (unsigned)next(&rng, 8);
	struct model w = {.min_seq = 1, .max_seq = 2};

	begin(policy);
	for (unsigned step = 0; step < 400; step++) {
		/* Some pages are used more than others. */
		unsigned page = (unsigned)next(&rng, next(&rng, 3) ? pages : pages / 2);
		struct model_page *p = find(&w.inactive, page), victim, *gone = NULL;
		bool fault;

		p = p ? p : find(&w.active, page);
		if (!p && w.inactive.nr + w.active.nr == frames) {
			victim = evict(&w);
			gone = &victim;
		}
		fault = refer(3 * page, frames);
		if (fault != !p)
			fail_msg("seed %llu step %u: page %u", (unsigned long long)seed, step, page);
		if (p)
			p->used = true;
		else
			model_fault(&w, gone, page, policy == VM_RECLAIM_LRU2);
		for (unsigned i = 0; i < pages; i++)
			assert_int_equal(resident(3 * i), find(&w.inactive, i) || find(&w.active, i));
	}
	end();
}

static void fifo_is_fifo(void **state)
{
	for (u64 seed = 1; seed <= 60; seed++)
		compare(VM_RECLAIM_FIFO, evict_fifo, seed);
}
static void clock_is_clock(void **state)
{
	for (u64 seed = 1; seed <= 60; seed++)
		compare(VM_RECLAIM_CLOCK, evict_clock, seed);
}

static void lru2_is_linux(void **state)
{
	for (u64 seed = 1; seed <= 60; seed++)
		compare(VM_RECLAIM_LRU2, evict_lru2, seed);
}

static void mglru_is_linux(void **state)
{
	for (u64 seed = 1; seed <= 60; seed++)
		compare(VM_RECLAIM_MGLRU, evict_mglru, seed);
}

/* Over many references each page leaves about as often as any other. */
static void random_is_fair(void **state)
{
	unsigned faults[4] = {0}, most = 0, least = ~0u;
	u64 rng = 7;

	begin(VM_RECLAIM_RANDOM);
	for (unsigned step = 0; step < 8000; step++) {
		unsigned page = (unsigned)next(&rng, 4);

		faults[page] += refer(3 * page, 3);
	}
	end();
	for (unsigned i = 0; i < 4; i++) {
		most = max(most, faults[i]);
		least = min(least, faults[i]);
	}
	assert_true(least > 400 && most < 600); /* a quarter of its 2000 references */
}

/* ---- swappiness ---- */

#define MANY 400

/* As many pages of a file as anonymous ones; 40 go. Returns how many of them are anonymous. file_comes_back: the policy
 * has seen that of 1000 pages of a file all were needed again, of 1000 anonymous ones none. */
static u64 anon_that_go(enum vm_reclaim_policy policy, u8 swappiness, bool file_comes_back)
{
	struct vm_config cfg = {.check = 1,
				.reclaim = policy,
				.swap_slots = 1024,
				.swap_synchronous = true,
				.sysctl = &(struct vm_sysctl){swappiness, 3},
				.pcid = true};
	struct address_space *file;
	u64 start, rss;

	m = flat_create(&(struct flat_config){.ram_bytes = 64 * MIB, .vm = cfg});
	cpu = flat_cpu(m, 0);
	mm = mm_create(flat_vm(m));
	flat_run(cpu, mm);
	file = vm_file_create(flat_vm(m), MANY * PAGE_SIZE, NULL, NULL);
	start = (u64)vm_mmap(cpu, mm, 0, MANY * PAGE_SIZE, PROT_READ, MAP_SHARED, file, 0);
	flat_touch(cpu, start, MANY * PAGE_SIZE, 'r');
	start =
	    (u64)vm_mmap(cpu, mm, 0, MANY * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);
	flat_touch(cpu, start, MANY * PAGE_SIZE, 'w');
	if (file_comes_back) {
		flat_vm(m)->reclaim.avg_total[LRU_ANON] = flat_vm(m)->reclaim.avg_total[LRU_FILE] = 1000;
		flat_vm(m)->reclaim.avg_refaulted[LRU_FILE] = 1000;
	}
	assert_int_equal(reclaim_pages(flat_vm(m), cpu, 40, true), 40);
	rss = mm->rss[MM_ANONPAGES];
	vm_file_put(file);
	end();
	return MANY - rss;
}

/* lru2 looks at both in the proportion s : 200 - s. mglru takes a file's, unless these are needed again more. */
static void swappiness(void **state)
{
	assert_int_equal(anon_that_go(VM_RECLAIM_LRU2, 0, false), 0);
	assert_in_set(anon_that_go(VM_RECLAIM_LRU2, 60, false), ((unsigned long[]){11, 12, 13}), 3);
	assert_in_set(anon_that_go(VM_RECLAIM_LRU2, 100, false), ((unsigned long[]){19, 20, 21}), 3);
	assert_int_equal(anon_that_go(VM_RECLAIM_LRU2, 200, false), 40);
	assert_int_equal(anon_that_go(VM_RECLAIM_MGLRU, 0, true), 0);
	assert_int_equal(anon_that_go(VM_RECLAIM_MGLRU, 60, false), 0);
	assert_int_equal(anon_that_go(VM_RECLAIM_MGLRU, 60, true), 40);
	assert_int_equal(anon_that_go(VM_RECLAIM_MGLRU, 200, false), 40);
}

/* A huge page of which a device holds a part cannot go. A run of reclaim looks at it SCAN_ROUNDS times (mm/vmscan.c),
 * after two walks of all tables each, and not once for each 4K of it. */
static void few_walks_for_what_is_held(void **state)
{
	struct vm_config cfg = {
	    .check = 1, .reclaim = VM_RECLAIM_MGLRU, .swap_slots = 1024, .pcid = true, .thp = VM_THP_ALWAYS};
	u64 pfn, seq;

	m = flat_create(&(struct flat_config){.ram_bytes = 16 * MIB, .vm = cfg});
	cpu = flat_cpu(m, 0);
	mm = mm_create(flat_vm(m));
	flat_run(cpu, mm);
	assert_int_equal(
	    vm_mmap(cpu, mm, BASE, PMD_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0),
	    BASE);
	flat_touch(cpu, BASE, PAGE_SIZE, 'w');
	assert_int_equal(mm->rss[MM_ANONPAGES], 512);
	assert_int_equal(vm_hold(cpu, mm, BASE, VM_HOLD_PIN, true, &pfn), 0);
	seq = flat_vm(m)->reclaim.max_seq;
	assert_int_equal(reclaim_pages(flat_vm(m), cpu, 1, true), 0);
	assert_in_range(flat_vm(m)->reclaim.max_seq - seq, 1, 8);
	vm_release(flat_vm(m), pfn, VM_HOLD_PIN);
	assert_int_equal(reclaim_pages(flat_vm(m), cpu, 512, true), 512);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(textbook),       cmocka_unit_test(fifo_is_fifo),
	    cmocka_unit_test(clock_is_clock), cmocka_unit_test(lru2_is_linux),
	    cmocka_unit_test(mglru_is_linux), cmocka_unit_test(random_is_fair),
	    cmocka_unit_test(swappiness),     cmocka_unit_test(few_walks_for_what_is_held),
	};

	return cmocka_run_group_tests_name("replacement policies", tests, NULL, NULL);
}
