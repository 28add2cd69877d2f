/* SPDX-License-Identifier: MIT
 *
 * play/parse.c - from text to statements: a line, its words, a verb, what the verb takes. (parse_head.c: the lines
 * before them; parse_area.c: the calls on memory; parse_expect.c: what may be expected.) The grammar is in
 * docs/scripts.md.
 *
 * Errors: the first one ends the parse; parser_fail() keeps it, and every parse function returns false after it.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mm/vm.h"
#include "mmu/mmu.h"
#include "play/names.h"
#include "play/parse.h"
#include "sim/xalloc.h"

bool parser_fail(struct parser *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->error->text, sizeof(p->error->text), format, args);
	va_end(args);
	p->error->line = p->line;
	return false;
}

/* ---- words ---- */

/* Copies the next word, a quoted text without its quotes. Returns false at the line's end or on an error. */
static bool read_word(struct parser *p)
{
	const char *at = p->rest + strspn(p->rest, " \t\r");
	size_t n;

	p->quoted = *at == '"';
	if (*at == 0 || *at == '#')
		return false;
	at += p->quoted;
	n = p->quoted ? strcspn(at, "\"") : strcspn(at, " \t\r\"#");
	if (p->quoted && at[n] != '"')
		return parser_fail(p, "a quotation mark is missing");
	if (n >= sizeof(p->word))
		return parser_fail(p, "a word of more than %zu characters", sizeof(p->word) - 1);
	memcpy(p->word, at, n);
	p->word[n] = 0;
	p->nr_word = (u32)n;
	p->rest = at + n + p->quoted;
	return true;
}

bool parser_next(struct parser *p, const char *what)
{
	if (p->pushed) {
		p->pushed = false;
		return true;
	}
	return read_word(p) || (p->error->line == 0 && what && parser_fail(p, "%s is missing", what));
}

bool parser_more(struct parser *p)
{
	if (!parser_next(p, NULL))
		return false;
	p->pushed = true;
	return true;
}

bool parser_accept(struct parser *p, const char *word)
{
	if (!parser_more(p) || p->quoted || strcmp(p->word, word) != 0)
		return false;
	p->pushed = false;
	return true;
}

/* ---- names ---- */

static bool is_name(const char *word)
{
	size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	return n > 0 && n < SCRIPT_WORD && word[n] == 0 && !isdigit((unsigned char)word[0]);
}

/* The index of a name in script.names, made when it is new and may be; -1 after an error. */
static int name_index(struct parser *p, const char *name, bool make)
{
	struct script *s = p->script;

	if (!is_name(name)) {
		parser_fail(p, "'$%.40s' is no name", name);
		return -1;
	}
	for (unsigned i = 0; i < s->nr_names; i++)
		if (strcmp(s->names[i], name) == 0)
			return (int)i;
	if (!make)
		parser_fail(p, "$%s has no value yet", name);
	else if (s->nr_names == SCRIPT_NAMES)
		parser_fail(p, "more than %d names", SCRIPT_NAMES);
	if (p->error->line)
		return -1;
	snprintf(s->names[s->nr_names], SCRIPT_WORD, "%s", name);
	return (int)s->nr_names++;
}

int parser_file(const struct parser *p, const char *word)
{
	for (unsigned i = 0; i < p->script->nr_files; i++)
		if (word[0] == '$' && strcmp(p->file[i], word + 1) == 0)
			return (int)i;
	return -1;
}

bool parse_process(struct parser *p, u8 *index)
{
	if (!parser_next(p, "a process"))
		return false;
	for (unsigned i = 0; i < p->script->nr_processes; i++) {
		*index = (u8)i;
		if (strcmp(p->script->process[i], p->word) == 0)
			return true;
	}
	return parser_fail(p, "there is no process '%.40s'", p->word);
}

