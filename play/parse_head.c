/* SPDX-License-Identifier: MIT
 *
 * play/parse_head.c - the comment lines at a script's head: its name, what it must do, on which machine.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "play/names.h"
#include "play/parse.h"
#include "play/probe.h"

/* Scripts run in memory with contents: what is theirs must fit the host's. */
static bool machine_fits(struct parser *p, const struct machine_config *m)
{
	if (m->ram_bytes < PLAY_MIN_RAM || m->ram_bytes > PLAY_MAX_RAM)
		return parser_fail(p, "ram: from %lluM to %lluM in a script", PLAY_MIN_RAM >> 20, PLAY_MAX_RAM >> 20);
	if (m->swap_bytes > PLAY_MAX_SWAP)
		return parser_fail(p, "swap: from 0 to %lluM in a script", PLAY_MAX_SWAP >> 20);
	return m->hugepages <= PLAY_MAX_POOL || parser_fail(p, "hugepages: from 0 to %d in a script", PLAY_MAX_POOL);
}

/* machine: thp=always ram=64M pcid=off cpu=skylake */
static bool parse_machine(struct parser *p, const char *text)
{
	char err[MACHINE_ERR];

	p->rest = text;
	p->pushed = false;
	while (parser_next(p, NULL)) {
		char *equals = strchr(p->word, '=');

		if (!equals)
			return parser_fail(p, "machine: '%.40s' is not key=value", p->word);
		*equals = 0;
		if (machine_key_set(&p->script->machine, KEY_SCRIPT, p->word, equals + 1, err) != 0)
			return parser_fail(p, "machine: %s", err);
		p->script->variant_said |= variant_bit(p->word);
		p->script->swap_device_said |= strcmp(p->word, "swap-device") == 0;
	}
	return p->error->line == 0 && machine_fits(p, &p->script->machine);
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

/* host: no, REASON; or: needs NAME !NAME... */
static bool parse_host(struct parser *p, const char *text)
{
	struct script *s = p->script;
	int probe;

	if (strncmp(text, "no, ", 4) == 0)
		return copy_text(p, s->no_host, text + 4);
	p->rest = text;
	p->pushed = false;
	if (!parser_accept(p, "needs"))
		return parser_fail(p, "host: 'no, REASON' or 'needs NAME...' is to be said");
	while (parser_next(p, NULL)) {
		bool absent = p->word[0] == '!';

		probe = probe_find(p->word + absent);
		if (probe < 0)
			return parser_fail(p, "host: 'quire play --probe' knows no %.40s", p->word);
		if (s->nr_needs == SCRIPT_NEEDS)
			return parser_fail(p, "host: more than %d needs", SCRIPT_NEEDS);
		s->need[s->nr_needs++] = (struct need){.probe = (u8)probe, .absent = absent};
	}
	return p->error->line == 0 && (s->nr_needs || parser_fail(p, "host: needs what?"));
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

bool parse_head(struct parser *p, const char *line)
{
	struct script *s = p->script;
	const char *text;

	if ((text = head_text(line, "name")))
		return copy_text(p, s->name, text);
	if ((text = head_text(line, "machine")))
		return parse_machine(p, text);
	if ((text = head_text(line, "host")))
		return parse_host(p, text);
	if (!(text = head_text(line, "expect")))
		return true;
	if (!copy_text(p, s->expect, text))
		return false;
	return strcmp(s->expect, "pass") == 0 || strcmp(s->expect, "malformed") == 0 ||
	       (strncmp(s->expect, "fail ", 5) == 0 && isdigit((unsigned char)s->expect[5])) ||
	       parser_fail(p, "expect: pass, 'fail LINE' or malformed");
}
