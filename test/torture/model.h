/* SPDX-License-Identifier: MIT
 *
 * test/torture/model.h - what programs may rely on, and nothing else: for each page of each process its rights and two
 * of its bytes, the first and the last. No frames, tables, areas, swap or huge pages; a fork copies everything.
 *
 *   struct page --own--> value[]                         a private page that was written to, or is anonymous
 *               --not own--> object[].value[index][]     shared memory, and a private view of a file
 */
#ifndef TORTURE_MODEL_H
#define TORTURE_MODEL_H

#include "play/call.h"
#include "play/maps.h"
#include "x86/paging.h"

#define MODEL_BASE       0x200040000000ull
#define MODEL_PAGES      2048u /* the window: 8 MiB, four huge pages */
#define MODEL_FILES      2
#define MODEL_FILE_PAGES 1024u
#define MODEL_BYTES      2 /* of a page */
#define MODEL_DROPPABLE  8 /* MAP_DROPPABLE: not in every libc */

struct page {
	bool mapped, shared, own;
	bool dontfork, wipeonfork;
	bool locked, onfault; /* mlock */
	bool droppable, guard;
	u8 prot;
	s32 object; /* -1: private anonymous memory */
	u32 index;  /* page of the object */
	u8 value[MODEL_BYTES];
	bool maybe_zero[MODEL_BYTES]; /* after MADV_FREE; droppable memory at any time */
	bool unknown;                 /* a call for it ran out of memory halfway */
};

/* A file, or shared anonymous memory. */
struct object {
	u32 pages;
	u8 (*value)[MODEL_BYTES]; /* [MODEL_FILE_PAGES] of a file, else [pages] */
};

struct model {
	bool populate_stops;  /* at a hole; else MADV_POPULATE_* passes over it, and says so in the end */
	bool short_of_memory; /* calls may end in -ENOMEM, and processes be killed */
	bool alive[PLAY_PROCESSES];
	bool doomed[PLAY_PROCESSES]; /* the OOM killer chose it: it can only exit */
	struct page page[PLAY_PROCESSES][MODEL_PAGES];
	struct object *object; /* [0..MODEL_FILES): the files */
	unsigned objects;
};

void model_init(struct model *m);
void model_destroy(struct model *m);
/* *want: what the call must come to. Where a program may see either of two things, *want is the one that `got` says,
 * and the model has learnt it. areas: of the calling process, afterwards. */
void model_step(struct model *m, const struct play_call *call, const struct play_outcome *got,
		const struct play_maps *areas, struct play_outcome *want);
/* The first page whose rights are not those of the areas, or MODEL_PAGES. */
unsigned model_compare_areas(const struct model *m, unsigned process, const struct play_maps *areas);
/* What an access to this page comes to: 0, or a signal in *want. op: READ, WRITE, EXEC. */
bool model_may_access(const struct model *m, const struct page *p, unsigned op, u64 va, struct play_outcome *want);
/* The byte that the model remembers, k = 0, 1. */
u8 *model_byte(struct model *m, struct page *p, unsigned k);

static inline u64 model_address(unsigned page)
{
	return MODEL_BASE + page * PAGE_SIZE;
}

#endif
