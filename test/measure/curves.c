/* SPDX-License-Identifier: MIT
 *
 * test/measure/curves.c - reach and costs from curves whose answer is known: they are drawn from a TLB in two lines of
 * arithmetic, with noise. And what a series of batches says, against sorting by hand.
 *
 * usage: curves docs/measure.md
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure/measure.h"

static const char *docs; /* docs/measure.md */

struct cpu {
	const char *name;
	u32 l1, l2;
	double hit, walk, thp_walk; /* cycles over an L1 hit */
	u32 huge_l1, huge_l2;
};

/* Figures as published or measured; a made-up one with nothing in the second level is Zen's hypervisor case. */
static const struct cpu cpus[] = {
    {"Skylake", 64, 1536, 9, 30, 0, 32, 1536},       {"Golden Cove", 96, 2048, 7, 19, 0, 32, 1024},
    {"Zen 3", 64, 2048, 7, 26, 0, 64, 2048},         {"Zen 4", 72, 3072, 5, 12, 0, 72, 3072},
    {"Zen 3, guest", 64, 2048, 7, 60, 34, 64, 2048}, {"large", 200, 5000, 8, 400, 300, 64, 2048},
};

static u64 seed = 88172645463325252ull;

/* -1 .. 1 */
static double noise(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(seed >> 33) / (double)(1u << 30) - 1;
}

static double data_cycles(u32 lines)
{
	return lines <= 512 ? 4 : lines <= 16384 ? 14 : 300;
}

static double translation(u32 pages, u32 l1, u32 l2, double hit, double walk)
{
	return pages <= l1 ? 0 : pages <= l2 ? hit : walk;
}

/* Three batches, of which one is the truth and two are disturbed. */
static void put_point(struct chase *c, u32 lines, double cycles)
{
	struct chase_point *p = &c->point[c->nr++];

	*p = (struct chase_point){.lines = lines, .walks = -1};
	series_add(&p->cycles, cycles * 1.8);
	series_add(&p->cycles, cycles + noise() * 0.3);
	series_add(&p->cycles, cycles * 1.1);
}

static void draw(struct chase chase[CHASE_NR], const struct cpu *cpu, unsigned points)
{
	memset(chase, 0, CHASE_NR * sizeof(*chase));
	for (unsigned i = 0; i < points; i++) {
		u32 n = 16u << i / 2, lines = i % 2 ? n + n / 2 : n;
		double data = data_cycles(lines);

		put_point(&chase[CHASE_LINES], lines, data);
		put_point(&chase[CHASE_4K], lines, data + translation(lines, cpu->l1, cpu->l2, cpu->hit, cpu->walk));
		put_point(&chase[CHASE_THP], lines,
			  data + translation(lines, cpu->l1, cpu->l2, cpu->thp_walk ? cpu->hit : 0, cpu->thp_walk));
		if (lines <= 2048)
			put_point(&chase[CHASE_2M], lines,
				  data + translation(lines, cpu->huge_l1, cpu->huge_l2, cpu->hit, cpu->walk));
	}
}

static bool holds(struct tlb_level l, u32 entries)
{
	return l.least <= entries && (l.most == 0 || entries <= l.most);
}

static void reach_is_found(void **state)
{
	static struct chase chase[CHASE_NR];

	for (unsigned i = 0; i < ARRAY_SIZE(cpus); i++) {
		const struct cpu *cpu = &cpus[i];
		struct tlb_found f;

		draw(chase, cpu, 33);
		tlb_find_reach(chase, &f);
		if (!holds(f.l1, cpu->l1) || !holds(f.l2, cpu->l2) || f.l1.most == 0 || f.l2.most == 0)
			fail_msg("%s: L1 %u..%u, L2 %u..%u", cpu->name, f.l1.least, f.l1.most, f.l2.least, f.l2.most);
		if (fabs(f.l2_hit - cpu->hit) > 1 || fabs(f.walk_near - cpu->walk) > 2)
			fail_msg("%s: hit %.1f, walk %.1f", cpu->name, f.l2_hit, f.walk_near);
		if (fabs(f.walk_512m - cpu->walk) > 2 || fabs(f.walk_far - cpu->walk) > 2 ||
		    fabs(f.far_saved - (cpu->walk - cpu->thp_walk)) > 4)
			fail_msg("%s: far %.1f, saved %.1f", cpu->name, f.walk_far, f.far_saved);
		if (fabs(f.thp_share - cpu->thp_walk / cpu->walk) > 0.15)
			fail_msg("%s: share %.2f", cpu->name, f.thp_share);
		if (!holds(f.huge_l1, cpu->huge_l1) || !holds(f.huge_l2, cpu->huge_l2))
			fail_msg("%s: 2M: L1 %u..%u, L2 %u..%u", cpu->name, f.huge_l1.least, f.huge_l1.most,
				 f.huge_l2.least, f.huge_l2.most);
	}
}

