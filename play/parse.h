/* SPDX-License-Identifier: MIT
 *
 * play/parse.h - the parser's state, shared by parse.c, parse_head.c, parse_area.c and parse_expect.c. Functions return
 * false after an error.
 */
#ifndef PLAY_PARSE_H
#define PLAY_PARSE_H

#include "play/script.h"

#define PARSE_LINE        1024 /* bytes of a line, its 0 included */
#define PLAY_MIN_RAM      (8ull << 20)
#define PLAY_MAX_RAM      (4ull << 30)
#define PLAY_STANDARD_RAM (64ull << 20)
#define PLAY_MAX_SWAP     (1ull << 30)
#define PLAY_MAX_POOL     1024 /* 2M pages */
#define PLAY_MAX_WAIT     3600 /* seconds */

struct parser {
	struct script *script;
	struct script_error *error; /* line = 0: none yet */
	u32 line;
	const char *text; /* the line */
	const char *rest; /* what is left of it */
	char word[SCRIPT_TEXT];
	u32 nr_word;
	bool quoted; /* word was a "text" */
	bool pushed; /* word is the next one still */
	bool asked;  /* a question waits for its answer */
	char assigned[SCRIPT_WORD];
	char file[PLAY_FILES][SCRIPT_WORD]; /* names of the files */
};

bool parser_fail(struct parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The next word of the line, in p->word. what: what is missing without one; NULL: that is no error. */
bool parser_next(struct parser *p, const char *what);
/* True when there is a next word; it stays the next. */
bool parser_more(struct parser *p);
/* Takes the next word if it is this one. */
bool parser_accept(struct parser *p, const char *word);

/* parse_head.c: a line before the first statement. */
bool parse_head(struct parser *p, const char *line);
/* A number as strtoull takes it, with a unit. Returns false when there is none or it is too large. */
bool number_parse(const char *text, char **end, u64 *out);
bool parse_expr(struct parser *p, const char *what, struct expr *e);
bool parse_number(struct parser *p, const char *what, u64 most, u64 *out);
/* A byte or a "text". */
bool parse_data(struct parser *p, struct play_call *call);
bool parse_process(struct parser *p, u8 *index);
/* The number of the file that the word names; -1: none. */
int parser_file(const struct parser *p, const char *word);
bool parse_nothing(struct parser *p, struct statement *st);
bool parse_expect(struct parser *p, struct statement *st);

/* parse_area.c */
bool parse_range(struct parser *p, struct statement *st); /* ADDR LEN */
bool parse_mmap(struct parser *p, struct statement *st);
bool parse_mprotect(struct parser *p, struct statement *st);
bool parse_mremap(struct parser *p, struct statement *st);
bool parse_brk(struct parser *p, struct statement *st);
bool parse_madvise(struct parser *p, struct statement *st);
bool parse_mlock(struct parser *p, struct statement *st);
bool parse_mlockall(struct parser *p, struct statement *st);
bool parse_msync(struct parser *p, struct statement *st);
bool parse_rlimit(struct parser *p, struct statement *st);
bool parse_thp_disable(struct parser *p, struct statement *st);
bool parse_pkey_alloc(struct parser *p, struct statement *st);
bool parse_pkey(struct parser *p, struct statement *st);
bool parse_pkey_mprotect(struct parser *p, struct statement *st);

#endif