static bool new_process(struct parser *p, u8 *index)
{
	struct script *s = p->script;

	if (!parser_next(p, "a name for the process"))
		return false;
	if (!is_name(p->word))
		return parser_fail(p, "'%.40s' is no name", p->word);
	for (unsigned i = 0; i < s->nr_processes; i++)
		if (strcmp(s->process[i], p->word) == 0)
			return parser_fail(p, "there was a process '%s' already", p->word);
	if (s->nr_processes == PLAY_PROCESSES)
		return parser_fail(p, "more than %d processes", PLAY_PROCESSES);
	*index = (u8)s->nr_processes;
	snprintf(s->process[s->nr_processes++], SCRIPT_WORD, "%.*s", SCRIPT_WORD - 1, p->word);
	return true;
}

/* ---- numbers and expressions ---- */

/* 10, 0x1f, 64K, 2M, 1G, 1T; *end: what follows. Returns false if there is no number, or one beyond 64 bits. */
bool number_parse(const char *text, char **end, u64 *out)
{
	static const char units[] = "KMGT";
	const char *unit;
	unsigned shift;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*out = strtoull(text, end, text[0] == '0' && text[1] == 'x' ? 16 : 10);
	if (errno)
		return false;
	unit = **end ? strchr(units, **end) : NULL;
	if (!unit)
		return true;
	shift = 10 * (unsigned)(unit - units + 1);
	(*end)++;
	if (*out << shift >> shift != *out)
		return false;
	*out <<= shift;
	return true;
}

static bool parse_term(struct parser *p, char **at, struct expr *e)
{
	char name[SCRIPT_TEXT];
	size_t n;

	e->term[e->nr].minus = **at == '-';
	*at += **at == '-' || **at == '+';
	if (**at != '$') {
		e->term[e->nr].name = -1;
		return number_parse(*at, at, &e->term[e->nr].number) ||
		       parser_fail(p, "'%.40s' is no number (10, 0x1f, 64K, 2M, 1G) and no $name", p->word);
	}
	n = strcspn(*at + 1, "+-");
	memcpy(name, *at + 1, n);
	name[n] = 0;
	*at += 1 + n;
	e->term[e->nr].name = (s32)name_index(p, name, false);
	return e->term[e->nr].name >= 0;
}

bool parse_expr(struct parser *p, const char *what, struct expr *e)
{
	char *at = p->word;

	*e = (struct expr){0};
	if (!parser_next(p, what))
		return false;
	if (p->quoted || *at == 0)
		return parser_fail(p, "%s must be a number or a sum", what);
	do {
		if (e->nr == SCRIPT_TERMS)
			return parser_fail(p, "a sum of more than %d terms", SCRIPT_TERMS);
		if (!parse_term(p, &at, e))
			return false;
		e->nr++;
		if (*at && *at != '+' && *at != '-')
			return parser_fail(p, "'%.40s': no + or - before '%.20s'", p->word, at);
	} while (*at);
	return true;
}

bool parse_number(struct parser *p, const char *what, u64 most, u64 *out)
{
	char *end;

	if (!parser_next(p, what))
		return false;
	if (p->quoted || !number_parse(p->word, &end, out) || *end || *out > most)
		return parser_fail(p, "%s must be a number up to %llu, not '%.40s'", what, (unsigned long long)most,
				   p->word);
	return true;
}

bool parse_data(struct parser *p, struct play_call *call)
{
	u64 byte;

	if (!parser_more(p) || !p->quoted) {
		if (!parse_number(p, "a byte (0..255) or a \"text\"", 255, &byte))
			return false;
		call->data[0] = (u8)byte;
		call->nr_data = 1;
		return true;
	}
	parser_next(p, NULL);
	if (p->nr_word == 0 || p->nr_word > PLAY_DATA)
		return parser_fail(p, "a text of 1 to %d bytes is wanted", PLAY_DATA);
	memcpy(call->data, p->word, p->nr_word);
	call->nr_data = p->nr_word;
	return true;
}

/* ---- the calls ---- */

static bool parse_cpu(struct parser *p, struct statement *st, u64 cpu)
{
	if (parser_accept(p, "on") && !parse_number(p, "a CPU", PLAY_CPUS - 1, &cpu))
		return false;
	st->call.cpu = (u8)cpu;
	return true;
}

static bool parse_spawn(struct parser *p, struct statement *st)
{
	return new_process(p, &st->call.process) && parse_cpu(p, st, 0);
}

