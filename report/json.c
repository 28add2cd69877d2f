/* SPDX-License-Identifier: MIT
 *
 * report/json.c - the report for a machine. The schema is docs/json.md; a test compares that file with what is
 * written here, in both directions. Keys keep the order in which they are set; no time, no host name, no address of
 * this process: the same events give the same bytes.
 */
#include "report/report.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "report/format.h"
#include "report/result.h"
#include "report/timeline.h"

#define JSON_VERSION 3
#define MAX_BY_PAGE  128

static const char *const access_key[2] = {"data", "fetch"};
static const char *const region_key[] = {
    [REGION_ANON] = "anon",           [REGION_HEAP] = "heap",           [REGION_STACK] = "stack",
    [REGION_FILE_TEXT] = "file_text", [REGION_FILE_DATA] = "file_data", [REGION_OTHER] = "other",
};

static void set_u64(json_t *to, const char *key, u64 value)
{
	json_object_set_new(to, key, json_integer((json_int_t)value));
}

/* Text of the program (names, arguments) need not be UTF-8, which JSON must be: then every byte that is not ASCII is
 * written as \xNN. */
static json_t *text_value(const char *text)
{
	json_t *value = json_string(text);
	char *buf, *to;

	if (value != NULL)
		return value;
	buf = to = malloc(4 * strlen(text) + 1);
	if (buf == NULL)
		return NULL;
	for (; *text != '\0'; text++)
		to += sprintf(to, (unsigned char)*text < 0x80 ? "%c" : "\\x%02x", (unsigned char)*text);
	*to = '\0';
	value = json_string(buf);
	free(buf);
	return value;
}

static void set_text(json_t *to, const char *key, const char *text)
{
	json_object_set_new(to, key, text_value(text));
}

/* Addresses are text: 64-bit values do not survive readers that hold numbers as doubles. */
static void set_address(json_t *to, const char *key, u64 va)
{
	json_object_set_new(to, key, json_sprintf("0x%llx", (unsigned long long)va));
}

/* values[i] under keys[i]; an entry whose key is NULL is skipped. */
static void set_table(json_t *to, const char *key, const char *const *keys, const u64 *values, unsigned n)
{
	json_t *table = json_object();

	for (unsigned i = 0; i < n; i++)
		if (keys[i] != NULL)
			set_u64(table, keys[i], values[i]);
	json_object_set_new(to, key, table);
}

static json_t *refused_value(const struct sim_program *p)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < p->nr_refused; i++) {
		json_t *v = json_object();

		set_text(v, "call", p->refused[i].name);
		set_u64(v, "operation", p->refused[i].operation);
		set_u64(v, "errno", (u64)p->refused[i].error);
		set_u64(v, "times", p->refused[i].times);
		json_array_append_new(list, v);
	}
	return list;
}

/* An interval: its least and its most. */
static void set_cycles(json_t *to, const char *key, struct cycles c)
{
	json_t *v = json_object();

	set_u64(v, "least", c.least);
	set_u64(v, "most", c.most);
	json_object_set_new(to, key, v);
}

static json_t *program_value(const struct sim_program *p)
{
	json_t *v = json_object(), *names = json_array(), *dropped = json_object();

	set_u64(v, "instructions", p->instructions);
	set_u64(v, "data_accesses", p->data_accesses);
	set_u64(v, "fetch_page_changes", p->fetch_page_changes);
	set_u64(v, "syscalls", p->syscalls);
	set_u64(v, "events", p->events);
	set_u64(v, "processes", p->processes);
	set_u64(v, "threads", p->threads);
	set_u64(v, "forks", p->forks);
	set_u64(v, "forks_exec", p->forks_exec);
	set_u64(v, "execs_left", p->execs_left);
	set_u64(v, "threads_lost", p->lost);
	set_u64(v, "max_map_count", p->max_map_count);
	set_u64(v, "malformed", p->malformed);
	for (unsigned type = 0; type < EV_NR; type++)
		if (p->dropped[type] != 0)
			set_u64(dropped, ev_name(type), p->dropped[type]);
	json_object_set_new(v, "dropped", dropped);
	for (unsigned i = 0; i < ARRAY_SIZE(p->left_names) && p->left_names[i][0] != '\0'; i++)
		json_array_append_new(names, text_value(p->left_names[i]));
	json_object_set_new(v, "left_names", names);
	json_object_set_new(v, "refused", refused_value(p));
	set_u64(v, "refused_more", p->refused_more);
	return v;
}

/* A row's number; none is -1. */
static void set_index(json_t *to, const char *key, u32 index)
{
	json_object_set_new(to, key, json_integer(index == SIM_NO_PROGRAM ? -1 : (json_int_t)index));
}

