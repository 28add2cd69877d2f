/* SPDX-License-Identifier: MIT
 *
 * report/result.c - questions about a sim_result that the text and the advice both ask.
 */
#include "report/result.h"

#include <stdio.h>
#include <string.h>

#include "report/format.h"

static bool first_word_is(const char *name, const char *word)
{
	return strcspn(name, ",") == strlen(word) && strncmp(name, word, strlen(word)) == 0;
}

/* "thp,cpu=zen4" names the key cpu. */
static bool name_has_key(const char *name, const char *key)
{
	size_t len = strlen(key);

	while ((name = strchr(name, ',')) != NULL)
		if (strncmp(++name, key, len) == 0 && name[len] == '=')
			return true;
	return false;
}

static bool same_first_word(const struct sim_machine_result *a, const struct sim_machine_result *b)
{
	size_t len = strcspn(a->cfg.name, ",");

	return strcspn(b->cfg.name, ",") == len && strncmp(a->cfg.name, b->cfg.name, len) == 0;
}

/* Some of the machines was given the key, and they differ in it. like: of those with this one's first word; NULL: of
 * all. */
static bool key_differs(const struct sim_result *r, const struct machine_key *k, const struct sim_machine_result *like)
{
	char first[64] = "", text[64];
	bool given = false, differs = false;

	for (unsigned i = 0; i < r->nr_machines; i++) {
		const struct sim_machine_result *m = &r->machine[i];

		if (like != NULL && !same_first_word(m, like))
			continue;
		given |= name_has_key(m->cfg.name, k->name);
		machine_key_text(k, &m->cfg, text);
		differs |= first[0] != '\0' && strcmp(first, text) != 0;
		strcpy(first, text);
	}
	return given && differs;
}

bool result_key_differs(const struct sim_result *r, const struct machine_key *k)
{
	return key_differs(r, k, NULL);
}

struct machine_name result_machine_name(const struct sim_result *r, const struct sim_machine_result *m)
{
	struct machine_name name;
	char text[64];

	snprintf(name.s, sizeof(name.s), "%.*s", (int)strcspn(m->cfg.name, ","), m->cfg.name);
	for (const struct machine_key *k = machine_keys; k->name; k++) {
		size_t len = strlen(name.s);

		if (!name_has_key(m->cfg.name, k->name) || !key_differs(r, k, m))
			continue;
		machine_key_text(k, &m->cfg, text);
		snprintf(name.s + len, sizeof(name.s) - len, ",%s=%s", k->name, text);
	}
	return name;
}

enum machine_kind result_kind(const struct sim_machine_result *m)
{
	if (first_word_is(m->cfg.name, "2m"))
		return MACHINE_2M;
	if (first_word_is(m->cfg.name, "1g"))
		return MACHINE_1G;
	return m->cfg.thp == VM_THP_NEVER ? MACHINE_4K : MACHINE_THP;
}

const struct sim_machine_result *result_baseline(const struct sim_result *r)
{
	const struct sim_machine_result *first = NULL;

	for (unsigned i = 0; i < r->nr_machines; i++) {
		const struct sim_machine_result *m = &r->machine[i];

		if (m->error[0] != '\0' || m->count.os.oom_kills > 0)
			continue;
		if (result_kind(m) == MACHINE_4K)
			return m;
		if (first == NULL)
			first = m;
	}
	if (first == NULL && r->nr_machines > 0)
		first = &r->machine[0];
	return first;
}

static bool same_figures(const struct sim_result *r, const struct sim_machine_result *a,
			 const struct sim_machine_result *b)
{
	return memcmp(&a->count, &b->count, sizeof(a->count)) == 0 &&
	       memcmp(&a->bill, &b->bill, sizeof(a->bill)) == 0 &&
	       memcmp(a->region, b->region, r->nr_regions * sizeof(*a->region)) == 0 &&
	       strcmp(a->error, b->error) == 0 && strcmp(a->oom_note, b->oom_note) == 0;
}

unsigned result_same_as(const struct sim_result *r, unsigned machine)
{
	unsigned i = 0;

	while (!same_figures(r, &r->machine[i], &r->machine[machine]))
		i++;
	return i;
}

unsigned result_columns(const struct sim_result *r, unsigned *column)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < r->nr_machines; i++)
		if (result_same_as(r, i) == i)
			column[nr++] = i;
	return nr;
}

