/* SPDX-License-Identifier: MIT
 *
 * test/sim/regions.c - spans and touched pages against flat models, one byte a page.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "sim/regions.h"
#include "sim/touch.h"
#include "test/sim/tape.h"

#define PAGES 512
#define BASE  0x10000000ull

static u64 at(unsigned page)
{
	return BASE + page * PAGE_SIZE;
}

/* Names '0'..'3'; 0 = nothing mapped. Invariants 1 to 3 of regions.h, and the same name at each page. */
static void agree(struct region_table *t, struct region_map *map, const char *model, u64 step)
{
	u64 bytes[64] = {0};

	for (unsigned i = 0; i < PAGES; i++) {
		unsigned r = region_find(map, at(i) + 5);
		char name = r == REGION_NONE ? 0 : t->region[r].info.name[0];

		if (name != model[i])
			fail_msg("step %lu page %u: '%c', not '%c'", step, i, name ? name : '-',
				 model[i] ? model[i] : '-');
	}
	for (unsigned i = 0; i < map->nr; i++) {
		const struct span *s = &map->span[i];

		assert_true(s->start < s->end);
		if (i > 0)
			assert_true(s[-1].end < s->start || (s[-1].end == s->start && s[-1].region != s->region));
		bytes[s->region % 64] += s->end - s->start;
	}
	for (unsigned i = 0; i < min(t->nr, 64u) && t->nr <= 64; i++)
		assert_int_equal(region_bytes(t, map, i), bytes[i]);
}

static void random_maps(void **state)
{
	static const char *const names[] = {"0", "1", "2", "3"};
	struct region_table t;
	struct region_map map;
	char model[PAGES] = {0};
	u64 random = 7;

	region_table_init(&t);
	region_map_init(&map, 0);
	for (u64 step = 0; step < 4000; step++) {
		unsigned start = tape_random(&random) % PAGES, len = 1 + tape_random(&random) % 24;
		unsigned name = tape_random(&random) % 4, to = tape_random(&random) % PAGES;

		len = min(len, PAGES - max(start, to));
		switch (tape_random(&random) % 5) {
		case 0:
		case 1:
		case 2: {
			struct region_area area = {at(start), at(start + len), names[name], REGION_OTHER, 0, false};

			region_map_add(&t, &map, &area);
			memset(model + start, names[name][0], len);
			break;
		}
		case 3:
			region_map_cut(&map, at(start), at(start + len));
			memset(model + start, 0, len);
			break;
		default:
			if (!model[start] || (start < to + len && to < start + len))
				break;
			region_map_move(&t, &map, at(start), at(start + len), at(to), at(to + len));
			name = model[start] - '0';
			memset(model + start, 0, len);
			memset(model + to, names[name][0], len);
		}
		agree(&t, &map, model, step);
	}
	region_map_free(&map);
	region_table_free(&t);
}

static void stack_grows(void **state)
{
	struct region_table t;
	struct region_map map, child;
	struct region_area stack = {at(100), at(104), "[stack]", REGION_STACK, at(50), false};
	struct region_area library = {at(60), at(70), "libm", REGION_FILE_TEXT, 0, false};

	region_table_init(&t);
	region_map_init(&map, 0);
	region_map_add(&t, &map, &stack);
	assert_int_equal(region_find(&map, at(49)), REGION_NONE);
	assert_int_equal(region_find(&map, at(50)), 0);
	assert_int_equal(region_bytes(&t, &map, 0), 4 * PAGE_SIZE);
	region_grow(&t, &map, 0, at(90) + 17);
	assert_int_equal(t.region[0].info.start, at(90));
	assert_int_equal(t.region[0].info.peak_bytes, 14 * PAGE_SIZE);
	region_map_add(&t, &map, &library);
	assert_int_equal(region_bytes(&t, &map, 0), 14 * PAGE_SIZE);
	region_grow(&t, &map, 0, at(59)); /* past the library */
	assert_int_equal(region_bytes(&t, &map, 0), 35 * PAGE_SIZE);
	region_map_fork(&child, &map);
	assert_int_equal(region_find(&child, at(95)), 0);
	assert_int_equal(region_bytes(&t, &child, 0), 35 * PAGE_SIZE);
	assert_int_equal(t.nr, 2);
	region_map_free(&child);
	region_map_free(&map);
	region_table_free(&t);
}

