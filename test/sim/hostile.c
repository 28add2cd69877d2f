/* SPDX-License-Identifier: MIT
 *
 * test/sim/hostile.c - streams that break the rules: an event that makes no sense is left out, a stream that cannot be
 * followed any more is closed, both with a count; never a crash, and nobody else is harmed.
 *
 * The random streams print their seed; QUIRE_SEED=N runs that one only.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim/internal.h"
#include "test/sim/tape.h"

#define A    0x7fff00000000ull
#define HEAP 0x555555560000ull
#define RW   (PROT_READ | PROT_WRITE)

static struct sim *sim;

/* sim_check() comes after each long event; vm_check(), which costs more, at the end. */
static void start(void)
{
	sim = tape_sim("4k;2m;4k,cpus=2,kpti=on;4k,cpus=1,kpti=on,pcid=off", ",ram=64M,check=1,oracle=1");
	sim->check = 3;
}

static struct sim_result finish(void)
{
	struct sim_result r;

	sim_finish(sim, &r);
	return r;
}

/* A good program in stream 7 still counts right; everything is destroyed. */
static void still_works(void)
{
	struct sim_result before = finish(), after;
	u64 faults = before.machine[0].count.os.faults[VM_FAULT_ZERO_WRITE];
	struct tape t;

	tape_begin(&t, 7777, HEAP);
	tape_map(&t, A, 32 * PAGE_SIZE, RW, MAP_PRIVATE);
	tape_sweep(&t, A, 32 * PAGE_SIZE, EVR_WRITE);
	tape_exit(&t, EVX_EXIT);
	assert_int_equal(sim_feed(sim, 7, t.word, t.nr), 0);
	after = finish();
	assert_int_equal(after.machine[0].count.os.faults[VM_FAULT_ZERO_WRITE], faults + 32);
	tape_free(&t);
	sim_destroy(sim);
}

static void expect_closed(const struct tape *t, const char *what)
{
	start();
	if (sim_feed(sim, 0, t->word, t->nr) != -1)
		fail_msg("%s was taken", what);
	assert_int_equal(sim_feed(sim, 0, t->word, t->nr), -1);
	assert_int_equal(finish().program.malformed, 1);
	still_works();
}

/* The tape, with bad events of one kind in it, is read to its end; after them the thread counts right. */
static void expect_dropped(struct tape *t, const char *what, unsigned type, unsigned nr)
{
	struct sim_result before, after;
	u64 faults;

	start();
	assert_int_equal(sim_feed(sim, 0, t->word, t->nr), 0);
	before = finish();
	faults = before.machine[0].count.os.faults[VM_FAULT_ZERO_WRITE];
	if (before.program.malformed != 0 || before.program.dropped[type] != nr)
		fail_msg("%s: %u streams closed, %llu %s dropped", what, before.program.malformed,
			 (unsigned long long)before.program.dropped[type], ev_name(type));
	for (unsigned i = 0; i < EV_NR; i++)
		assert_int_equal(before.program.dropped[i], i == type ? nr : 0);
	tape_free(t);
	tape_init(t, false);
	tape_exec(t, HEAP);
	tape_map(t, A, 8 * PAGE_SIZE, RW, MAP_PRIVATE);
	tape_sweep(t, A, 8 * PAGE_SIZE, EVR_WRITE);
	tape_counts(t, 1000, 1000, 1000);
	assert_int_equal(sim_feed(sim, 0, t->word, t->nr), 0);
	after = finish();
	assert_int_equal(after.machine[0].count.os.faults[VM_FAULT_ZERO_WRITE], faults + 8);
	assert_int_equal(after.program.instructions, 1000);
	assert_int_equal(after.program.dropped[type], nr);
	still_works();
}

struct bad_event {
	const char *what;
	unsigned type, words;
	u64 arg, p[9];
};

