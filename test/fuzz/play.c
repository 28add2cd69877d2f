/* SPDX-License-Identifier: MIT
 *
 * test/fuzz/play.c - any bytes as a script: the parser accepts or refuses them, and what it accepts keeps the
 * invariants of play/script.h.
 */
#include <string.h>

#include "mmu/mmu.h"
#include "machine/counters.h"
#include "play/script.h"
#include "test/fuzz/bytes.h"

static void check_expr(const struct script *s, const struct expr *e)
{
	MUST(e->nr <= SCRIPT_TERMS);
	for (unsigned i = 0; i < e->nr; i++)
		MUST(e->term[i].name >= -1 && e->term[i].name < (int)s->nr_names);
}

static void check_statement(const struct script *s, const struct statement *st)
{
	const struct play_call *call = &st->call;

	MUST(st->verb <= VERB_QUESTION && call->op < PLAY_NR_CALLS);
	MUST(st->target >= -1 && st->target < (int)s->nr_names);
	MUST(call->process < s->nr_processes && call->nr_data <= PLAY_DATA);
	MUST(call->other < s->nr_processes || call->other == PLAY_CURRENT);
	MUST(call->cpu < PLAY_CPUS || call->cpu == PLAY_SAME_CPU);
	MUST(call->file >= -1 && call->file < PLAY_FILES);
	MUST((st->what != EXPECT_COUNTER || machine_counter_rows[st->counter].script) && st->nr_flags <= SCRIPT_FLAGS);
	MUST(st->verb != VERB_EXPECT || st->what <= EXPECT_COUNTER);
	MUST(st->verb != VERB_SHOW || st->what <= SHOW_COUNTERS);
	MUST(memchr(st->text, 0, sizeof(st->text)) && memchr(st->source, 0, sizeof(st->source)));
	for (unsigned i = 0; i < PLAY_NR_VALUES; i++)
		check_expr(s, &st->e[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script_error error;
	struct script s;
	int ret = script_parse((const char *)data, size, &s, &error);

	MUST((ret == 0) == (error.line == 0));
	MUST(memchr(error.text, 0, sizeof(error.text)) && s.machine.preset);
	for (unsigned i = 0; ret == 0 && i < s.nr; i++)
		check_statement(&s, &s.statement[i]);
	script_free(&s);
	return 0;
}