/* A growing stack right above another is one span with it; there is nothing left between for it to grow into. */
static void stack_above_stack(void **state)
{
	struct region_table t;
	struct region_map map;
	struct region_area lower = {at(20), at(22), "[stack]", REGION_STACK, at(10), false};
	struct region_area upper = {at(22), at(24), "[stack]", REGION_STACK, at(15), false};

	region_table_init(&t);
	region_map_init(&map, 0);
	region_map_add(&t, &map, &lower);
	region_map_add(&t, &map, &upper);
	assert_int_equal(map.nr, 1);
	assert_int_equal(map.span[0].start, at(10));
	assert_int_equal(map.span[0].end, at(24));
	region_map_free(&map);
	region_table_free(&t);
}

/* An anonymous area right above a file's data is its bss; adjacent areas of one name and kind are one region. */
static void adjacent(void **state)
{
	struct region_table t;
	struct region_map map;
	struct region_area data = {at(0), at(4), "prog", REGION_FILE_DATA, 0, false},
			   bss = {at(4), at(6), "[anon]", REGION_ANON, 0, false};
	struct region_area anon = {at(10), at(11), "[anon]", REGION_ANON, 0, false},
			   below = {at(9), at(10), "[anon]", REGION_ANON, 0, false};

	region_table_init(&t);
	region_map_init(&map, 0);
	region_map_add(&t, &map, &data);
	region_map_add(&t, &map, &bss);
	assert_int_equal(region_find(&map, at(5)), 0);
	region_map_add(&t, &map, &anon);
	region_map_add(&t, &map, &below);
	assert_int_equal(t.nr, 2);
	assert_int_equal(t.region[1].info.start, at(9));
	assert_int_equal(t.region[1].info.end, at(11));
	region_map_madvise(&t, &map, at(9), at(10));
	assert_true(t.region[1].info.madvised && !t.region[0].info.madvised);
	region_map_free(&map);
	region_table_free(&t);
}

/* Processes of one program have the same regions, at once or one after the other; another program has its own. What is
 * shared through a file is one region wherever it lies; private files of one name that do not touch are two. */
static void programs(void **state)
{
	struct region_table t;
	struct region_map map, child, other;
	struct region_area heap = {at(0), at(4), "[heap]", REGION_HEAP, 0, false};
	struct region_area segment = {at(10), at(14), "/dev/shm/seg", REGION_FILE_DATA, 0, true};
	struct region_area elsewhere = {at(100), at(104), "/dev/shm/seg", REGION_FILE_DATA, 0, true};
	struct region_area private = {at(110), at(114), "/dev/shm/seg", REGION_FILE_DATA, 0, false};

	region_table_init(&t);
	region_map_init(&map, 3);
	region_map_add(&t, &map, &heap);
	region_map_add(&t, &map, &segment);
	region_map_fork(&child, &map);
	region_map_free(&map);
	region_map_cut(&child, at(0), at(2));
	assert_int_equal(region_bytes(&t, &child, 0), 2 * PAGE_SIZE);
	assert_int_equal(t.region[0].info.peak_bytes, 4 * PAGE_SIZE);
	region_map_init(&map, 3);
	region_map_add(&t, &map, &heap);
	region_map_add(&t, &map, &elsewhere);
	assert_int_equal(t.nr, 2);
	assert_int_equal(region_find(&map, at(101)), region_find(&child, at(11)));
	assert_int_equal(t.region[1].info.start, at(10));
	assert_int_equal(t.region[1].info.end, at(14));
	assert_int_equal(t.region[1].info.peak_bytes, 4 * PAGE_SIZE);
	region_map_init(&other, 0);
	region_map_add(&t, &other, &heap);
	region_map_add(&t, &map, &private);
	assert_int_equal(t.nr, 4);
	assert_int_equal(t.region[2].info.program, 0);
	assert_int_equal(t.region[3].info.program, 3);
	region_map_free(&map);
	region_map_free(&child);
	region_map_free(&other);
	region_table_free(&t);
}