static void put_bad(struct tape *t, const struct bad_event *bad)
{
	u64 payload[255] = {0};

	tape_begin(t, 100, HEAP);
	tape_counts(t, 5, 5, 5);
	memcpy(payload, bad->p, sizeof(bad->p));
	tape_put(t, bad->type, bad->arg, payload, bad->words);
}

/* One header after a good beginning that does not say where the next event is. */
static void bad_headers(void **state)
{
	static const struct bad_event bad[] = {
	    {"type 0", 0, 0, 0, {0}},
	    {"EV_ENTER as a long event", EV_ENTER, 0, 0, {0}},
	    {"unknown type", EV_NR, 2, 0, {0}},
	    {"type 127", 127, 255, 0, {0}},
	    {"short range", EV_UNMAP, 1, 0, {A}},
	    {"long range", EV_UNMAP, 3, 0, {A, PAGE_SIZE, 0}},
	    {"short map", EV_MAP, 8, 0, {A, PAGE_SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS}},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct tape t;

		put_bad(&t, &bad[i]);
		expect_closed(&t, bad[i].what);
		tape_free(&t);
	}
}

/* One bad event after a good beginning, each of its own kind. */
static void bad_events(void **state)
{
	static const struct bad_event bad[] = {
	    {"range that wraps", EV_UNMAP, 2, 0, {A, ~0ull - 4096}},
	    {"range in the kernel", EV_PROTECT, 2, 0, {0xffff800000000000ull, 4096}},
	    {"range that is not locked", EV_LOCK, 2, EVL_LOCK, {A, ~0xfffull}},
	    {"range that is not written", EV_SYNC, 2, MS_SYNC, {1ull << 63, 4096}},
	    {"advice for the kernel", EV_ADVISE, 2, 4, {~0xfffull, 4096}},
	    {"huge touch", EV_TOUCH, 2, EVR_WRITE, {A, 1ull << 40}},
	    {"touch of a kernel address", EV_TOUCH, 2, EVR_READ, {~0ull, 16}},
	    {"touch that is an execution", EV_TOUCH, 2, EVR_FETCH, {A, 16}},
	    {"touch that is nothing", EV_TOUCH, 2, 0, {A, 16}},
	    {"brk that wraps", EV_BRK, 2, 0, {HEAP, ~0ull}},
	    {"brk below its start", EV_BRK, 2, 0, {HEAP - 65536, 4096}},
	    {"empty map", EV_MAP, 9, 0, {A, 0, RW, MAP_PRIVATE | MAP_ANONYMOUS}},
	    {"unaligned map", EV_MAP, 9, 0, {A + 1, 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS}},
	    {"map that wraps", EV_MAP, 9, 0, {A, ~0xfffull, RW, MAP_PRIVATE | MAP_ANONYMOUS}},
	    {"map at 0", EV_MAP, 9, 0, {0, 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS}},
	    {"file beyond 2^63", EV_MAP, 9, 0, {A, 4096, RW, MAP_PRIVATE, 1, 1, 0, 1ull << 63}},
	    {"map beyond 2^63", EV_MAP, 9, 0, {A, 8192, RW, MAP_PRIVATE, 1, 1, (1ull << 63) - 4096, 1ull << 62}},
	    {"remap to nothing", EV_REMAP, 5, 0, {A, 4096, A, 0, 0}},
	    {"unaligned remap", EV_REMAP, 5, 0, {A, 4096, A + 8, 4096, 0}},
	    {"remap from beyond user space", EV_REMAP, 5, 0, {1ull << 47, 4096, A, 4096, 0}},
	    {"totals that fall", EV_COUNTS, 3, 0, {1, 1, 1}},
	    {"second EV_THREAD", EV_THREAD, 3, 0, {5, 5, 0}},
	    {"exec_done out of range", EV_EXEC_DONE, 8, 0, {A, 1ull << 50}},
	    {"exec_done with a huge stack", EV_EXEC_DONE, 8, 0, {0, A, 64}},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct tape t;

		put_bad(&t, &bad[i]);
		expect_dropped(&t, bad[i].what, bad[i].type, 1);
		tape_free(&t);
	}
}

