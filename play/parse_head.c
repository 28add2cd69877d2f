/* SPDX-License-Identifier: MIT
 *
 * play/parse_head.c - the comment lines at a script's head: its name, what it must do, on which machine.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mm/vm.h"
#include "mmu/mmu.h"
#include "play/names.h"
#include "play/parse.h"

static bool machine_size(struct parser *p, const char *key, const char *value, u64 least, u64 most, u64 *out)
{
	char *end;

	if (number_parse(value, &end, out) && !*end && *out >= least && *out <= most)
		return true;
	return parser_fail(p, "%s=%.40s: from %" PRIu64 "M to %" PRIu64 "M", key, value, least >> 20, most >> 20);
}

static bool machine_word(struct parser *p, struct script_machine *m, const char *key, const char *value)
{
	static const struct named thp[] = {
	    {"never", VM_THP_NEVER, 0}, {"madvise", VM_THP_MADVISE, 0}, {"always", VM_THP_ALWAYS, 0}, {0}};
	static const struct named policies[] = {{"lru2", VM_RECLAIM_LRU2, 0},     {"mglru", VM_RECLAIM_MGLRU, 0},
						{"clock", VM_RECLAIM_CLOCK, 0},   {"fifo", VM_RECLAIM_FIFO, 0},
						{"random", VM_RECLAIM_RANDOM, 0}, {0}};
	static const struct named modes[] = {
	    {"0", VM_OVERCOMMIT_GUESS, 0}, {"1", VM_OVERCOMMIT_ALWAYS, 0}, {"2", VM_OVERCOMMIT_NEVER, 0}, {0}};
	const struct named *found;
	char *end;

	if (strcmp(key, "ram") == 0)
		return machine_size(p, key, value, PLAY_MIN_RAM, PLAY_MAX_RAM, &m->ram_bytes);
	if (strcmp(key, "swap") == 0)
		return machine_size(p, key, value, 0, PLAY_MAX_SWAP, &m->swap_bytes);
	if (strcmp(key, "hugepages") == 0)
		return (number_parse(value, &end, &m->nr_hugepages) && !*end && m->nr_hugepages <= PLAY_MAX_POOL) ||
		       parser_fail(p, "hugepages=%.40s: from 0 to %d", value, PLAY_MAX_POOL);
	if (strcmp(key, "thp") == 0 && (found = name_find(thp, value)))
		m->thp = (u8)found->value;
	else if (strcmp(key, "reclaim") == 0 && (found = name_find(policies, value)))
		m->reclaim = (u8)found->value;
	else if (strcmp(key, "overcommit") == 0 && (found = name_find(modes, value)))
		m->overcommit = (u8)found->value;
	else if (strcmp(key, "pcid") == 0 && (strcmp(value, "on") == 0 || strcmp(value, "off") == 0))
		m->pcid = strcmp(value, "on") == 0;
	else if (strcmp(key, "kpti") == 0 && (strcmp(value, "on") == 0 || strcmp(value, "off") == 0))
		m->kpti = strcmp(value, "on") == 0;
	else if (strcmp(key, "cpu") == 0 && strlen(value) < SCRIPT_WORD && cpu_preset_find(value))
		snprintf(m->cpu, sizeof(m->cpu), "%.*s", SCRIPT_WORD - 1, value);
	else
		return parser_fail(p, "machine: what is %.40s=%.40s?", key, value);
	return true;
}

/* machine: thp=always ram=64M pcid=off cpu=skylake */
static bool parse_machine(struct parser *p, const char *text)
{
	p->rest = text;
	p->pushed = false;
	while (parser_next(p, NULL)) {
		char *equals = strchr(p->word, '=');

		if (!equals)
			return parser_fail(p, "machine: '%.40s' is not key=value", p->word);
		*equals = 0;
		if (!machine_word(p, &p->script->machine, p->word, equals + 1))
			return false;
	}
	return p->error->line == 0;
}

/* "# key: text" with one of these keys, before the first statement. Returns the text, or NULL. */
static const char *head_text(const char *line, const char *key)
{
	size_t n = strlen(key);

	if (line[0] != '#')
		return NULL;
	line += 1 + strspn(line + 1, " ");
	return strncmp(line, key, n) == 0 && line[n] == ':' ? line + n + 1 + strspn(line + n + 1, " ") : NULL;
}

static bool copy_text(struct parser *p, char to[SCRIPT_TEXT], const char *text)
{
	size_t n = strcspn(text, "\r");

	if (n >= SCRIPT_TEXT)
		return parser_fail(p, "a line of more than %d characters", SCRIPT_TEXT - 1);
	memcpy(to, text, n);
	to[n] = 0;
	return true;
}

bool parse_head(struct parser *p, const char *line)
{
	struct script *s = p->script;
	const char *text;

	if ((text = head_text(line, "name")))
		return copy_text(p, s->name, text);
	if ((text = head_text(line, "machine")))
		return parse_machine(p, text);
	if ((text = head_text(line, "host"))) {
		if (strncmp(text, "no, ", 4) != 0)
			return parser_fail(p, "host: only 'no, REASON' is to be said");
		return copy_text(p, s->no_host, text + 4);
	}
	if (!(text = head_text(line, "expect")))
		return true;
	if (!copy_text(p, s->expect, text))
		return false;
	return strcmp(s->expect, "pass") == 0 || strcmp(s->expect, "malformed") == 0 ||
	       (strncmp(s->expect, "fail ", 5) == 0 && isdigit((unsigned char)s->expect[5])) ||
	       parser_fail(p, "expect: pass, 'fail LINE' or malformed");
}
