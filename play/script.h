/* SPDX-License-Identifier: MIT
 *
 * play/script.h - a script as the parser leaves it: a list of statements, one a line. The language: docs/scripts.md.
 *
 *   struct script
 *     |-- name, expect, host, machine   the lines at its head
 *     |-- names[]                       $a, $f, ...: what they stand for is found when it runs
 *     `-- statement[]                   line, verb, expressions (sums of numbers and names)
 *
 * Invariants
 *  1. What the parser accepts, the runner can carry out: no index in a statement is out of range.
 *  2. The parser keeps no pointer into the text.
 */
#ifndef PLAY_SCRIPT_H
#define PLAY_SCRIPT_H

#include "machine/config.h"
#include "play/call.h"

#define SCRIPT_WORD  32  /* bytes of a name, its 0 included */
#define SCRIPT_TEXT  256 /* of a line of text */
#define SCRIPT_NAMES 64
#define SCRIPT_TERMS 8
#define SCRIPT_FLAGS 8
#define SCRIPT_NEEDS 8

/* A sum; no term: the expression is not there. */
struct expr {
	u8 nr;
	struct {
		bool minus;
		s32 name; /* index in script.names, or -1 */
		u64 number;
	} term[SCRIPT_TERMS];
};

enum verb {
	VERB_CALL, /* call.op says which */
	VERB_SET,  /* $a = expression */
	VERB_EXPECT,
	VERB_SHOW,
	VERB_QUESTION,
};

enum expect {
	EXPECT_RESULT,   /* e: the last call's result */
	EXPECT_ERRNO,    /* number */
	EXPECT_VALUE,    /* data: what was read */
	EXPECT_RESIDENT, /* data: what mincore said, as text */
	EXPECT_SIGNAL,   /* number: signal, code; e: address, or none */
	EXPECT_FAULT,    /* number: enum vm_fault_cause, or -1 = none */
	EXPECT_FAULTS,   /* number */
	EXPECT_MAPS,     /* e: first address, unit, text: the picture */
	EXPECT_PTE,      /* e, size, flag[] */
	EXPECT_FRAME,    /* e[ADDR], e[NEW_ADDR], number: 1 = the same, 0 = another; process of the second */
	EXPECT_RSS,      /* e: bytes */
	EXPECT_LOCKED,   /* e: bytes */
	EXPECT_TABLES,   /* e: bytes */
	EXPECT_HUGE,     /* e: bytes */
	EXPECT_COUNTER,  /* counter, number */
};

enum show { SHOW_TABLES, SHOW_TLB, SHOW_MAPS, SHOW_COUNTERS };

/* A bit of an entry that must be there, or must not. */
struct pte_flag {
	u64 bit;
	bool absent;
};

struct statement {
	u32 line;
	u8 verb;
	s32 target; /* SET, or a call whose result gets a name: index in names; -1 */
	struct play_call call;
	struct expr e[PLAY_NR_VALUES];
	/* EXPECT, SHOW */
	u8 what;     /* enum expect, enum show */
	bool answer; /* an expectation that answers the question before it */
	u16 counter; /* index in machine_counter_rows[] */
	s64 number;
	s32 code;
	u64 unit;  /* bytes a letter of a picture */
	s32 level; /* of an entry: 1..3, 0 = any, -1 = none present */
	u8 nr_flags;
	struct pte_flag flag[SCRIPT_FLAGS];
	char text[SCRIPT_TEXT];
	char source[SCRIPT_TEXT]; /* the line, as far as it fits */
};

/* A property that this Linux must have, or (absent) must not have, if the script is to be compared with it. */
struct need {
	u8 probe; /* enum probe_id */
	bool absent;
};

struct script {
	char name[SCRIPT_TEXT];
	char expect[SCRIPT_TEXT];  /* pass, fail, malformed */
	char no_host[SCRIPT_TEXT]; /* why it cannot be compared with the host; empty: it can */
	struct need need[SCRIPT_NEEDS];
	unsigned nr_needs;
	struct machine_config machine;
	bool swap_device_said;
	u16 variant_said; /* bit i: its machine line says what variant_rows[i] is (probe.h) */
	char names[SCRIPT_NAMES][SCRIPT_WORD];
	unsigned nr_names;
	char process[PLAY_PROCESSES][SCRIPT_WORD]; /* [0] = main */
	unsigned nr_processes;
	unsigned nr_files;
	struct statement *statement;
	unsigned nr, cap;
};

struct script_error {
	u32 line;
	char text[SCRIPT_TEXT];
};

/* Returns 0, or -1 with *error. The script must be freed in either case: its head is there even then. */
int script_parse(const char *text, size_t bytes, struct script *s, struct script_error *error);
void script_free(struct script *s);

#endif