static void bad_enters(void **state)
{
	static const u64 bad[] = {
	    0x1000,                                         /* no kind */
	    0x1000 | 1 << 11,                               /* one that leaves, with a page */
	    0x1000 | EVR_FETCH << 1,                        /* a fetch in a data slot */
	    0x1000 | 64 << 4 | EVR_READ << 1,               /* data in a fetch slot */
	    0x1000 | (EVR_FETCH | EVR_READ) << 1 | 72 << 4, /* two kinds */
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct tape t;

		tape_begin(&t, 100, HEAP);
		tape_access(&t, HEAP, EVR_READ);
		t.word[t.nr - 1] = bad[i];
		tape_access(&t, HEAP, EVR_READ);
		expect_dropped(&t, "a bad EV_ENTER", EV_ENTER, 1);
		tape_free(&t);
	}
}

/* Nobody touches memory before it is somebody, or without a space, or after its end. */
static void out_of_order(void **state)
{
	struct tape t;

	tape_init(&t, false);
	tape_access(&t, A, EVR_READ);
	tape_thread(&t, 1, 1, 0);
	expect_dropped(&t, "an access of nobody, whose page leaves", EV_ENTER, 2);
	tape_free(&t);

	tape_init(&t, false);
	tape_range(&t, EV_UNMAP, 0, A, PAGE_SIZE);
	tape_thread(&t, 1, 1, 0);
	expect_dropped(&t, "a system call of nobody", EV_UNMAP, 1);
	tape_free(&t);

	tape_init(&t, false);
	tape_thread(&t, 1, 1, 0);
	tape_access(&t, A, EVR_READ);
	expect_dropped(&t, "an access without a space", EV_ENTER, 1);
	tape_free(&t);

	tape_init(&t, false);
	tape_thread(&t, 1, 1, 99);
	tape_map(&t, A, 4096, RW, MAP_PRIVATE);
	expect_dropped(&t, "a map of an unknown parent's child", EV_MAP, 1);
	tape_free(&t);

	tape_begin(&t, 100, HEAP);
	tape_fork(&t, 200, 0);
	tape_fork(&t, 200, 0);
	expect_dropped(&t, "two forks of one child that never lived", EV_FORK, 1);
	tape_free(&t);
}

/* Odd, but possible: each is taken, and the memory is all given back. */
static void odd_but_right(void **state)
{
	struct tape t;

	start();
	tape_begin(&t, 100, HEAP);
	tape_fork(&t, 100, 0); /* its own pid: the number came again */
	tape_fork(&t, 200, EVF_VM);
	tape_exec(&t, 0);
	tape_map(&t, A, 4096, RW, MAP_PRIVATE);
	tape_range(&t, EV_UNMAP, 0, 0x10000, 4096);
	tape_range(&t, EV_ADVISE, 12345, A, 4096);
	tape_exit(&t, 99);
	tape_counts(&t, 1000, 100, 10); /* the will of a process that was gone before it could close the ring */
	tape_exit(&t, EVX_LOST);
	tape_thread(&t, 300, 300, 0); /* the stream is used again */
	tape_exit(&t, EVX_LOST);
	assert_int_equal(sim_feed(sim, 0, t.word, t.nr), 0);
	assert_int_equal(sim_feed(sim, 70000, t.word, t.nr), -1);
	assert_int_equal(finish().program.malformed, 0);
	assert_int_equal(finish().program.lost, 1);
	tape_free(&t);
	still_works();
}

/* What our kernel refuses, though the program's did it, is counted. */
static void mismatch(void **state)
{
	struct tape t;

	start();
	tape_begin(&t, 100, HEAP);
	tape_range(&t, EV_PROTECT, PROT_READ, A, 4096);
	assert_int_equal(sim_feed(sim, 0, t.word, t.nr), 0);
	assert_int_equal(finish().machine[0].count.mismatches, 1);
	tape_free(&t);
	still_works();
}