static void models(void **state)
{
	const struct cpu_preset *skylake = cpu_preset_find("skylake"), *icelake = cpu_preset_find("icelake");

	assert_int_equal(model_entries(&skylake->l1d), 64);
	assert_int_equal(model_entries(&skylake->l2), 1536);
	assert_int_equal(model_entries(&icelake->l2), 2048); /* two arrays of 1024 hold 4K pages */
	assert_true(model_agrees(1536, (struct tlb_level){1024, 1536}));
	assert_true(model_agrees(1536, (struct tlb_level){1536, 2048}));
	assert_true(model_agrees(1536, (struct tlb_level){1024, 0}));
	assert_false(model_agrees(1536, (struct tlb_level){768, 1024}));
	assert_false(model_agrees(1536, (struct tlb_level){2048, 3072}));
}

/* Little memory: the curve ends before what is asked. Nothing is made up then. */
static void short_curves(void **state)
{
	static struct chase chase[CHASE_NR];
	struct tlb_found f;

	draw(chase, &cpus[0], 0);
	tlb_find_reach(chase, &f);
	assert_int_equal(f.l1.least, 0);
	assert_int_equal(f.l2.least, 0);
	assert_true(f.thp_share < 0);

	draw(chase, &cpus[0], 3); /* 16, 24, 32 pages: all in the L1 TLB */
	tlb_find_reach(chase, &f);
	assert_int_equal(f.l1.least, 32);
	assert_int_equal(f.l1.most, 0);
	assert_int_equal(f.l2.least, 0);
	assert_true(f.walk_near <= 0 && f.walk_far <= 0);

	draw(chase, &cpus[0], 13); /* up to 1024: no walk yet */
	tlb_find_reach(chase, &f);
	assert_true(holds(f.l1, 64));
	assert_int_equal(f.l2.least, 1024);
	assert_int_equal(f.l2.most, 0);
	assert_true(f.walk_near <= 0 && f.thp_share < 0);

	chase[CHASE_LINES].nr = 0; /* nothing to compare with */
	tlb_find_reach(chase, &f);
	assert_int_equal(f.l1.least, 0);
}

/* The row of what measure_save() wrote; false: it is not there. */
static bool saved(const struct measure *m, const char *name, long row[2])
{
	char *text = NULL, *at;
	size_t bytes;
	FILE *f = open_memstream(&text, &bytes);
	bool there;

	assert_non_null(f);
	measure_save(f, m, cpu_preset_find("zen3"));
	fclose(f);
	at = text;
	while (at && strncmp(at, name, strlen(name)) != 0)
		at = (at = strchr(at, '\n')) ? at + 1 : NULL;
	there = at && sscanf(strchr(at, '=') + 1, "%ld %ld", &row[0], &row[1]) == 2;
	free(text);
	return there;
}

static void near(const long row[2], long least, long most)
{
	if (labs(row[0] - least) > 1 || labs(row[1] - most) > 1)
		fail_msg("%ld .. %ld, not %ld .. %ld", row[0], row[1], least, most);
}

/* A walk of 60 - 7 cycles where pages are broken up is two entries from L2, 12 .. 19 each on Zen 3, and the rest the host's; of
 * 2M pages it is 34 - 7, less than those. L3 is what loads from there take (of the points up to 4 times 512K the nearest and
 * the median of the farthest), less the L2 TLB's 7. Where they are not broken up a walk is one entry. */
