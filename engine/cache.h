/* SPDX-License-Identifier: MIT
 *
 * engine/cache.h - what was translated: blocks by their address, the links between them, the sites of their checks.
 *
 *   pc --block_find--> block { outer: looks first whether its page is the last one;  changed: from a block of another page;
 *                              inner: of the same page }
 *
 *   block A ... jmp rel32 ---not linked--> stub: why = link; jmp dispatch      link { field, target, inner }
 *                 `--------linked--------> block B { links: to undo when it is forgotten }
 *
 *   page { its blocks; the other pages that these were translated after a look at }
 *
 * A page of code has a number, 1.., so that generated code compares 32 bits.
 *
 * What is locked when. One cache is shared by all threads of a memory. Its lock is held by whoever looks at or changes
 * what is not said to be free below: the tables of this file, cache, the fields of links in generated code, the list of
 * threads (runtime.h), what translate.c works with, and the filling of a thread's indirect. A signal's handler never
 * takes it. A thread is "in" (state.h) while it may run generated code; it goes in only with the lock, so with the lock
 * and nobody in, nobody can see what is changed. Who is in does not wait for the lock: its holder may wait for him.
 *
 *   - Free to a thread that is in: link_get(), site_get(), page_of_number(), block_at(), copied_at(), of what it came
 *     across. Entries are whole before anybody can reach them, and stay till the cache is cleared.
 *   - A link's field lies within eight aligned bytes: emit_patch() is one store, which others see whole. Whoever runs
 *     the code meanwhile goes the old way or the new one.
 *   - To take code away from threads that are in: the links that lead there are undone (links_undo(), block_forget()),
 *     runtime_purge() clears every thread's indirect; a thread that is in then leaves it at its block's end at the
 *     latest. Its memory may be used again when each thread has been out once: runtime_forget_all() waits for that. A
 *     block that is forgotten alone stays where it is till then.
 */
#ifndef ENGINE_CACHE_H
#define ENGINE_CACHE_H

#include "lib/types.h"

struct block {
	u64 pc; /* 0: none */
	u8 *outer, *changed, *inner, *end;
	unsigned first_insn, nr_insns; /* in the table of copied instructions */
	u32 links;                     /* those that lead to it; 0: none */
	u32 on_page;                   /* the next block of its page; 0: none */
	u32 before;                    /* the block that was forgotten at the same pc; 0: none */
	bool forgotten;
};

/* Where a copied instruction is: for a fault there. */
struct copied {
	u16 code;        /* bytes from the block's outer */
	u16 pc;          /* bytes from the block's pc */
	u16 shadow;      /* registers whose values are in shadow[] (E1) */
	signed char far; /* the register whose value is in scratch[0] while it executes; -1: none; or: */
	u8 uncounted;    /* instructions of the block before it that icount has not */
};
#define FAR_COMPARES (-2) /* none is copied there: the bytes of the block are compared */

struct link {
	u64 target;
	u8 *field; /* rel32 of a jump */
	u8 *stub;  /* where it leads while it is not linked */
	bool inner, linked;
	u32 next; /* of those that lead to the same block */
};

/* What the slow half of a check needs to know. */
struct site {
	u8 *back;      /* generated code goes on here */
	short stamp;   /* of the access: icount + stamp */
	u16 len;       /* bytes; strings: of an element */
	u32 rw : 8;    /* SITE_*: */
	u32 page : 24; /* SITE_FETCH: its number; else: bytes from the address that is handed over */
};
enum { SITE_READ = 1, SITE_WRITE = 2, SITE_FETCH = 4, SITE_SOURCE = 8, SITE_MORE = 16, SITE_ADDR32 = 32 };

#define CACHE_MAX_PAGES (1u << 19)

/* Code goes to hot[], what is seldom reached to cold[]. */
struct cache {
	u8 *hot, *hot_end, *cold, *cold_end;
};
extern struct cache cache;

void cache_lock(void);
void cache_unlock(void);
/* By who has its stack in [start, end)? He is dead: links may be undone, and then the tables are to be cleared. */
bool cache_is_locked(const void *start, const void *end);
void cache_lost(void);
/* Takes size bytes at base for the code. */
void cache_init(u8 *base, u64 size);
struct block *block_find(u64 pc); /* NULL: not translated, or forgotten */
struct block *block_add(u64 pc);
struct block *block_get(u32 number);
u32 block_number(const struct block *b);
/* Nobody finds it or comes to it any more. */
void block_forget(struct block *b);
/* All blocks with a byte in [start, end), or that were translated after a look at one there. */
void cache_forget(u64 start, u64 end);
unsigned link_add(struct link l);
struct link *link_get(unsigned index);
/* It leads to b from now on. */
void link_set(unsigned index, struct block *b);
unsigned site_add(struct site s);
struct site *site_get(unsigned index);
unsigned copied_add(struct copied c);
unsigned copied_next(void); /* what the next one's number will be */
bool cache_holds(u64 code); /* an address of generated code, cold or hot */
/* The block whose code holds the address; NULL: none. */
struct block *block_at(const u8 *code);
/* The instruction that executes at the address; NULL: it is in none of the program's. */
const struct copied *copied_at(const struct block *b, const u8 *code);
/* The number of the page that holds pc. */
u32 page_number(u64 pc);
u64 page_of_number(u32 number);
/* Blocks of the page `number` rest on what page `on` holds. */
void page_needs(u32 number, u32 on);
/* There may be no room for another block and its tables. */
#define CACHE_ROOM   65536 /* bytes that a block takes at most, hot and cold each */
#define BLOCK_TABLES 1024  /* links, sites, pages of a block at most */
bool cache_is_full(void);
/* Forgets all: a new generation. No thread is in. */
void cache_clear(void);
u64 cache_generation(void); /* from 1 on */
/* All links lead to their stubs again. */
void links_undo(void);

/* engine/memory.c or the test: zeroed memory that stays; never fails. */
void *memory_get(u64 bytes);

#endif