/* A map tells that its file has shrunk meanwhile: that is the kernel's work, also where it has tables of its own. */
static void file_shrinks(void **state)
{
	struct tape t;

	sim = tape_sim("4k,kpti=on;4k,kpti=on,pcid=off", ",ram=64M,check=2,oracle=1");
	tape_begin(&t, 100, HEAP);
	tape_map_file(&t, A, 16 * PAGE_SIZE, RW, MAP_SHARED, 5, 16 * PAGE_SIZE, "/f");
	tape_sweep(&t, A, 16 * PAGE_SIZE, EVR_WRITE);
	tape_map_file(&t, A + 64 * PAGE_SIZE, PAGE_SIZE, RW, MAP_SHARED, 5, 8 * PAGE_SIZE, "/f");
	tape_sweep(&t, A, 8 * PAGE_SIZE, EVR_WRITE);
	assert_int_equal(sim_feed(sim, 0, t.word, t.nr), 0);
	assert_int_equal(finish().machine[0].count.os.faults[VM_FAULT_FILE], 16);
	tape_free(&t);
	sim_destroy(sim);
}

static void map_at(struct tape *t, u64 start, u64 ino, u64 offset, u64 pages)
{
	struct {
		struct ev_map e;
		char name[16];
	} p = {{.start = start,
		.len = pages * PAGE_SIZE,
		.prot = RW,
		.flags = MAP_SHARED,
		.dev = 1,
		.ino = ino,
		.offset = offset,
		.size = (1ull << 63) - 1},
	       "/memfd:far"};

	if (ino != 1)
		strcpy(p.name, "/disk");
	tape_put(t, EV_MAP, 0, &p, EV_PAYLOAD_WORDS(p));
}

/* Pages of shared memory and of a file, as far apart as 64 bits go: each comes back as itself from swap and disk. */
static void far_offsets(void **state)
{
	static const u64 offset[] = {0, 1ull << 44, 3ull << 44, 1ull << 56, (1ull << 63) - 513 * PAGE_SIZE};
	const unsigned rounds = 3;
	struct tape t;

	sim = tape_sim("4k;thp,reclaim=mglru", ",ram=8M,swap=64M,check=1,oracle=1");
	tape_begin(&t, 100, HEAP);
	for (unsigned i = 0; i < ARRAY_SIZE(offset); i++) {
		map_at(&t, A + i * 16 * MIB, 1, offset[i], 512);
		map_at(&t, A + (i + 100) * 16 * MIB, 2, offset[i], 512);
	}
	for (unsigned round = 0; round < rounds; round++)
		for (unsigned i = 0; i < ARRAY_SIZE(offset); i++) {
			tape_sweep(&t, A + i * 16 * MIB, 2 * MIB, EVR_WRITE);
			tape_sweep(&t, A + (i + 100) * 16 * MIB, 2 * MIB, EVR_WRITE);
		}
	assert_int_equal(sim_feed(sim, 0, t.word, t.nr), 0);
	for (unsigned i = 0; i < 2; i++) {
		const struct machine_counters *c = &finish().machine[i].count;

		assert_int_equal(c->mismatches, 0);
		assert_int_equal(c->os.faults[VM_FAULT_BUS], 0);
		assert_true(c->os.swap_ins > 512 && c->os.file_reads > 512);
	}
	tape_free(&t);
	sim_destroy(sim);
}