static bool parse_switch(struct parser *p, struct statement *st)
{
	return parse_process(p, &st->call.process) && parse_cpu(p, st, PLAY_SAME_CPU);
}

static bool parse_fork(struct parser *p, struct statement *st)
{
	return new_process(p, &st->call.other);
}

bool parse_nothing(struct parser *p, struct statement *st)
{
	return true;
}

static bool parse_new_file(struct parser *p, struct statement *st)
{
	if (!p->assigned[0])
		return parser_fail(p, "a file needs a name: $f = ...");
	if (p->script->nr_files == PLAY_FILES)
		return parser_fail(p, "more than %d files", PLAY_FILES);
	if (!parse_expr(p, "a size", &st->e[PLAY_LEN]))
		return false;
	st->call.file = (s32)p->script->nr_files;
	snprintf(p->file[p->script->nr_files++], SCRIPT_WORD, "%s", p->assigned);
	return true;
}

static bool parse_file(struct parser *p, struct statement *st)
{
	if (!parser_next(p, "a file"))
		return false;
	st->call.file = parser_file(p, p->word);
	return st->call.file >= 0 || parser_fail(p, "'%.40s' is no file", p->word);
}

static bool parse_resize(struct parser *p, struct statement *st)
{
	return parse_file(p, st) && parse_expr(p, "a size", &st->e[PLAY_LEN]);
}

static bool parse_over(struct parser *p, struct statement *st)
{
	return !parser_accept(p, "over") || parse_expr(p, "a length", &st->e[PLAY_OVER]);
}

/* read ADDR [COUNT] [over LEN] */
static bool parse_read(struct parser *p, struct statement *st)
{
	u64 count = 1;

	if (!parse_expr(p, "an address", &st->e[PLAY_ADDR]))
		return false;
	if (parser_more(p) && isdigit((unsigned char)p->word[0]) && !parse_number(p, "a count", PLAY_DATA, &count))
		return false;
	st->call.nr_data = count ? (u32)count : 1;
	return parse_over(p, st);
}

/* write ADDR BYTE|"TEXT" [over LEN] */
static bool parse_write(struct parser *p, struct statement *st)
{
	return parse_expr(p, "an address", &st->e[PLAY_ADDR]) && parse_data(p, &st->call) && parse_over(p, st);
}

/* Without a size: all that can go. */
static bool parse_reclaim(struct parser *p, struct statement *st)
{
	return !parser_more(p) || parse_expr(p, "how much", &st->e[PLAY_LEN]);
}

static bool parse_drain(struct parser *p, struct statement *st)
{
	return parse_expr(p, "how much", &st->e[PLAY_LEN]);
}

static bool parse_wait(struct parser *p, struct statement *st)
{
	struct expr *e = &st->e[PLAY_LEN];

	e->nr = 1;
	e->term[0].name = -1;
	return parse_number(p, "seconds", PLAY_MAX_WAIT, &e->term[0].number);
}

static bool parse_exec(struct parser *p, struct statement *st)
{
	st->call.nr_data = 1;
	return parse_expr(p, "an address", &st->e[PLAY_ADDR]) && parse_over(p, st);
}

/* ---- other statements ---- */

static bool parse_show(struct parser *p, struct statement *st)
{
	static const struct named what[] = {{"tables", SHOW_TABLES, 0},
					    {"tlb", SHOW_TLB, 0},
					    {"maps", SHOW_MAPS, 0},
					    {"counters", SHOW_COUNTERS, 0},
					    {0}};
	const struct named *found;

	if (!parser_next(p, "what to show"))
		return false;
	found = name_find(what, p->word);
	if (!found)
		return parser_fail(p, "show tables, tlb, maps or counters, not '%.40s'", p->word);
	st->what = (u8)found->value;
	return true;
}

static bool parse_question(struct parser *p, struct statement *st)
{
	if (!parser_next(p, "the question") || !p->quoted)
		return parser_fail(p, "a question is a \"text\"");
	snprintf(st->text, sizeof(st->text), "%s", p->word);
	p->asked = true;
	return true;
}