/* Beyond 16,384 regions one has the rest, whosever they are; the same addresses still find the same names. */
static void very_many(void **state)
{
	enum { MAPS = 20, AREAS = 850 };
	struct region_table t;
	struct region_map map[MAPS];
	u64 rest = 0;

	region_table_init(&t);
	for (u32 p = 0; p < MAPS; p++) {
		region_map_init(&map[p], p);
		for (u64 i = 0; i < AREAS; i++) {
			u64 start = BASE + i * 2 * PAGE_SIZE;
			struct region_area area = {start, start + PAGE_SIZE, "[anon]", REGION_ANON, 0, false};

			region_map_add(&t, &map[p], &area);
		}
	}
	assert_int_equal(t.nr, 16384 + 1);
	assert_int_equal(t.other, 16384);
	assert_string_equal(t.region[t.other].info.name, "[other]");
	assert_int_equal(t.region[t.other].info.program, SIM_NO_PROGRAM);
	for (u32 p = 0; p < MAPS; p++) {
		for (u64 i = 0; i < AREAS; i++) {
			unsigned r = region_find(&map[p], BASE + i * 2 * PAGE_SIZE);

			assert_true(r == t.other || t.region[r].info.program == p);
			rest += r == t.other;
			assert_int_equal(region_find(&map[p], BASE + (2 * i + 1) * PAGE_SIZE), REGION_NONE);
		}
		region_map_free(&map[p]);
	}
	assert_int_equal(rest, MAPS * AREAS - 16384);
	region_table_free(&t);
}

#define CHUNKS 300

static void touched(void **state)
{
	struct touch_table t;
	static u8 huge[2][CHUNKS], page[2][CHUNKS][512];
	u64 random = 11;

	touch_init(&t);
	for (u64 step = 0; step < 20000; step++) {
		u32 space = tape_random(&random) % 2;
		unsigned c = tape_random(&random) % CHUNKS, p = tape_random(&random) % 512;
		u64 va = (u64)c << PMD_SHIFT | p << PAGE_SHIFT, *list, n = 0, bits = 0;

		switch (tape_random(&random) % 8) {
		case 0:
			assert_int_equal(touch_set_huge(&t, space + 1, va, c), !huge[space][c]);
			huge[space][c] = 1;
			break;
		case 1:
			assert_int_equal(touch_clear_huge(&t, space + 1, va), huge[space][c] ? c : ~0u);
			huge[space][c] = 0;
			memset(page[space][c], 0, 512);
			break;
		case 2:
			if (!huge[0][c])
				break;
			touch_copy(&t, 1, va, 2, va, c);
			huge[1][c] = 1;
			memcpy(page[1][c], page[0][c], 512);
			break;
		default:
			touch_mark(&t, space + 1, va);
			page[space][c][p] = huge[space][c];
		}
		if (step % 512)
			continue;
		for (unsigned s = 0; s < 2; s++)
			for (unsigned i = 0; i < CHUNKS; i++) {
				n += huge[s][i];
				for (unsigned k = 0; k < 512; k++)
					bits += page[s][i][k];
			}
		assert_int_equal(t.huge_chunks, n);
		assert_int_equal(t.touched_pages, bits);
		n = 0;
		for (unsigned i = c; i < CHUNKS; i++)
			n += huge[0][i];
		assert_int_equal(touch_list(&t, 1, va, (u64)CHUNKS << PMD_SHIFT, &list), n);
		free(list);
		assert_int_equal(touch_list(&t, 1, va, 1ull << 47, &list), n);
		free(list);
	}
	touch_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_maps), cmocka_unit_test(stack_grows), cmocka_unit_test(stack_above_stack),
	    cmocka_unit_test(adjacent),    cmocka_unit_test(programs),    cmocka_unit_test(very_many),
	    cmocka_unit_test(touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