static void set_ran(json_t *to, const struct sim_ran *ran)
{
	set_u64(to, "instructions", ran->instructions);
	set_u64(to, "data_accesses", ran->data_accesses);
	set_u64(to, "fetch_page_changes", ran->fetch_page_changes);
	set_u64(to, "syscalls", ran->syscalls);
}

static json_t *region_value(const struct sim_region *g)
{
	json_t *v = json_object();

	set_text(v, "name", g->name);
	set_text(v, "kind", region_key[g->kind < ARRAY_SIZE(region_key) ? g->kind : REGION_OTHER]);
	set_index(v, "program", g->program);
	set_address(v, "start", g->start);
	set_address(v, "end", g->end);
	set_u64(v, "peak_bytes", g->peak_bytes);
	json_object_set_new(v, "madvised", json_boolean(g->madvised));
	return v;
}

static json_t *region_result_value(const struct sim_region_result *g, const struct sim_machine_result *m)
{
	struct cycles walks = bill_walks_share(&m->count, &m->bill, g->walk_steps);
	json_t *v = json_object();

	set_table(v, "walks", access_key, g->walks, 2);
	set_u64(v, "walk_steps", g->walk_steps);
	set_cycles(v, "walk_cycles", walks);
	set_u64(v, "faults", g->faults);
	set_u64(v, "peak_huge_bytes", g->peak_huge_bytes);
	return v;
}

/* "mmu.walks.data": the value at the end of that path below v, whose objects are made as they are met. */
static void set_path(json_t *v, const char *path, u64 value)
{
	for (const char *dot; (dot = strchr(path, '.')); path = dot + 1) {
		json_t *below = json_object_getn(v, path, (size_t)(dot - path));

		if (below == NULL) {
			below = json_object();
			json_object_setn_new(v, path, (size_t)(dot - path), below);
		}
		v = below;
	}
	set_u64(v, path, value);
}

static void set_config(json_t *v, const struct machine_config *c)
{
	char name[64];

	set_text(v, "name", c->name);
	for (const struct machine_key *k = machine_keys; k->name; k++) {
		const char *word = machine_key_word(k, c);
		u64 value = machine_key_value(k, c);

		if (!(k->where & KEY_MACHINE))
			continue;
		machine_key_json(k, name);
		if (k->type == KEY_SWITCH)
			json_object_set_new(v, name, json_boolean(value));
		else if (k->type == KEY_SHARE)
			json_object_set_new(v, name, json_real((double)value / 1000.0));
		else if (word != NULL)
			set_text(v, name, word);
		else
			set_u64(v, name, value);
	}
}

/* What each cause cost, and the sum. */
static json_t *cost_value(const struct bill *b)
{
	json_t *v = json_object();

	for (unsigned row = 0; row < BILL_NR; row++)
		set_cycles(v, bill_kinds[row].json, b->row[row]);
	set_cycles(v, "sum", b->sum);
	return v;
}

/* An element a slice. */
static json_t *timeline_value_of(const struct sim_machine_result *m, unsigned nr_slices)
{
	json_t *v = json_object();

	for (const struct timeline_row *row = timeline_rows; row->json; row++) {
		json_t *list = json_array();

		for (unsigned i = 0; i < nr_slices; i++)
			json_array_append_new(list, json_integer((json_int_t)timeline_value(row, &m->slice[i])));
		json_object_set_new(v, row->json, list);
	}
	return v;
}

/* A character an element: '.' for none, else its logarithm to base 2, rounded down, as a digit. */
static json_t *heat_text(const u32 *n, unsigned nr)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	char text[SIM_SLICES + SIM_BLOCK_PAGES] = "";

	for (unsigned i = 0; i < nr; i++)
		text[i] = n[i] == 0 ? '.' : digits[31 - __builtin_clz(n[i])];
	return json_string(text);
}

static json_t *block_value(const struct sim_block *b, unsigned nr_slices)
{
	json_t *v = json_object();
	u64 enters = 0;

	for (unsigned i = 0; i < nr_slices; i++)
		enters += b->enters[i];
	set_index(v, "program", b->program);
	set_address(v, "start", b->start);
	set_u64(v, "enters", enters);
	json_object_set_new(v, "enters_by_slice", heat_text(b->enters, nr_slices));
	return v;
}

static json_t *block_result_value(const struct sim_block_result *b, bool by_page)
{
	unsigned pages = by_page ? SIM_BLOCK_PAGES : 0;
	u32 faults[SIM_BLOCK_PAGES];
	json_t *v = json_object();

	for (unsigned i = 0; i < pages; i++)
		faults[i] = b->faults_at[i];
	set_u64(v, "walks", b->walks);
	set_u64(v, "faults", b->faults);
	set_u64(v, "page_bytes", b->page_bytes);
	json_object_set_new(v, "walks_by_page", heat_text(b->walks_at, pages));
	json_object_set_new(v, "faults_by_page", heat_text(faults, pages));
	return v;
}