/* A stream cut anywhere is no mistake; the pieces may be of any size. */
static void truncated(void **state)
{
	struct tape t;

	tape_begin(&t, 100, HEAP);
	tape_map(&t, A, 8 * PAGE_SIZE, RW, MAP_PRIVATE);
	tape_sweep(&t, A, 8 * PAGE_SIZE, EVR_WRITE);
	tape_exit(&t, EVX_EXIT);
	for (size_t cut = 0; cut <= t.nr; cut++) {
		sim = tape_sim("4k", ",ram=64M");
		for (size_t i = 0; i < cut; i += 1 + cut % 5)
			assert_int_equal(sim_feed(sim, 0, t.word + i, min(1 + cut % 5, cut - i)), 0);
		assert_int_equal(finish().program.malformed, 0);
		sim_destroy(sim);
	}
	tape_free(&t);
}

/* ---- random streams ---- */

/* Plausible values, so that random events get past the first check. */
static u64 plausible(u64 *random)
{
	u64 r = tape_random(random);

	switch (r % 6) {
	case 0:
		return r >> 8 & 0xff;
	case 1:
		return A + (r >> 8 & 0x3ff) * PAGE_SIZE;
	case 2:
		return (r >> 8 & 0xff) * PAGE_SIZE;
	case 3:
		return HEAP + (r >> 8 & 0xffff);
	case 4:
		return RW;
	default:
		return r;
	}
}

static void random_event(struct tape *t, u64 *random)
{
	static const u8 words[EV_NR] = {0, 0, 3, 1, 2, 0, 9, 2, 2, 5, 2, 2, 2, 1, 8, 2, 3, 1};
	unsigned type = EV_COUNTS + tape_random(random) % (EV_NR - EV_COUNTS);
	u64 p[16];

	if (tape_random(random) % 3 == 0) {
		tape_access(t, plausible(random), 1u << tape_random(random) % 3);
		return;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = plausible(random);
	if (type == EV_MAP) {
		p[0] = A + (p[0] & 0x3ff) * PAGE_SIZE;
		p[1] = (1 + (p[1] & 0x1ff)) * PAGE_SIZE;
		p[2] &= 7;
		p[3] = MAP_ANONYMOUS | (p[3] & 1 ? MAP_SHARED : MAP_PRIVATE);
		p[4] = p[5] = p[5] & 3;
		p[6] = (p[6] & 0xff) * PAGE_SIZE;
		p[7] &= 0xfffff;
	}
	tape_put(t, type, plausible(random) & 0x1f, p, words[type]);
}

static void random_streams(u64 seed)
{
	struct tape t;
	u64 random = seed * 0x9e3779b97f4a7c15ull + 1;

	start();
	for (unsigned stream = 0; stream < 6; stream++) {
		tape_begin(&t, 100, HEAP);
		for (unsigned i = 0; i < 60; i++)
			random_event(&t, &random);
		if (tape_random(&random) % 2)
			t.word[tape_random(&random) % t.nr] ^= 1ull << tape_random(&random) % 64;
		sim_feed(sim, stream, t.word, t.nr);
		tape_free(&t);
	}
	still_works();
}

static void random_words(u64 seed)
{
	u64 words[256], random = seed + 1;

	start();
	for (unsigned stream = 0; stream < 6; stream++) {
		for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
			words[i] = tape_random(&random) >> tape_random(&random) % 64;
		sim_feed(sim, stream, words, ARRAY_SIZE(words));
	}
	still_works();
}

static void random_bytes(void **state)
{
	const char *only = getenv("QUIRE_SEED");
	u64 first = only ? strtoull(only, NULL, 0) : 1, last = only ? first : 150;

	for (u64 seed = first; seed <= last; seed++) {
		fprintf(stderr, "%sseed %lu", seed > first ? "\r" : "", seed);
		random_streams(seed);
		random_words(seed);
	}
	fputc('\n', stderr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bad_headers),  cmocka_unit_test(bad_events),    cmocka_unit_test(bad_enters),
	    cmocka_unit_test(out_of_order), cmocka_unit_test(odd_but_right), cmocka_unit_test(mismatch),
	    cmocka_unit_test(file_shrinks), cmocka_unit_test(far_offsets),   cmocka_unit_test(truncated),
	    cmocka_unit_test(random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
