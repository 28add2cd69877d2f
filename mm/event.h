/* SPDX-License-Identifier: MIT
 *
 * mm/event.h - what mm/ tells of itself, one typed record a happening, through hw_event().
 *
 * Counters, reports and logs are built from these and from nothing else, so a number in a report can be
 * traced to the line of mm/ that raised it.
 */
#ifndef MM_EVENT_H
#define MM_EVENT_H

#include "lib/types.h"

enum vm_event_type {
	VM_EV_FAULT = 0, /* a fault was handled: cause, order, va */
	VM_EV_POPULATE,  /* as FAULT, but taken on the kernel's initiative (MAP_POPULATE, POPULATE_*): Linux counts it
			    in ru_minflt and not in the perf event page-faults */
	VM_EV_TLB_FLUSH, /* one flush batch finished on one CPU: n = pages, or VM_FLUSH_ALL for the whole context */
	VM_EV_SHOOTDOWN, /* a remote flush was sent: n = CPUs interrupted (IPIs); cause: enum vm_flush_cause */
	VM_EV_SWITCH,    /* CR3 was loaded: n = 0 kept this PCID's entries (NOFLUSH), 1 flushed them */
	VM_EV_THP_FAULT_ALLOC,    /* a huge page was given at fault time: order */
	VM_EV_THP_FAULT_FALLBACK, /* eligible, but no free block of that order */
	VM_EV_THP_SPLIT,          /* a huge mapping became a table of small ones */
	VM_EV_THP_COLLAPSE,       /* small pages become a huge one (khugepaged, MADV_COLLAPSE): told before they go */
	VM_EV_OOM,                /* an allocation failed for good: va */
	VM_EV_SWAP_IN,            /* pages were read from swap in one request: n, read-ahead included; va */
	VM_EV_SWAP_OUT,           /* pages were written to swap: n */
	VM_EV_SWAP_ZERO,          /* pages full of zeroes went to swap, which notes that instead of a write: n */
	VM_EV_SWAP_RA_HIT,        /* a page that was read ahead is asked for: va */
	VM_EV_FILE_READ,          /* pages of a file were read: n */
	VM_EV_WRITEBACK,          /* dirty pages of a file were written: n */
	VM_EV_RECLAIM,            /* pages were freed: n; cause: 0 in the background, 1 by who needed a frame */
	VM_EV_OOM_KILL,           /* mm was chosen to die: n = its badness (pages: resident, swapped, tables); va: the
				     address whose fault found no frame, of whichever mm */
	VM_EV_COMPACT, /* pages were moved so that a 2M becomes free: n; cause: 1 it did, 0 nothing was found */
	VM_EV_TABLE,   /* a page table was made */
	VM_EV_ENTRIES, /* a call worked on so many entries that map something: n; cause: enum vm_entries; order: theirs */
	VM_EV_NR
};
#define VM_FLUSH_ALL (~0ull)

/* Why a fault happened, as the report's rows name it. One fault has one cause. */
enum vm_fault_cause {
	VM_FAULT_ZERO_READ = 0, /* empty anonymous entry, read: the (huge) zero page */
	VM_FAULT_ZERO_WRITE,    /* empty anonymous entry, write: a zeroed frame */
	VM_FAULT_FILE,          /* empty file entry, from the page cache (first write to a private page too) */
	VM_FAULT_COW_COPY,      /* write to a shared page (or the zero page): copied */
	VM_FAULT_COW_REUSE,     /* write to a read-only entry whose page has one owner: made writable */
	VM_FAULT_STACK,         /* the stack area grew; the page it then needed is part of this fault */
	VM_FAULT_SWAP,          /* swap entry */
	VM_FAULT_SPURIOUS,      /* the entry allows it: a stale translation, or another CPU was first */
	VM_FAULT_MAPERR,        /* no area: SIGSEGV, SEGV_MAPERR */
	VM_FAULT_ACCERR,        /* the area forbids it: SIGSEGV, SEGV_ACCERR */
	VM_FAULT_PKUERR,        /* the thread's PKRU forbids the page's protection key: SIGSEGV, SEGV_PKUERR */
	VM_FAULT_BUS,           /* past the end of a file, or its page could not be read: SIGBUS */
	VM_FAULT_NOMEM,         /* no frame: the OOM killer's case */
	VM_FAULT_NR
};

/* What made entries change that other CPUs may know. */
enum vm_flush_cause {
	VM_FLUSH_BY_UNMAP = 0, /* munmap, mremap, brk, mmap over something; the end of an address space */
	VM_FLUSH_BY_ADVICE,    /* madvise */
	VM_FLUSH_BY_PROTECT,   /* mprotect; locks */
	VM_FLUSH_BY_FORK,      /* the parent becomes read-only */
	VM_FLUSH_BY_FAULT,     /* copy-on-write, a huge page split for it */
	VM_FLUSH_BY_FILE,      /* truncation, a hole, writing back */
	VM_FLUSH_BY_COMPACT,   /* pages that move: compaction, khugepaged, MADV_COLLAPSE */
	VM_FLUSH_BY_RECLAIM,
	VM_FLUSH_BY_NR
};

/* What became of entries, where that is work by the page. */
enum vm_entries {
	VM_ENTRIES_UNMAPPED = 0,
	VM_ENTRIES_LEFT,      /* of these, those whose page stays: others map it, or the page cache has it */
	VM_ENTRIES_PROTECTED, /* other rights */
	VM_ENTRIES_FORKED,    /* copied into a child */
	VM_ENTRIES_NR
};

#define VM_EVF_MAJOR  1u /* waited for I/O */
#define VM_EVF_KERNEL 2u /* taken in kernel mode on a user address (a system call's copy) */
#define VM_EVF_WRITE  4u
#define VM_EVF_INSTR  8u
#define VM_EVF_ZERO   16u /* COW_COPY of the zero page: a cleared page, after a first touch that read */

struct vm_event {
	u8 type;  /* enum vm_event_type */
	u8 cause; /* enum vm_fault_cause of FAULT and POPULATE; SHOOTDOWN's and RECLAIM's own */
	u8 order; /* log2 of 4K frames mapped by it: 0, 9 or 18 */
	u8 flags; /* VM_EVF_* */
	u32 mm;   /* mm_struct's id, 0 if none */
	u64 va;   /* bytes; 0 if none */
	u64 n;    /* as the type says */
};

#endif