static bool asks_for_huge_pages(const struct sim_result *r)
{
	for (unsigned i = 0; i < r->nr_regions; i++)
		if (r->region[i].madvised)
			return true;
	return false;
}

/* Where nobody asks for huge pages, those who get none by default get none at all. PCIDs matter most under KPTI. */
const struct sim_machine_result *result_host(const struct sim_result *r)
{
	const struct machine_host *h = &r->host;
	bool none = h->thp == VM_THP_NEVER || (h->thp == VM_THP_MADVISE && !asks_for_huge_pages(r));

	for (unsigned i = 0; h->known && i < r->nr_machines; i++) {
		const struct sim_machine_result *m = &r->machine[i];

		if (m->error[0] == '\0' && m->cfg.anon_order == 0 && m->cfg.kpti == h->kpti &&
		    (!h->kpti || m->cfg.pcid == h->pcid) &&
		    (m->cfg.thp == h->thp || (none && m->cfg.thp == VM_THP_NEVER)))
			return m;
	}
	return NULL;
}

const struct sim_machine_result *result_cure(const struct sim_result *r, enum machine_cure cure)
{
	for (unsigned i = r->nr_machines; i < r->nr_machines + r->nr_cures; i++) {
		const struct sim_machine_result *m = &r->machine[i];

		if (m->cfg.cure == cure && m->error[0] == '\0' && m->count.os.oom_kills == 0)
			return m;
	}
	return NULL;
}

u64 result_walks(const struct sim_machine_result *m)
{
	return m->count.mmu.walks[0] + m->count.mmu.walks[1] + m->count.mmu.walk_faults[0] +
	       m->count.mmu.walk_faults[1];
}

u64 result_region_walks(const struct sim_region_result *g)
{
	return g->walks[0] + g->walks[1];
}

u64 result_faults(const struct sim_machine_result *m)
{
	u64 sum = 0;

	for (unsigned i = 0; i < VM_FAULT_NR; i++)
		sum += m->count.os.faults[i];
	return sum;
}

const char *result_file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

void result_program_name(char *out, size_t n, const struct sim_result *r, u32 program)
{
	const char *path = program < r->nr_program_rows ? r->program_row[program].path : "[others]";
	const char *name = result_file_name(path);

	for (unsigned i = 0; i < r->nr_program_rows; i++)
		if (i != program && strcmp(result_file_name(r->program_row[i].path), name) == 0)
			name = path;
	fmt_plain(out, n, name[0] != '\0' ? name : "[before exec]");
}

void result_region_name(char *out, size_t n, const struct sim_region *g)
{
	const char *part = g->kind == REGION_FILE_TEXT ? " code" : g->kind == REGION_FILE_DATA ? " data" : "";

	snprintf(out, n, "%s%s", result_file_name(g->name), part);
}

void result_region_of(char *out, size_t n, const struct sim_result *r, const struct sim_region *g)
{
	size_t len;

	result_region_name(out, n, g);
	len = strlen(out);
	if (r->nr_program_rows < 2 || len + sizeof(" of ") >= n ||
	    strcmp(g->name, r->program_row[g->program].path) == 0) /* its own file: "cc1 code" is enough */
		return;
	strcpy(out + len, " of ");
	result_program_name(out + len + 4, n - len - 4, r, g->program);
}

struct sim_share result_share(const struct machine_counters *c)
{
	struct sim_share s = {.major_faults = c->os.major_faults,
			      .walks = {c->mmu.walks[0], c->mmu.walks[1]},
			      .walk_faults = c->mmu.walk_faults[0] + c->mmu.walk_faults[1],
			      .peak_rss_bytes = c->peak_rss_bytes};

	for (unsigned cause = 0; cause < VM_FAULT_NR; cause++)
		s.faults += c->os.faults[cause];
	return s;
}

unsigned result_top_regions(const struct sim_result *r, const struct sim_machine_result *base, unsigned *index,
			    unsigned max)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < r->nr_regions; i++) {
		u64 walks = result_region_walks(&base->region[i]);
		unsigned at = nr;

		while (at > 0 && result_region_walks(&base->region[index[at - 1]]) < walks)
			at--;
		if (walks == 0 || at == max)
			continue;
		nr = min(nr + 1, max);
		memmove(&index[at + 1], &index[at], (nr - 1 - at) * sizeof(*index));
		index[at] = i;
	}
	return nr;
}
