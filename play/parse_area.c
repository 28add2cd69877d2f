/* SPDX-License-Identifier: MIT
 *
 * play/parse_area.c - the calls on areas of memory: what each takes.
 */
#include <ctype.h>
#include <string.h>
#include <sys/mman.h>

#include "mm/vm.h"
#include "play/names.h"
#include "play/parse.h"

static bool parse_prot(struct parser *p, u32 *prot)
{
	return parser_next(p, "rights") &&
	       (prot_parse(p->word, prot) ||
		parser_fail(p, "'%.40s' are no rights: letters of rwx, each once, or none", p->word));
}

static const struct named mmap_words[] = {
    {"private", MAP_PRIVATE, 0},
    {"shared", MAP_SHARED, 0},
    {"shared-validate", 3, 0}, /* MAP_SHARED_VALIDATE, MAP_DROPPABLE, MAP_SYNC: not in every libc */
    {"droppable", 8, 0},
    {"sync", 0x80000, 0},
    {"populate", MAP_POPULATE, 0},
    {"noreserve", MAP_NORESERVE, 0},
    {"locked", MAP_LOCKED, 0},
    {"growsdown", MAP_GROWSDOWN, 0},
    {"hugetlb", MAP_HUGETLB, 0},
    {"stack", MAP_STACK, 0},
    {"untyped", 0, 0},
    {"at", 0, 1},
    {"fixed", MAP_FIXED, 1},
    {"noreplace", MAP_FIXED_NOREPLACE, 1},
    {0},
};

/* mmap LEN RIGHTS [private|shared|untyped] [at|fixed|noreplace ADDR] [$file [OFFSET]] [flag]... */
bool parse_mmap(struct parser *p, struct statement *st)
{
	bool typed = false;

	st->call.file = -1;
	if (!parse_expr(p, "a length", &st->e[PLAY_LEN]) || !parse_prot(p, &st->call.prot))
		return false;
	while (parser_next(p, NULL)) {
		const struct named *word = name_find(mmap_words, p->word);

		if (parser_file(p, p->word) >= 0) {
			st->call.file = parser_file(p, p->word);
			if (parser_more(p) && (isdigit((unsigned char)p->word[0]) || p->word[0] == '-') &&
			    !parse_expr(p, "an offset", &st->e[PLAY_OFFSET]))
				return false;
			continue;
		}
		if (!word)
			return parser_fail(p, "mmap does not know '%.40s'", p->word);
		st->call.flags |= (u32)word->value;
		typed |= !word->more && word->value <= 0xf; /* MAP_TYPE */
		if (word->more && !parse_expr(p, "an address", &st->e[PLAY_ADDR]))
			return false;
	}
	if (!typed)
		st->call.flags |= MAP_PRIVATE;
	if (st->call.file < 0)
		st->call.flags |= MAP_ANONYMOUS;
	return p->error->line == 0;
}

bool parse_range(struct parser *p, struct statement *st)
{
	return parse_expr(p, "an address", &st->e[PLAY_ADDR]) && parse_expr(p, "a length", &st->e[PLAY_LEN]);
}

/* mprotect ADDR LEN RIGHTS [sem] [growsdown] [growsup] */
bool parse_mprotect(struct parser *p, struct statement *st)
{
	static const struct named words[] = {
	    {"sem", 8, 0}, {"growsdown", PROT_GROWSDOWN, 0}, {"growsup", PROT_GROWSUP, 0}, {0}};

	if (!parse_range(p, st) || !parse_prot(p, &st->call.prot))
		return false;
	while (parser_more(p) && name_find(words, p->word)) {
		st->call.prot |= (u32)name_find(words, p->word)->value;
		parser_next(p, NULL);
	}
	return p->error->line == 0;
}

/* mremap ADDR OLD NEW [maymove] [dontunmap] [to ADDR] */
bool parse_mremap(struct parser *p, struct statement *st)
{
	if (!parse_range(p, st) || !parse_expr(p, "a new length", &st->e[PLAY_NEW_LEN]))
		return false;
	for (;;) {
		if (parser_accept(p, "maymove")) {
			st->call.flags |= MREMAP_MAYMOVE;
		} else if (parser_accept(p, "dontunmap")) {
			st->call.flags |= MREMAP_DONTUNMAP;
		} else if (parser_accept(p, "to")) {
			st->call.flags |= MREMAP_FIXED;
			if (!parse_expr(p, "an address", &st->e[PLAY_NEW_ADDR]))
				return false;
		} else {
			return true;
		}
	}
}