static bool parse_answer(struct parser *p, struct statement *st)
{
	if (!p->asked)
		return parser_fail(p, "an answer without a question");
	p->asked = false;
	st->answer = true;
	return parse_expect(p, st);
}

/* ---- a line ---- */

static const struct {
	const char *name;
	u8 verb, op;
	bool (*parse)(struct parser *p, struct statement *st);
} verbs[] = {
    {"spawn", VERB_CALL, PLAY_SPAWN, parse_spawn},
    {"fork", VERB_CALL, PLAY_FORK, parse_fork},
    {"exit", VERB_CALL, PLAY_EXIT, parse_nothing},
    {"switch", VERB_CALL, PLAY_SWITCH, parse_switch},
    {"memfd", VERB_CALL, PLAY_MEMFD, parse_new_file},
    {"file", VERB_CALL, PLAY_FILE, parse_new_file},
    {"resize", VERB_CALL, PLAY_RESIZE, parse_resize},
    {"mmap", VERB_CALL, PLAY_MMAP, parse_mmap},
    {"munmap", VERB_CALL, PLAY_MUNMAP, parse_range},
    {"mprotect", VERB_CALL, PLAY_MPROTECT, parse_mprotect},
    {"pkey_alloc", VERB_CALL, PLAY_PKEY_ALLOC, parse_pkey_alloc},
    {"pkey_free", VERB_CALL, PLAY_PKEY_FREE, parse_pkey},
    {"pkey_mprotect", VERB_CALL, PLAY_PKEY_MPROTECT, parse_pkey_mprotect},
    {"wrpkru", VERB_CALL, PLAY_WRPKRU, parse_pkey},
    {"mremap", VERB_CALL, PLAY_MREMAP, parse_mremap},
    {"brk", VERB_CALL, PLAY_BRK, parse_brk},
    {"madvise", VERB_CALL, PLAY_MADVISE, parse_madvise},
    {"reclaim", VERB_CALL, PLAY_RECLAIM, parse_reclaim},
    {"wait", VERB_CALL, PLAY_WAIT, parse_wait},
    {"vmsplice", VERB_CALL, PLAY_VMSPLICE, parse_range},
    {"drain", VERB_CALL, PLAY_DRAIN, parse_drain},
    {"pin", VERB_CALL, PLAY_PIN, parse_range},
    {"unpin", VERB_CALL, PLAY_UNPIN, parse_nothing},
    {"mlock", VERB_CALL, PLAY_MLOCK, parse_mlock},
    {"munlock", VERB_CALL, PLAY_MUNLOCK, parse_range},
    {"mlockall", VERB_CALL, PLAY_MLOCKALL, parse_mlockall},
    {"munlockall", VERB_CALL, PLAY_MUNLOCKALL, parse_nothing},
    {"mincore", VERB_CALL, PLAY_MINCORE, parse_range},
    {"msync", VERB_CALL, PLAY_MSYNC, parse_msync},
    {"rlimit", VERB_CALL, PLAY_RLIMIT, parse_rlimit},
    {"thp_disable", VERB_CALL, PLAY_THP_DISABLE, parse_thp_disable},
    {"read", VERB_CALL, PLAY_READ, parse_read},
    {"write", VERB_CALL, PLAY_WRITE, parse_write},
    {"exec-access", VERB_CALL, PLAY_EXEC, parse_exec},
    {"expect", VERB_EXPECT, 0, parse_expect},
    {"show", VERB_SHOW, 0, parse_show},
    {"question", VERB_QUESTION, 0, parse_question},
    {"answer", VERB_EXPECT, 0, parse_answer},
};

static struct statement *new_statement(struct parser *p)
{
	struct script *s = p->script;
	struct statement *st;

	if (s->nr == s->cap)
		s->statement = xgrow(s->statement, &s->cap, sizeof(*s->statement));
	st = &s->statement[s->nr++];
	memset(st, 0, sizeof(*st));
	st->line = p->line;
	st->target = -1;
	snprintf(st->source, sizeof(st->source), "%.*s", SCRIPT_TEXT - 1, p->text);
	return st;
}

