/* SPDX-License-Identifier: MIT
 *
 * play/parse_expect.c - `expect ...`: what a script says of the step before it.
 */
#include <stdio.h>
#include <string.h>

#include "machine/counters.h"
#include "play/names.h"
#include "play/parse.h"
#include "x86/paging.h"

static bool expect_result(struct parser *p, struct statement *st)
{
	return parse_expr(p, "a result", &st->e[PLAY_ADDR]);
}

static bool expect_value(struct parser *p, struct statement *st)
{
	return parse_data(p, &st->call);
}

static bool expect_resident(struct parser *p, struct statement *st)
{
	if (!parse_data(p, &st->call))
		return false;
	return p->quoted ? p->word[strspn(p->word, "01")] == 0 || parser_fail(p, "a 1 or 0 for each page")
			 : parser_fail(p, "what is resident is a \"text\" of 1 and 0");
}

static bool expect_signal(struct parser *p, struct statement *st)
{
	const struct named *signal;

	if (!parser_next(p, "a signal"))
		return false;
	signal = name_find(signal_names, p->word);
	if (!signal)
		return parser_fail(
		    p, "'%.40s' is no signal: SEGV_MAPERR, SEGV_ACCERR, SEGV_PKUERR, SEGV_KERNEL, BUS_ADRERR or KILL",
		    p->word);
	st->number = signal->value;
	st->code = (s32)signal->more;
	return !parser_accept(p, "at") || parse_expr(p, "an address", &st->e[PLAY_ADDR]);
}

static bool expect_fault(struct parser *p, struct statement *st)
{
	const struct named *cause;

	if (!parser_next(p, "a cause"))
		return false;
	cause = name_find(cause_names, p->word);
	if (!cause)
		return parser_fail(p, "'%.40s' is no cause of a fault", p->word);
	st->number = cause->value;
	return true;
}

static bool expect_faults(struct parser *p, struct statement *st)
{
	u64 n;

	if (!parse_number(p, "a count", 1u << 30, &n))
		return false;
	st->number = (s64)n;
	return true;
}

/* maps ADDR [UNIT] "picture" */
static bool expect_maps(struct parser *p, struct statement *st)
{
	st->unit = PAGE_SIZE;
	if (!parse_expr(p, "an address", &st->e[PLAY_ADDR]))
		return false;
	if (parser_more(p) && !p->quoted && !parse_number(p, "a unit", 1ull << 40, &st->unit))
		return false;
	if (!parser_next(p, "a picture") || !p->quoted)
		return p->error->line == 0 && parser_fail(p, "a picture is a \"text\" of letters, dots and bars");
	if (st->unit == 0 || !IS_ALIGNED(st->unit, PAGE_SIZE))
		return parser_fail(p, "a picture's unit must be whole pages");
	if (p->word[strspn(p->word, "rwxaoebnRWXAOEBN.|")])
		return parser_fail(p, "'%.40s': a picture has r w x a o e b n, capitals for shared, . and |", p->word);
	snprintf(st->text, sizeof(st->text), "%s", p->word);
	return true;
}

static bool pte_flag(struct parser *p, struct statement *st)
{
	const char *name = p->word + (p->word[0] == '!');
	const struct named *bit = name_find(pte_bit_names, name);

	if (!bit)
		return parser_fail(p, "'%.40s' is no bit of an entry: P RW US A D PS G NX, with ! when clear", p->word);
	if (st->nr_flags == SCRIPT_FLAGS)
		return parser_fail(p, "more than %d bits", SCRIPT_FLAGS);
	st->flag[st->nr_flags++] = (struct pte_flag){(u64)bit->value, p->word[0] == '!'};
	return true;
}

/* pte ADDR none | [4K|2M|1G] BIT... */
static bool expect_pte(struct parser *p, struct statement *st)
{
	static const struct named level[] = {{"none", -1, 0}, {"4K", 1, 0}, {"2M", 2, 0}, {"1G", 3, 0}, {0}};
	const struct named *found;

	if (!parse_expr(p, "an address", &st->e[PLAY_ADDR]) || !parser_next(p, "none, a size or a bit"))
		return false;
	found = name_find(level, p->word);
	p->pushed = !found;
	if (found)
		st->level = (s32)found->value;
	while (parser_next(p, NULL))
		if (!pte_flag(p, st))
			return false;
	return p->error->line == 0;
}

/* frame ADDR same|other ADDR [in PROCESS] */
static bool expect_frame(struct parser *p, struct statement *st)
{
	if (!parse_expr(p, "an address", &st->e[PLAY_ADDR]) || !parser_next(p, "same or other"))
		return false;
	if (strcmp(p->word, "same") != 0 && strcmp(p->word, "other") != 0)
		return parser_fail(p, "a frame is the same or another, not '%.40s'", p->word);
	st->number = strcmp(p->word, "same") == 0;
	st->call.other = PLAY_CURRENT;
	return parse_expr(p, "an address", &st->e[PLAY_NEW_ADDR]) &&
	       (!parser_accept(p, "in") || parse_process(p, &st->call.other));
}

static bool expect_counter(struct parser *p, struct statement *st)
{
	if (!parser_next(p, "a counter"))
		return false;
	for (st->counter = 0; machine_counter_rows[st->counter].sentence; st->counter++) {
		const char *name = machine_counter_rows[st->counter].script;

		if (name && strcmp(name, p->word) == 0)
			return parse_number(p, "a number", INT64_MAX, (u64 *)&st->number);
	}
	return parser_fail(p, "'%.40s' is no counter", p->word);
}

static const struct {
	const char *name;
	u8 what;
	bool (*parse)(struct parser *p, struct statement *st);
} expectations[] = {
    {"result", EXPECT_RESULT, expect_result}, {"value", EXPECT_VALUE, expect_value},
    {"signal", EXPECT_SIGNAL, expect_signal}, {"fault", EXPECT_FAULT, expect_fault},
    {"faults", EXPECT_FAULTS, expect_faults}, {"maps", EXPECT_MAPS, expect_maps},
    {"pte", EXPECT_PTE, expect_pte},          {"frame", EXPECT_FRAME, expect_frame},
    {"rss", EXPECT_RSS, expect_result},       {"tables", EXPECT_TABLES, expect_result},
    {"locked", EXPECT_LOCKED, expect_result}, {"resident", EXPECT_RESIDENT, expect_resident},
    {"huge", EXPECT_HUGE, expect_result},     {"counter", EXPECT_COUNTER, expect_counter},
};

bool parse_expect(struct parser *p, struct statement *st)
{
	const struct named *number;

	st->verb = VERB_EXPECT;
	if (!parser_next(p, "what to expect"))
		return false;
	if (p->word[0] == '-') {
		number = name_find(errno_names, p->word + 1);
		st->what = EXPECT_ERRNO;
		st->number = number ? -number->value : 0;
		return number || parser_fail(p, "'%.40s' is no error", p->word);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(expectations); i++) {
		if (strcmp(expectations[i].name, p->word) != 0)
			continue;
		st->what = expectations[i].what;
		return expectations[i].parse(p, st);
	}
	return parser_fail(p, "expect what? '%.40s'", p->word);
}
