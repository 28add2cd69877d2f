/* SPDX-License-Identifier: MIT
 *
 * test/report/json.c - the JSON report against its documentation, in both directions, and against the run it came
 * from. argv[1]: docs/json.md.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/report.h"
#include "test/report/synthetic.h"

static const char *doc_path;
static struct synthetic syn;

static void print_json(FILE *out, const struct sim_result *r)
{
	assert_int_equal(report_json(out, r), 0);
}

/* Every counter of the run gets a value of its own, so that no two fields can be mixed up unseen. */
static void fill(void)
{
	u64 n = 1000;

	synthetic_init(&syn);
	syn.result.nr_machines = syn.result.nr_cures = 1;
	syn.machine[1].cfg.cure = CURE_MALLOC;
	syn.result.nr_regions = 1;
	synthetic_programs(&syn, 2, 3);
	synthetic_slices(&syn, 2);
	strcpy(syn.result.program.left_names[0], "/bin/ls");
	syn.result.program.dropped[EV_EXEC_DONE] = 3;
	syn.result.program.refused[0] = (struct sim_refused){"madvise", 102, 22, 100};
	syn.result.program.nr_refused = 1;
	for (u64 *p = (u64 *)&syn.machine[0].count.mmu; (char *)p < (char *)(&syn.machine[0].count.mmu + 1); p++)
		*p = n++;
	for (u64 *p = syn.machine[0].count.os.faults; p <= &syn.machine[0].count.os.frames_copied; p++)
		*p = n++;
	syn.result.nr_blocks = 1;
	syn.slice[0][1] = (struct sim_slice){11, 12, 13, 14, 15, 16, 17};
	syn.region_result[0][0] = (struct sim_region_result){{1, 2}, 3, 4, 5};
}

static json_t *load(void)
{
	char *text = synthetic_text(&syn, print_json);
	json_error_t error;
	json_t *v = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	if (v == NULL)
		fail_msg("line %d: %s", error.line, error.text);
	free(text);
	return v;
}

/* Paths of all leaves of v ("machines[].count.mmu.walks.data") become keys of the object `to`. */
static void flatten(const char *path, json_t *v, json_t *to)
{
	const char *key;
	char below[256];
	size_t i;
	json_t *item;

	if (strcmp(path, "program.dropped") == 0) { /* its keys are data */
		json_object_foreach(v, key, item) flatten("program.dropped.{}", item, to);
	} else if (json_is_object(v)) {
		json_object_foreach(v, key, item)
		{
			snprintf(below, sizeof(below), "%s%s%s", path, *path ? "." : "", key);
			flatten(below, item, to);
		}
	} else if (json_is_array(v)) {
		assert_true(json_array_size(v) > 0);
		snprintf(below, sizeof(below), "%s[]", path);
		json_array_foreach(v, i, item) flatten(below, item, to);
	} else {
		json_object_set_new(to, path,
				    json_string(json_is_integer(v)   ? "integer"
						: json_is_real(v)    ? "number"
						: json_is_boolean(v) ? "boolean"
								     : "string"));
	}
}

/* Rows "| `path` | type | ..." of the documentation. */
static json_t *documented(void)
{
	FILE *in = fopen(doc_path, "r");
	json_t *to = json_object();
	char line[1024], path[256], type[32];

	assert_non_null(in);
	while (fgets(line, sizeof(line), in) != NULL)
		if (sscanf(line, "| `%255[^`]` | %31[a-z]", path, type) == 2)
			json_object_set_new(to, path, json_string(type));
	fclose(in);
	return to;
}

static void every_field_is_documented(void **state)
{
	json_t *doc = documented(), *v, *out = json_object(), *type;
	const char *path;

	fill();
	v = load();
	flatten("", v, out);
	assert_true(json_object_size(out) > 80);
	json_object_foreach(out, path, type) if (!json_equal(type, json_object_get(doc, path)))
	    fail_msg("%s (%s) is written but not documented so", path, json_string_value(type));
	json_object_foreach(doc, path, type) if (!json_equal(type, json_object_get(out, path)))
	    fail_msg("%s (%s) is documented but not written so", path, json_string_value(type));
	json_decref(out);
	json_decref(doc);
	json_decref(v);
}

static json_int_t integer(json_t *v, const char *a, const char *b, const char *c)
{
	v = json_object_get(v, a);
	if (b != NULL)
		v = json_object_get(v, b);
	if (c != NULL)
		v = json_object_get(v, c);
	assert_true(json_is_integer(v));
	return json_integer_value(v);
}

static json_int_t element(json_t *v, const char *list, unsigned i)
{
	return json_integer_value(json_array_get(json_object_get(v, list), i));
}