static int greater_first(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x > y ? -1 : x < y;
}

static u64 block_heat(const struct sim_result *r, unsigned block)
{
	u64 n = 0;

	for (unsigned i = 0; i < r->nr_machines; i++)
		n += r->machine[i].block[block].walks + r->machine[i].block[block].faults;
	return n;
}

/* Of the MAX_BY_PAGE hottest blocks pages are told: those with more walks and faults than this. */
static u64 by_page_above(const struct sim_result *r)
{
	u64 *heat = calloc(r->nr_blocks + 1, sizeof(*heat)), above = 0;

	if (heat == NULL)
		return ~0ull;
	for (unsigned i = 0; i < r->nr_blocks; i++)
		heat[i] = block_heat(r, i);
	qsort(heat, r->nr_blocks, sizeof(*heat), greater_first);
	above = r->nr_blocks > MAX_BY_PAGE ? heat[MAX_BY_PAGE] : 0;
	free(heat);
	return above;
}

static json_t *blocks_value(const struct sim_machine_result *m, const struct sim_result *r)
{
	json_t *list = json_array();
	u64 above = by_page_above(r);

	for (unsigned i = 0; i < r->nr_blocks; i++)
		json_array_append_new(list, block_result_value(&m->block[i], block_heat(r, i) > above));
	return list;
}

static json_t *machine_value(const struct sim_result *r, unsigned index)
{
	const struct sim_machine_result *m = &r->machine[index];
	json_t *v = json_object(), *regions = json_array();

	set_config(v, &m->cfg);
	set_u64(v, "same_as", result_same_as(r, index));
	json_object_set_new(v, "as_host", json_boolean(m == result_host(r)));
	set_text(v, "error", m->error);
	set_text(v, "oom_note", m->oom_note);
	for (const struct counter_row *row = machine_counter_rows; row->sentence; row++)
		if (row->json)
			set_path(v, row->json, counter_value(row, &m->count));
	for (unsigned i = 0; i < r->nr_regions; i++)
		json_array_append_new(regions, region_result_value(&m->region[i], m));
	json_object_set_new(v, "regions", regions);
	json_object_set_new(v, "timeline", timeline_value_of(m, r->nr_slices));
	json_object_set_new(v, "blocks", blocks_value(m, r));
	json_object_set_new(v, "cost", cost_value(&m->bill));
	return v;
}

/* The machines that show what remedies do. */
static json_t *cures_value(const struct sim_result *r)
{
	static const char *const key[CURE_NR] = {
	    [CURE_MALLOC] = "malloc", [CURE_KPTI] = "kpti", [CURE_PCID] = "pcid", [CURE_RAM] = "ram"};
	json_t *list = json_array();

	for (unsigned i = r->nr_machines; i < r->nr_machines + r->nr_cures; i++) {
		const struct sim_machine_result *m = &r->machine[i];
		json_t *v = json_object();

		set_text(v, "remedy", key[m->cfg.cure]);
		set_text(v, "name", m->cfg.name);
		set_text(v, "error", m->error);
		set_u64(v, "faults", result_faults(m));
		set_u64(v, "walks", result_walks(m));
		set_u64(v, "peak_rss_bytes", m->count.peak_rss_bytes);
		set_cycles(v, "cost", m->bill.sum);
		json_array_append_new(list, v);
	}
	return list;
}

static json_t *share_value(const struct sim_share *s)
{
	json_t *v = json_object();

	set_u64(v, "faults", s->faults);
	set_u64(v, "major_faults", s->major_faults);
	set_table(v, "walks", access_key, s->walks, 2);
	set_u64(v, "walk_faults", s->walk_faults);
	set_u64(v, "peak_rss_bytes", s->peak_rss_bytes);
	return v;
}

static json_t *programs_value(const struct sim_result *r)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < r->nr_program_rows; i++) {
		const struct sim_program_row *p = &r->program_row[i];
		json_t *v = json_object(), *machines = json_array();

		set_text(v, "name", result_file_name(p->path));
		set_text(v, "path", p->path);
		set_u64(v, "processes", p->processes);
		set_ran(v, &p->ran);
		for (unsigned k = 0; k < r->nr_machines; k++) {
			const struct sim_machine_result *m = &r->machine[k];
			struct sim_share share = result_share(&m->program_count[i]);
			json_t *row = share_value(&share);

			set_cycles(row, "cost", bill_make(&m->program_count[i], &m->cfg, &m->cost).sum);
			json_array_append_new(machines, row);
		}
		json_object_set_new(v, "machines", machines);
		json_array_append_new(list, v);
	}
	return list;
}

