/* SPDX-License-Identifier: MIT
 *
 * play/record.c - after each statement: what was told of it, and the computer's state, by what `show` shows.
 *
 *   { file, verdict, more: statements beyond MAX_STEPS,
 *     steps: [ { line, source, told, process, cpu, cr3, pcid, maps, tables: [..], tlb: [..], more_entries, more_cached } ] }
 *
 * tables and tlb are left out of a step after which they are as they were; of each the first MAX_SHOWN are kept.
 */
#include "play/record.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "play/names.h"
#include "x86/paging.h"

#define MAX_STEPS 1000
#define MAX_SHOWN 400

struct record {
	char *told;
	size_t told_bytes, told_before;
	FILE *out;
	json_t *steps, *tables, *tlb; /* the latter two as they were last */
	unsigned more;
};

/* Into a list of at most MAX_SHOWN; the others are counted. */
struct list {
	json_t *of;
	unsigned more;
};

static void add(struct list *l, json_t *value)
{
	if (json_array_size(l->of) < MAX_SHOWN) {
		json_array_append_new(l->of, value);
		return;
	}
	json_decref(value);
	l->more++;
}

/* Text of the script need not be UTF-8, which JSON must be: then every byte that is not ASCII is a question mark. */
static json_t *text_of(const char *text)
{
	json_t *value = json_string(text);
	char *copy = value ? NULL : strdup(text);

	for (char *c = copy; c && *c; c++)
		*c = *c & 0x80 ? '?' : *c;
	if (copy)
		value = json_string(copy);
	free(copy);
	return value;
}

static json_t *number_text(u64 n)
{
	return json_sprintf("%#" PRIx64, n);
}

static void add_entry(void *ctx, const struct shown_entry *e)
{
	char bits[128] = "";
	size_t n = 0;

	for (const struct named *bit = pte_bit_names; bit->name && e->entry & X86_PTE_P; bit++)
		if (e->entry & (u64)bit->value)
			n += (size_t)snprintf(bits + n, sizeof(bits) - n, "%s%s", n ? " " : "", bit->name);
	add(ctx, json_pack("{s:s, s:i, s:i, s:i, s:o, s:b, s:o, s:s}", "table", e->table, "depth",
			   (int)(X86_PML4 - e->level), "index", (int)e->index, "n", (int)e->n, "va",
			   json_sprintf("%012" PRIx64, e->va), "leaf", e->leaf, "frame",
			   number_text(e->entry & X86_PHYS_MASK), "bits", bits[0] ? bits : "not present"));
}

static void add_cached(void *ctx, const struct shown_cached *e)
{
	add(ctx, json_pack("{s:s, s:o, s:s, s:I, s:o, s:s}", "cache", e->cache, "va",
			   json_sprintf("%012" PRIx64, e->va), "size", e->size, "pcid", (json_int_t)e->pcid, "frame",
			   number_text(e->frame), "rights", e->rights));
}

/* Under its key, if it is not as it was. */
static void set_changed(json_t *step, const char *key, struct list *now, json_t **before)
{
	if (!*before || !json_equal(now->of, *before)) {
		json_object_set(step, key, now->of);
		json_decref(*before);
		*before = json_incref(now->of);
	}
	json_decref(now->of);
}

static json_t *maps_text(const struct run *r, unsigned process)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	json_t *value;

	if (!out)
		return json_string("");
	show_maps(&r->computer, process, out);
	fclose(out);
	value = json_string(text);
	free(text);
	return value;
}

static void add_state(struct record *rec, json_t *step, const struct run *r)
{
	struct list tables = {json_array(), 0}, tlb = {json_array(), 0};
	unsigned process = (unsigned)r->current;
	u64 cr3 = hw_read_cr3(computer_cpu(&r->computer, process));

	show_each_entry(&r->computer, process, add_entry, &tables);
	show_each_cached(&r->computer, process, add_cached, &tlb);
	json_object_set_new(step, "process", json_string(r->script->process[process]));
	json_object_set_new(step, "cpu", json_integer(hw_cpu_id(computer_cpu(&r->computer, process))));
	json_object_set_new(step, "cr3", number_text(cr3 & X86_PHYS_MASK));
	json_object_set_new(step, "pcid", json_integer((json_int_t)(cr3 & X86_CR3_PCID)));
	json_object_set_new(step, "maps", maps_text(r, process));
	json_object_set_new(step, "more_entries", json_integer(tables.more));
	json_object_set_new(step, "more_cached", json_integer(tlb.more));
	set_changed(step, "tables", &tables, &rec->tables);
	set_changed(step, "tlb", &tlb, &rec->tlb);
}

static void seen(void *ctx, const struct run *r)
{
	struct record *rec = ctx;
	bool hidden = r->st->answer && !r->cfg.answered;
	json_t *step;

	if (json_array_size(rec->steps) == MAX_STEPS) {
		rec->more++;
		return;
	}
	step = json_object();
	json_object_set_new(step, "line", json_integer(r->st->line));
	json_object_set_new(step, "source", text_of(hidden ? "answer ..." : r->st->source));
	json_object_set_new(step, "told", text_of(rec->told + rec->told_before));
	rec->told_before = rec->told_bytes;
	if (r->current >= 0)
		add_state(rec, step, r);
	json_array_append_new(rec->steps, step);
}

struct record *record_begin(struct run_config *cfg)
{
	struct record *rec = calloc(1, sizeof(*rec));

	if (!rec)
		return NULL;
	rec->out = open_memstream(&rec->told, &rec->told_bytes);
	if (!rec->out) {
		free(rec);
		return NULL;
	}
	rec->steps = json_array();
	cfg->out = rec->out;
	cfg->seen = seen;
	cfg->ctx = rec;
	return rec;
}

const char *record_told(struct record *rec)
{
	fflush(rec->out);
	return rec->told;
}

char *record_end(struct record *rec, const char *file, const char *verdict)
{
	json_t *all = json_pack("{s:o, s:o, s:i, s:o}", "file", text_of(file), "verdict", text_of(verdict), "more",
				(int)rec->more, "steps", rec->steps);
	char *text = all ? json_dumps(all, JSON_COMPACT) : NULL;

	json_decref(all);
	json_decref(rec->tables);
	json_decref(rec->tlb);
	fclose(rec->out);
	free(rec->told);
	free(rec);
	return text;
}