static void values_are_the_runs(void **state)
{
	const struct sim_machine_result *r = &syn.machine[0];
	json_t *v, *m;

	fill();
	v = load();
	m = json_array_get(json_object_get(v, "machines"), 0);
	assert_int_equal(integer(m, "mmu", "lookups", "data"), r->count.mmu.lookups[0]);
	assert_int_equal(integer(m, "mmu", "l1_miss", "fetch"), r->count.mmu.l1_miss[1]);
	assert_int_equal(integer(m, "mmu", "l2_miss", "data"), r->count.mmu.l2_miss[0]);
	assert_int_equal(integer(m, "mmu", "walks", "fetch"), r->count.mmu.walks[1]);
	assert_int_equal(integer(m, "mmu", "walk_faults", "data"), r->count.mmu.walk_faults[0]);
	assert_int_equal(integer(m, "mmu", "walk_steps", "pt"), r->count.mmu.walk_steps[1]);
	assert_int_equal(integer(m, "mmu", "walk_steps", "pml5"), r->count.mmu.walk_steps[5]);
	assert_int_equal(integer(m, "mmu", "fills", "1g"), r->count.mmu.fills[2]);
	assert_int_equal(integer(m, "faults", "zero_read", NULL), r->count.os.faults[VM_FAULT_ZERO_READ]);
	assert_int_equal(integer(m, "faults", "cow_reuse", NULL), r->count.os.faults[VM_FAULT_COW_REUSE]);
	assert_int_equal(integer(m, "faults", "no_memory", NULL), r->count.os.faults[VM_FAULT_NOMEM]);
	assert_int_equal(integer(m, "populated", "stack", NULL), r->count.os.populated[VM_FAULT_STACK]);
	assert_int_equal(integer(m, "faults_by_size", "2m", NULL), r->count.os.faults_by_order[1]);
	assert_int_equal(integer(m, "minflt", NULL, NULL), r->count.minflt);
	assert_int_equal(integer(m, "frames_copied", NULL, NULL), r->count.os.frames_copied);
	assert_int_equal(integer(v, "program", "instructions", NULL), 1000000000);
	assert_int_equal(element(json_object_get(v, "timeline"), "slice_end", 0), 500000000);
	m = json_object_get(m, "timeline");
	assert_int_equal(element(m, "rss_bytes", 1), 11);
	assert_int_equal(element(m, "huge_bytes", 1), 12);
	assert_int_equal(element(m, "swap_bytes", 1), 13);
	assert_int_equal(element(m, "lazyfree_bytes", 1), 14);
	assert_int_equal(element(m, "areas", 1), 15);
	assert_int_equal(element(m, "faults", 1), 16);
	assert_int_equal(element(m, "walks", 1), 17);
	assert_string_equal(json_string_value(json_array_get(json_object_get(v, "argv"), 2)), "numbers");
	json_decref(v);
}

/* Pages of the hottest blocks alone, so that a report does not grow with the program. */
static void blocks_are_the_runs(void **state)
{
	json_t *v, *b, *on;
	unsigned by_page = 0;

	fill();
	syn.result.nr_blocks = SYN_BLOCKS;
	for (unsigned i = 0; i < SYN_BLOCKS; i++) {
		syn.block[i] = (struct sim_block){0x7f0000000000ull + i * 0x200000ull, 1, {5, 1024}};
		syn.block_result[0][i].walks = i;
	}
	syn.block_result[0][199].walks_at[0] = 1;
	syn.block_result[0][199].walks_at[511] = 65535;
	syn.block_result[0][199].faults_at[2] = 3;
	syn.block_result[0][199].page_bytes = 4096;
	syn.block_result[0][199].faults = 77;
	v = load();
	b = json_array_get(json_object_get(v, "blocks"), 199);
	on = json_array_get(json_object_get(json_array_get(json_object_get(v, "machines"), 0), "blocks"), 199);
	assert_int_equal(integer(v, "block_bytes", NULL, NULL), 2 << 20);
	assert_string_equal(json_string_value(json_object_get(b, "start")), "0x7f0018e00000");
	assert_int_equal(integer(b, "program", NULL, NULL), 1);
	assert_int_equal(integer(b, "enters", NULL, NULL), 1029);
	assert_string_equal(json_string_value(json_object_get(b, "enters_by_slice")), "2a");
	assert_int_equal(integer(on, "walks", NULL, NULL), 199);
	assert_int_equal(integer(on, "faults", NULL, NULL), 77);
	assert_int_equal(integer(on, "page_bytes", NULL, NULL), 4096);
	assert_int_equal(strlen(json_string_value(json_object_get(on, "walks_by_page"))), 512);
	assert_memory_equal(json_string_value(json_object_get(on, "walks_by_page")), "0...", 4);
	assert_int_equal(json_string_value(json_object_get(on, "walks_by_page"))[511], 'f');
	assert_memory_equal(json_string_value(json_object_get(on, "faults_by_page")), "..1.", 4);
	for (unsigned i = 0; i < SYN_BLOCKS; i++) {
		on = json_array_get(json_object_get(json_array_get(json_object_get(v, "machines"), 0), "blocks"), i);
		by_page += json_string_length(json_object_get(on, "walks_by_page")) > 0;
	}
	assert_int_equal(by_page, 128);
	json_decref(v);
}