static void walks_are_saved(void **state)
{
	static struct measure m;
	long row[2];

	for (unsigned nested = 0; nested < 2; nested++) {
		draw(m.chase, &cpus[4], 33);
		tlb_find_reach(m.chase, &m.tlb);
		m.host.is_virtual = nested ? TRI_YES : TRI_NO;
		assert_int_equal(saved(&m, "nested-walk", row), nested);
		if (nested) {
			near(row, 0, 53 - 2 * 12);
			assert_false(saved(&m, "walk-l2", row));
			assert_true(saved(&m, "walk-l3", row));
			near(row, 14 - 7, 330 - 7);
		} else {
			assert_true(saved(&m, "walk-l2", row));
			near(row, 53, 53);
			assert_true(saved(&m, "walk-l3", row));
			near(row, 53, 53);
		}
	}
}

static void quantiles(void **state)
{
	struct series s = {.nr = 0};

	assert_true(series_least(&s) == 0);
	for (unsigned i = 0; i < 5; i++)
		series_add(&s, (i * 3) % 5 * 10); /* 0 30 10 40 20 */
	assert_true(series_least(&s) == 0 && series_quantile(&s, 1) == 40 && series_quantile(&s, 0.5) == 20);
	assert_true(series_quantile(&s, 0.25) == 10 && series_quantile(&s, 0.875) == 35);
	for (unsigned i = 0; i < 2 * MAX_BATCHES; i++)
		series_add(&s, 50);
	assert_int_equal(s.nr, MAX_BATCHES);
	assert_true(series_stable(&s)); /* there is no room for more */
}

static void means(void **state)
{
	double one[] = {7}, interrupted[] = {10, 10, 1000, 10, 10, 10, 10, 10, 10, 10},
	       refills[] = {10, 10, 20, 10, 10, 20, 10, 10, 10, 10}, steps[] = {1, 8, 9};

	assert_true(mean_of(one, 1) == 7);
	assert_true(mean_of(interrupted, 10) == 10);
	assert_true(mean_of(refills, 10) == 12);
	assert_true(mean_of(steps, 3) == 6); /* the median is 8 */
}

static void stability(void **state)
{
	struct series s = {.nr = 0}, none = {.nr = 0};
	static const double wild[] = {200, 100, 150, 120, 170}, more[] = {103, 104};

	for (unsigned i = 0; i < ARRAY_SIZE(wild); i++) {
		assert_false(series_stable(&s));
		series_add(&s, wild[i]);
	}
	assert_false(series_stable(&s));
	for (unsigned i = 0; i < ARRAY_SIZE(more); i++)
		series_add(&s, more[i]);
	assert_true(series_stable(&s)); /* 100, 103, 104 */

	series_missing(&none, "no %s", "memory");
	series_missing(&none, "another");
	assert_string_equal(none.missing, "no memory");
	assert_true(series_stable(&none));
	series_missing(&s, "too late");
	assert_string_equal(s.missing, "");
}

/* docs/measure.md has every figure's name, and figures are told apart by them. */
static void names_are_documented(void **state)
{
	static char text[1 << 16];
	FILE *f = fopen(docs, "re");

	assert_non_null(f);
	assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
	fclose(f);
	for (unsigned i = 0; i < FIG_NR; i++) {
		const char *at = text, *name = figure_rows[i].name;

		/* `fork.1m` .. `fork.1g` */
		if (strncmp(name, "fork.", 5) == 0 && strstr(name, "page") == NULL)
			name = strncmp(name, "fork.thp", 8) == 0 ? "fork.thp.1g" : "fork.1g";
		while ((at = strstr(at, name)) != NULL && (at[-1] != '`' || at[strlen(name)] != '`'))
			at++;
		if (at == NULL)
			fail_msg("%s: %s is not there", docs, figure_rows[i].name);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(figure_rows[i].name, figure_rows[k].name);
	}
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reach_is_found), cmocka_unit_test(walks_are_saved),
	    cmocka_unit_test(models),         cmocka_unit_test(short_curves),
	    cmocka_unit_test(quantiles),      cmocka_unit_test(stability),
	    cmocka_unit_test(means),          cmocka_unit_test(names_are_documented),
	};

	docs = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
