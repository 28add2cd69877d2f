/* SPDX-License-Identifier: MIT
 *
 * measure/json.c - all that was measured, every batch; docs/measure.md says what each name means.
 */
#include <jansson.h>
#include <stdlib.h>

#include "machine/host.h"
#include "measure/measure.h"

static json_t *tri_json(enum tri t)
{
	return t == TRI_UNKNOWN ? json_null() : json_boolean(t == TRI_YES);
}

/* null: the host does not say */
static json_t *text_json(const char *text)
{
	return text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *host_json(const struct host *h)
{
	return json_pack("{s:o s:o s:o s:o s:i s:i s:I s:o s:b s:o s:o s:o s:o s:o s:o s:o s:i s:f}", "cpu",
			 text_json(h->cpu), "vendor", text_json(h->vendor), "kernel", text_json(h->kernel),
			 "hypervisor", text_json(h->hypervisor), "cpus", (int)h->cpus, "cpus_online",
			 (int)h->cpus_online, "available_bytes", (json_int_t)h->available_bytes, "virtual",
			 tri_json(h->is_virtual), "emulated", (int)h->emulated, "kpti", tri_json(h->kpti), "meltdown",
			 text_json(h->meltdown), "pcid", tri_json(h->pcid), "invpcid", tri_json(h->invpcid), "gbpages",
			 tri_json(h->gbpages), "tsc_constant", tri_json(h->tsc_constant), "thp", text_json(h->thp),
			 "hugetlb_free_pages", (int)h->pool_pages, "load", h->load);
}

static json_t *series_json(const struct series *s)
{
	json_t *batches = json_array();

	if (s->nr == 0) {
		json_decref(batches);
		return json_pack("{s:s}", "missing", s->missing);
	}
	for (unsigned i = 0; i < s->nr; i++)
		json_array_append_new(batches, json_real(s->batch[i]));
	return json_pack("{s:f s:f s:f s:f s:o}", "least", series_least(s), "quartile1", series_quantile(s, 0.25),
			 "median", series_quantile(s, 0.5), "quartile3", series_quantile(s, 0.75), "batches", batches);
}

static json_t *chase_json(const struct chase *c, const struct chase_kind *kind)
{
	json_t *points = json_array();

	for (unsigned i = 0; i < c->nr; i++) {
		const struct chase_point *p = &c->point[i];
		json_t *o;

		if (p->cycles.nr == 0)
			continue;
		o = series_json(&p->cycles);
		json_object_set_new(o, "pages", json_integer(p->lines));
		json_object_set_new(o, "bytes", json_integer((json_int_t)(p->lines * kind->stride)));
		json_object_set_new(o, "walks", p->walks < 0 ? json_null() : json_real(p->walks));
		json_array_append_new(points, o);
	}
	return json_pack("{s:s s:I s:o s:o}", "title", kind->title, "stride", (json_int_t)kind->stride, "missing",
			 text_json(c->missing), "points", points);
}

static json_t *level_json(struct tlb_level l)
{
	if (l.least == 0)
		return json_null();
	return json_pack("{s:i s:o}", "at_least", (int)l.least, "at_most", l.most ? json_integer(l.most) : json_null());
}

static json_t *known(double x)
{
	return x > 0 ? json_real(x) : json_null();
}

static json_t *tlb_json(const struct tlb_found *t)
{
	return json_pack(
	    "{s:o s:o s:o s:o s:o s:o s:o s:o s:o s:o s:o s:o}", "l1_4k_pages", level_json(t->l1), "l2_4k_pages",
	    level_json(t->l2), "l2_hit_cycles", known(t->l2_hit), "miss_near_cycles", known(t->walk_near),
	    "miss_512m_cycles", known(t->walk_512m), "miss_far_cycles", known(t->walk_far), "miss_far_pages",
	    known(t->far_lines), "thp_saves_far_cycles", known(t->far_saved), "thp_leaves_share",
	    t->thp_share < 0 ? json_null() : json_real(t->thp_share), "l1_2m_pages", level_json(t->huge_l1),
	    "l2_2m_pages", level_json(t->huge_l2), "miss_2m_cycles", known(t->huge_walk));
}

static json_t *model_json(const struct tlb_found *t)
{
	const struct cpu_preset *p = machine_host_cpu();

	if (p == NULL)
		return json_null();
	return json_pack("{s:s s:i s:i s:o s:o}", "preset", p->name, "l1_4k_pages", (int)model_entries(&p->l1d),
			 "l2_4k_pages", (int)model_entries(&p->l2), "l1_agrees",
			 t->l1.least ? json_boolean(model_agrees(model_entries(&p->l1d), t->l1)) : json_null(),
			 "l2_agrees",
			 t->l2.least ? json_boolean(model_agrees(model_entries(&p->l2), t->l2)) : json_null());
}

int measure_json(FILE *out, const struct measure *m)
{
	json_t *figures = json_object(), *chases = json_object(), *words = json_array(), *root;
	char *sentence[MAX_SENTENCES];
	unsigned n = measure_words(m, sentence);
	int error;

	for (unsigned id = 0; id < FIG_NR; id++) {
		json_t *o = series_json(&m->figure[id]);

		json_object_set_new(o, "title", json_string(figure_rows[id].title));
		json_object_set_new(figures, figure_rows[id].name, o);
	}
	for (unsigned id = 0; id < CHASE_NR; id++)
		json_object_set_new(chases, chase_kinds[id].name, chase_json(&m->chase[id], &chase_kinds[id]));
	for (unsigned i = 0; i < n; i++) {
		json_array_append_new(words, json_string(sentence[i]));
		free(sentence[i]);
	}
	root = json_pack("{s:i s:s s:f s:o s:{s:f s:f s:o} s:o s:o s:o s:o s:o}", "quire_measure", 1, "unit",
			 "core cycles", "seconds", m->seconds_taken, "host", host_json(&m->host), "clock", "tsc_hz",
			 m->clock.tick_hz, "core_hz", m->clock.core_hz, "counters",
			 m->counters.missing[0] ? json_string(m->counters.missing) : json_true(), "figures", figures,
			 "chases", chases, "tlb", tlb_json(&m->tlb), "model", model_json(&m->tlb), "words", words);
	error = root == NULL || json_dumpf(root, out, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) != 0;
	json_decref(root);
	fputc('\n', out);
	return error ? -1 : 0;
}
