/* SPDX-License-Identifier: MIT
 *
 * play/record.h - `quire play --html`: a script's run, statement by statement, as data for the page that shows it.
 */
#ifndef PLAY_RECORD_H
#define PLAY_RECORD_H

#include "play/run.h"

struct record;

/* Explains are to go to cfg->out as --step tells them; this sets what of cfg sees to that. NULL: no memory. */
struct record *record_begin(struct run_config *cfg);
/* What was told so far, all of it. */
const char *record_told(struct record *rec);
/* The run as JSON, `verdict` being the sentence that it ended with; free() it. NULL: no memory. rec is gone. */
char *record_end(struct record *rec, const char *file, const char *verdict);

#endif
