/* SPDX-License-Identifier: MIT
 *
 * engine/areas.h - which of the program's memory is code, and whether it may change unseen.
 */
#ifndef ENGINE_AREAS_H
#define ENGINE_AREAS_H

#include "lib/types.h"

/* The program is mapped: what there is. */
void areas_begin(void);
/* The system call was made, and returned ret. */
void areas_call(long nr, const u64 arg[6], long ret);
/* /proc/self/mem is being opened for writing: past all protections, from now on. */
void areas_memory_opened(void);

/* Why the byte at an address cannot be fetched, as the CPU and the kernel would say it. */
struct fetch_fault {
	int sig, code;
	u64 err; /* of the page fault */
};
struct fetch_fault fetch_fault(u64 at);

#define USER_END 0x7ffffffff000ull

/* A line of /proc/self/maps. */
struct maps_line {
	u64 start, end;
	char prot[5];
	char text[128]; /* its beginning */
};
/* Somebody died between a system call and areas_call(). */
void areas_lost(void);
/* Calls each(line) for every line. false: there is no /proc. */
bool maps_read(void (*each)(const struct maps_line *line));
bool maps_named(const struct maps_line *line, const char *name);

/* Copies n bytes from where nothing may be. false: they cannot be read; code_fault then says why. */
bool code_copy(void *to, const void *from, u64 n);
extern const u8 code_copy_reads[], code_copy_failed[];
extern struct fetch_fault code_fault;

#endif