/* "$name =": the name becomes p->assigned. */
static bool parse_assigned(struct parser *p)
{
	snprintf(p->assigned, sizeof(p->assigned), "%.*s", SCRIPT_WORD - 1, p->word + 1);
	if (!is_name(p->word + 1))
		return parser_fail(p, "'%.40s' is no name", p->word);
	if (!parser_accept(p, "="))
		return p->error->line == 0 && parser_fail(p, "= is missing after $%s", p->assigned);
	return true;
}

static bool has_result(const struct statement *st)
{
	return st->call.op == PLAY_MMAP || st->call.op == PLAY_MREMAP || st->call.op == PLAY_BRK ||
	       st->call.op == PLAY_PKEY_ALLOC;
}

/* What stands before the = gets the value of what comes after. */
static bool parse_target(struct parser *p, struct statement *st)
{
	bool file = st->verb == VERB_CALL && (st->call.op == PLAY_MEMFD || st->call.op == PLAY_FILE);

	if (!p->assigned[0] || file)
		return true;
	if (st->verb != VERB_SET && (st->verb != VERB_CALL || !has_result(st)))
		return parser_fail(p, "only mmap, mremap, brk, pkey_alloc, memfd, file and sums have a result to name");
	st->target = (s32)name_index(p, p->assigned, true);
	return st->target >= 0;
}

static bool parse_verb(struct parser *p, struct statement *st)
{
	for (unsigned i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (p->quoted || strcmp(verbs[i].name, p->word) != 0)
			continue;
		st->verb = verbs[i].verb;
		st->call.op = verbs[i].op;
		return verbs[i].parse(p, st);
	}
	if (!p->assigned[0])
		return parser_fail(p, "'%.40s' is no statement", p->word);
	st->verb = VERB_SET;
	p->pushed = true;
	return parse_expr(p, "a value", &st->e[PLAY_ADDR]);
}

static bool parse_statement(struct parser *p)
{
	struct statement *st;

	if (!parser_next(p, NULL))
		return p->error->line == 0;
	p->assigned[0] = 0;
	if (p->word[0] == '$' && !p->quoted && (!parse_assigned(p) || !parser_next(p, "a value")))
		return false;
	st = new_statement(p);
	if (!parse_verb(p, st) || !parse_target(p, st))
		return false;
	if (parser_next(p, NULL))
		return parser_fail(p, "'%.40s' is too much", p->word);
	return p->error->line == 0;
}

/* ---- a script ---- */

static bool parse_line(struct parser *p, const char *line)
{
	if (p->script->nr == 0 && !parse_head(p, line))
		return false;
	p->text = p->rest = line;
	p->pushed = false;
	return parse_statement(p);
}

static bool parse_end(struct parser *p)
{
	p->line = 1;
	if (!p->script->name[0])
		return parser_fail(p, "the line '# name: ...' is missing");
	if (!p->script->expect[0])
		return parser_fail(p, "the line '# expect: pass' is missing");
	return !p->asked || parser_fail(p, "a question without an answer");
}

static bool parse_lines(struct parser *p, const char *text, size_t bytes)
{
	for (const char *at = text, *end = text + bytes; at < end;) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((stop ? stop : end) - at);
		char line[PARSE_LINE];

		p->line++;
		if (n >= sizeof(line) || memchr(at, 0, n))
			return parser_fail(p, n >= sizeof(line) ? "the line is too long" : "a zero byte");
		memcpy(line, at, n);
		line[n] = 0;
		if (!parse_line(p, line))
			return false;
		at += n + 1;
	}
	return parse_end(p);
}

int script_parse(const char *text, size_t bytes, struct script *s, struct script_error *error)
{
	struct parser p = {.script = s, .error = error};

	*s = (struct script){0};
	machine_config_default(&s->machine);
	s->machine.thp = VM_THP_MADVISE;
	s->machine.ram_bytes = PLAY_STANDARD_RAM;
	s->machine.swap_bytes = 0;
	*error = (struct script_error){0};
	snprintf(s->process[s->nr_processes++], SCRIPT_WORD, "main");
	return parse_lines(&p, text, bytes) ? 0 : -1;
}

void script_free(struct script *s)
{
	free(s->statement);
	s->statement = NULL;
	s->nr = s->cap = 0;
}