static void rows_are_the_runs(void **state)
{
	json_t *v, *row;

	fill();
	strcpy(syn.program[1].path, "/opt/a b/\x1b[2J");
	syn.program[1].processes = 7;
	syn.program[1].ran = (struct sim_ran){11, 12, 13, 14};
	syn.process[2] = (struct sim_process_row){~0ull >> 1, 5, SIM_NO_PROGRAM, {21, 22, 23, 24}};
	syn.program_count[1].os.faults[VM_FAULT_FILE] = 31;
	syn.program_count[1].os.faults[VM_FAULT_NOMEM] = 1;
	syn.program_count[1].mmu.walk_faults[1] = 33;
	syn.program_count[1].peak_rss_bytes = 34;
	syn.process_share[2] = (struct sim_share){41, 42, {43, 44}, 45, 46};
	syn.region[0].program = 1;
	v = load();
	row = json_array_get(json_object_get(v, "programs"), 1);
	assert_string_equal(json_string_value(json_object_get(row, "name")), "\x1b[2J");
	assert_string_equal(json_string_value(json_object_get(row, "path")), "/opt/a b/\x1b[2J");
	assert_int_equal(integer(row, "processes", NULL, NULL), 7);
	assert_int_equal(integer(row, "syscalls", NULL, NULL), 14);
	row = json_array_get(json_object_get(v, "processes"), 2);
	assert_int_equal(integer(row, "pid", NULL, NULL), ~0ull >> 1);
	assert_int_equal(integer(row, "parent", NULL, NULL), 5);
	assert_int_equal(integer(row, "program", NULL, NULL), -1);
	assert_int_equal(integer(row, "data_accesses", NULL, NULL), 22);
	assert_int_equal(integer(json_array_get(json_object_get(v, "regions"), 0), "program", NULL, NULL), 1);
	row = json_array_get(json_object_get(json_array_get(json_object_get(v, "programs"), 1), "machines"), 0);
	assert_int_equal(integer(row, "faults", NULL, NULL), 32);
	assert_int_equal(integer(row, "walk_faults", NULL, NULL), 33);
	assert_int_equal(integer(row, "peak_rss_bytes", NULL, NULL), 34);
	row = json_array_get(json_object_get(json_array_get(json_object_get(v, "processes"), 2), "machines"), 0);
	assert_int_equal(integer(row, "major_faults", NULL, NULL), 42);
	assert_int_equal(integer(row, "walks", "fetch", NULL), 44);
	json_decref(v);
}

static void same_input_same_bytes(void **state)
{
	char *a, *b;

	fill();
	a = synthetic_text(&syn, print_json);
	b = synthetic_text(&syn, print_json);
	assert_string_equal(a, b);
	free(a);
	free(b);
}

/* An argument that is not UTF-8, and quotes, still give valid JSON. */
static void any_bytes_in_arguments(void **state)
{
	char *argv[] = {(char *)"caf\xe9", (char *)"\"\\\n", (char *)"\xc3\xa9", NULL};
	json_t *v, *list;

	fill();
	syn.result.argv = argv;
	v = load();
	list = json_object_get(v, "argv");
	assert_string_equal(json_string_value(json_array_get(list, 0)), "caf\\xe9");
	assert_string_equal(json_string_value(json_array_get(list, 1)), argv[1]);
	assert_string_equal(json_string_value(json_array_get(list, 2)), argv[2]);
	json_decref(v);
}

static void full_device_is_an_error(void **state)
{
	FILE *out = fopen("/dev/full", "w");

	fill();
	assert_non_null(out);
	assert_int_equal(report_json(out, &syn.result), -1);
	fclose(out);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_field_is_documented), cmocka_unit_test(values_are_the_runs),
	    cmocka_unit_test(rows_are_the_runs),         cmocka_unit_test(blocks_are_the_runs),
	    cmocka_unit_test(same_input_same_bytes),     cmocka_unit_test(any_bytes_in_arguments),
	    cmocka_unit_test(full_device_is_an_error),
	};

	doc_path = argv[argc - 1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