static json_t *processes_value(const struct sim_result *r)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < r->nr_process_rows; i++) {
		const struct sim_process_row *p = &r->process_row[i];
		json_t *v = json_object(), *machines = json_array();

		set_u64(v, "pid", p->pid);
		set_u64(v, "parent", p->parent_pid);
		set_index(v, "program", p->program);
		set_ran(v, &p->ran);
		for (unsigned k = 0; k < r->nr_machines; k++)
			json_array_append_new(machines, share_value(&r->machine[k].process_share[i]));
		json_object_set_new(v, "machines", machines);
		json_array_append_new(list, v);
	}
	return list;
}

static void set_native(json_t *to, const struct sim_native *native)
{
	json_t *v = json_object();

	set_u64(v, "cpu_ns", native->cpu_ns);
	json_object_set_new(v, "measured", json_boolean(native->measured));
	json_object_set_new(to, "native", v);
}

static void set_host(json_t *to, const struct machine_host *h)
{
	static const char *const thp[] = {
	    [VM_THP_NEVER] = "never", [VM_THP_MADVISE] = "madvise", [VM_THP_ALWAYS] = "always"};
	json_t *v = json_object();

	set_text(v, "thp", h->known ? thp[h->thp] : "");
	json_object_set_new(v, "kpti", json_boolean(h->kpti));
	json_object_set_new(v, "pcid", json_boolean(h->pcid));
	json_object_set_new(v, "virtual", json_boolean(h->is_virtual));
	json_object_set_new(to, "host", v);
}

static json_t *result_value(const struct sim_result *r)
{
	json_t *v = json_object(), *argv = json_array(), *regions = json_array(), *machines = json_array();
	json_t *beside = json_object(), *measured = json_object(), *slices = json_array();
	json_t *blocks = json_array();
	char text[6000];

	set_text(v, "schema", "quire-run");
	set_u64(v, "version", JSON_VERSION);
	set_text(v, "quire", QUIRE_VERSION);
	for (char **arg = r->argv; *arg != NULL; arg++)
		json_array_append_new(argv, text_value(*arg));
	json_object_set_new(v, "argv", argv);
	set_u64(v, "exit_status", (u64)r->exit_status);
	json_object_set_new(v, "running", json_boolean(r->running));
	json_object_set_new(measured, "after_seconds", json_real(r->measured.after_s));
	json_object_set_new(measured, "for_seconds", json_real(r->measured.for_s));
	json_object_set_new(measured, "begun", json_boolean(r->measured.counts));
	json_object_set_new(measured, "stopped", json_boolean(r->measured.stopped));
	json_object_set_new(v, "measured", measured);
	set_text(v, "signal", r->signal != 0 ? fmt_signal(r->signal).s : "");
	json_object_set_new(v, "core_dumped", json_boolean(r->core_dumped));
	json_object_set_new(v, "program", program_value(&r->program));
	for (unsigned i = 0; i < r->nr_regions; i++)
		json_array_append_new(regions, region_value(&r->region[i]));
	json_object_set_new(v, "regions", regions);
	for (unsigned i = 0; i < r->nr_slices; i++)
		json_array_append_new(slices, json_integer((json_int_t)r->slice_end[i]));
	json_object_set_new(v, "timeline", json_pack("{s:o}", "slice_end", slices));
	for (unsigned i = 0; i < r->nr_blocks; i++)
		json_array_append_new(blocks, block_value(&r->block[i], r->nr_slices));
	set_u64(v, "block_bytes", r->block_bytes);
	json_object_set_new(v, "blocks", blocks);
	for (unsigned i = 0; i < r->nr_machines; i++)
		json_array_append_new(machines, machine_value(r, i));
	json_object_set_new(v, "machines", machines);
	json_object_set_new(v, "cures", cures_value(r));
	json_object_set_new(v, "programs", programs_value(r));
	json_object_set_new(v, "processes", processes_value(r));
	set_u64(beside, "programs", r->beside.programs);
	set_u64(beside, "processes", r->beside.processes);
	set_u64(beside, "instructions", r->beside.instructions);
	set_text(beside, "names", r->beside.names);
	json_object_set_new(v, "beside", beside);
	report_answer(text, sizeof(text), r);
	set_text(v, "answer", text);
	report_advice(text, sizeof(text), r);
	set_text(v, "advice", text);
	set_host(v, &r->host);
	set_native(v, &r->native);
	return v;
}

int report_json(FILE *out, const struct sim_result *r)
{
	json_t *v = result_value(r);
	int err;

	errno = 0;
	err = json_dumpf(v, out, JSON_INDENT(2)) != 0 || fputc('\n', out) == EOF || fflush(out) != 0;
	json_decref(v);
	if (err && errno == 0)
		errno = ENOMEM;
	return err ? -1 : 0;
}
