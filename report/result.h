/* SPDX-License-Identifier: MIT
 *
 * report/result.h - questions about a sim_result that the text and the advice both ask.
 */
#ifndef REPORT_RESULT_H
#define REPORT_RESULT_H

#include "sim/counters.h"

enum machine_kind { MACHINE_4K, MACHINE_THP, MACHINE_2M, MACHINE_1G };

/* From the name's first word ("2m", "1g") and the THP setting that it ran with. */
enum machine_kind result_kind(const struct sim_machine_result *m);
/* Machines are told apart by their first words and the keys that some of them were given and in which they differ. */
bool result_key_differs(const struct sim_result *r, const struct machine_key *k);
/* In a sentence: the first word, and what it was given that others of that word were not: "4k", "thp,cpu=zen4". */
struct machine_name {
	char s[128];
};
struct machine_name result_machine_name(const struct sim_result *r, const struct sim_machine_result *m);
/* The machine that the others are compared with: the first of kind 4K that ran to its end, else the first that did,
 * else the first. NULL only when there is no machine. */
const struct sim_machine_result *result_baseline(const struct sim_result *r);
/* The first machine of the run that is this one in every figure, by its index: itself, where none before it is. */
unsigned result_same_as(const struct sim_result *r, unsigned machine);
/* Machines that differ from all before them: their indexes into column[SIM_MAX_MACHINES]. Returns how many. */
unsigned result_columns(const struct sim_result *r, unsigned *column);
/* The first machine that is set as this computer is today: transparent huge pages, KPTI, PCIDs. NULL: none is, or nobody
 * knows. */
const struct sim_machine_result *result_host(const struct sim_result *r);
/* The machine that shows what a remedy does, where it ran to its end; NULL: none does. */
const struct sim_machine_result *result_cure(const struct sim_result *r, enum machine_cure cure);
/* All page walks, data and code: completed, and ended in a fault. (L2 misses, and the walks that a hit needs to set D.)
 */
u64 result_walks(const struct sim_machine_result *m);
u64 result_region_walks(const struct sim_region_result *g);
u64 result_faults(const struct sim_machine_result *m);
/* The last part of a path. */
const char *result_file_name(const char *path);
/* A program by that, or by its path where another has the same name; fit for a terminal: out[n]. */
void result_program_name(char *out, size_t n, const struct sim_result *r, u32 program);
/* "libc.so.6 code", "[heap]": out[n]. */
void result_region_name(char *out, size_t n, const struct sim_region *g);
/* The same in a sentence, with its program where there are several: "[heap] of cc1". */
void result_region_of(char *out, size_t n, const struct sim_result *r, const struct sim_region *g);
struct sim_share result_share(const struct machine_counters *c);
/* Regions by baseline walks, most first; ties in the order given. Writes at most max indexes, returns how many. */
unsigned result_top_regions(const struct sim_result *r, const struct sim_machine_result *base, unsigned *index,
			    unsigned max);

#endif
