/* SPDX-License-Identifier: MIT
 *
 * play/names.h - what scripts and messages call things: errnos, signals, rights, advice, causes of faults, counters.
 */
#ifndef PLAY_NAMES_H
#define PLAY_NAMES_H

#include "lib/types.h"

struct named {
	const char *name;
	s64 value;
	s64 more; /* a signal's si_code */
};
/* Tables end with a NULL name. */
extern const struct named errno_names[], signal_names[], advice_names[], cause_names[], pte_bit_names[];

const struct named *name_find(const struct named *table, const char *name);
/* The name of a value, or NULL. */
const char *name_of(const struct named *table, s64 value, s64 more);
/* "rw" and the like, or "none". Returns false when it is neither. */
bool prot_parse(const char *word, u32 *prot);
/* A letter for a page of an area in a picture: r w x a o e b n, capital when shared (docs/scripts.md). */
char prot_letter(u32 prot, bool shared);

/* Bytes as 64K, 2M or 123; at most 23 characters. */
const char *size_text(u64 bytes, char text[24]);

#endif