bool parse_brk(struct parser *p, struct statement *st)
{
	return parse_expr(p, "an address", &st->e[PLAY_ADDR]);
}

bool parse_madvise(struct parser *p, struct statement *st)
{
	const struct named *advice;
	u64 number;

	if (!parse_range(p, st) || !parser_next(p, "an advice"))
		return false;
	advice = name_find(advice_names, p->word);
	p->pushed = !advice;
	if (!advice && !parse_number(p, "an advice", 10000, &number))
		return false;
	st->call.advice = advice ? (s32)advice->value : (s32)number;
	return true;
}

/* Words, or in their place one number: what no word says, too. */
static bool parse_flags(struct parser *p, const struct named *words, u32 *flags)
{
	u64 number;

	if (parser_more(p) && isdigit((unsigned char)p->word[0])) {
		*flags = parse_number(p, "flags", ~0u, &number) ? (u32)number : 0;
		return p->error->line == 0;
	}
	while (parser_next(p, NULL)) {
		const struct named *word = name_find(words, p->word);

		if (!word)
			return parser_fail(p, "'%.40s' is no flag of this call", p->word);
		*flags |= (u32)word->value;
	}
	return p->error->line == 0;
}

/* mlock ADDR LEN [onfault] */
bool parse_mlock(struct parser *p, struct statement *st)
{
	static const struct named words[] = {{"onfault", MLOCK_ONFAULT, 0}, {0}};

	return parse_range(p, st) && parse_flags(p, words, &st->call.flags);
}

/* msync ADDR LEN [sync] [async] [invalidate] */
bool parse_msync(struct parser *p, struct statement *st)
{
	static const struct named words[] = {
	    {"sync", MS_SYNC, 0}, {"async", MS_ASYNC, 0}, {"invalidate", MS_INVALIDATE, 0}, {0}};

	return parse_range(p, st) && parse_flags(p, words, &st->call.flags);
}

/* mlockall [current] [future] [onfault] */
bool parse_mlockall(struct parser *p, struct statement *st)
{
	static const struct named words[] = {
	    {"current", MCL_CURRENT, 0}, {"future", MCL_FUTURE, 0}, {"onfault", MCL_ONFAULT, 0}, {0}};

	return parse_flags(p, words, &st->call.flags);
}

/* thp_disable VALUE [except-advised] */
bool parse_thp_disable(struct parser *p, struct statement *st)
{
	static const struct named words[] = {{"except-advised", VM_THP_EXCEPT_ADVISED, 0}, {0}};

	return parse_expr(p, "0 or 1", &st->e[PLAY_ADDR]) && parse_flags(p, words, &st->call.flags);
}

/* rlimit WHICH SIZE|unlimited */
bool parse_rlimit(struct parser *p, struct statement *st)
{
	static const struct named words[] = {{"as", VM_RLIMIT_AS, 0},
					     {"data", VM_RLIMIT_DATA, 0},
					     {"stack", VM_RLIMIT_STACK, 0},
					     {"memlock", VM_RLIMIT_MEMLOCK, 0},
					     {0}};
	const struct named *which;

	if (!parser_next(p, "a limit"))
		return false;
	which = name_find(words, p->word);
	if (!which)
		return parser_fail(p, "rlimit as, data, stack or memlock, not '%.40s'", p->word);
	st->call.flags = (u32)which->value;
	if (!parser_accept(p, "unlimited"))
		return parse_expr(p, "a size", &st->e[PLAY_LEN]);
	st->e[PLAY_LEN] = (struct expr){.nr = 1, .term[0] = {.name = -1, .number = VM_RLIM_INFINITY}};
	return true;
}

/* pkey_alloc [RIGHTS] */
bool parse_pkey_alloc(struct parser *p, struct statement *st)
{
	return !parser_more(p) || parse_expr(p, "rights", &st->e[PLAY_ADDR]);
}

/* pkey_free KEY, wrpkru VALUE */
bool parse_pkey(struct parser *p, struct statement *st)
{
	return parse_expr(p, "a key or a value", &st->e[PLAY_ADDR]);
}

/* pkey_mprotect ADDR LEN RIGHTS KEY */
bool parse_pkey_mprotect(struct parser *p, struct statement *st)
{
	return parse_mprotect(p, st) && parse_expr(p, "a key", &st->e[PLAY_NEW_ADDR]);
}
