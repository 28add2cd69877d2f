/* SPDX-License-Identifier: MIT
 *
 * mm/mm_types.h - the structures of the OS half. Inside mm/ only; users see mm/vm.h.
 *
 *   struct vm (a machine)
 *     |-- mem_map[pfn]: struct page, 32 bytes a frame        page_alloc.c
 *     |-- mm_struct (an address space) ----- pgd (RAM)       pgtable.c
 *     |     `-- gap_tree of vm_area_struct                   vma.c
 *     |-- address_space (a file's pages)                     filemap.c
 *     `-- vm_cpu[id]: PCIDs, loaded mm                       tlb.c
 */
#ifndef MM_TYPES_H
#define MM_TYPES_H

#include "hw/hw.h"
#include "lib/gap.h"
#include "lib/string.h"
#include "mm/radix.h"
#include "mm/vm.h"

#define LIB_PANIC(text) hw_panic(text)
#include "lib/assert.h"

/* One-member structs: a level cannot be passed for another. */
typedef struct {
	u64 v;
} pgd_t; /* level 4 */
typedef struct {
	u64 v;
} pud_t; /* level 3 */
typedef struct {
	u64 v;
} pmd_t; /* level 2 */
typedef struct {
	u64 v;
} pte_t; /* level 1 */

/* ---- areas ---- */

#define VM_READ               0x1ull
#define VM_WRITE              0x2ull
#define VM_EXEC               0x4ull
#define VM_SHARED             0x8ull
#define VM_MAYREAD            0x10ull
#define VM_MAYWRITE           0x20ull
#define VM_MAYEXEC            0x40ull
#define VM_GROWSDOWN          0x100ull
#define VM_LOCKED             0x2000ull
#define VM_SEQ_READ           0x8000ull  /* MADV_SEQUENTIAL */
#define VM_RAND_READ          0x10000ull /* MADV_RANDOM */
#define VM_DONTCOPY           0x20000ull
#define VM_DONTEXPAND         0x40000ull
#define VM_ACCOUNT            0x100000ull
#define VM_LOCKONFAULT        0x80000ull /* beside VM_LOCKED: pages are not brought in, but stay once they are */
#define VM_NORESERVE          0x200000ull
#define VM_HUGETLB            0x400000ull
#define VM_SYNC               0x800000ull /* MAP_SYNC: of no effect here, but areas with and without it do not merge */
#define VM_WIPEONFORK         0x2000000ull
#define VM_DONTDUMP           0x4000000ull
#define VM_HUGEPAGE           0x20000000ull /* MADV_HUGEPAGE */
#define VM_NOHUGEPAGE         0x40000000ull /* MADV_NOHUGEPAGE */
#define VM_PKEY_SHIFT         32            /* the protection key, 4 bits */
#define VM_PKEY               (0xfull << VM_PKEY_SHIFT)
#define VM_DROPPABLE          (1ull << 40) /* MAP_DROPPABLE: its pages may be forgotten, written or not */

#define VM_LOCKED_MASK        (VM_LOCKED | VM_LOCKONFAULT)

#define STACK_GUARD_GAP       (256 * PAGE_SIZE)
#define TASK_SIZE             0x7ffffffff000ull
#define MMAP_MIN_ADDR         0x10000ull
#define DEFAULT_MAX_MAP_COUNT 65530

struct vm_area_struct {
	union {
		struct gap_node node;
		struct {
			u64 vm_start, vm_end; /* = node.start, node.end; change them with gap_resize() only */
		};
	};
	struct mm_struct *vm_mm;
	u64 vm_flags;
	u32 anon_vma; /* 0: no private page of it was faulted in yet. Else the identity of Linux's anon_vma in this mm
			 (pgoff is fixed from then on); set by anon_vma_prepare() only */
	bool forked;  /* has pages of a parent: Linux's anon_vma chain is not singular, so it merges only with areas of
			 the same anon_vma (rule in vma.c) */
	u64 vm_pgoff; /* pages: offset in the file; anonymous: address >> 12 when mapped */
	u64 swap_ra;  /* swap read-ahead: last address, window and hits, packed by mm/swapin.c */
	struct address_space *vm_file;                    /* NULL: anonymous */
	struct vm_area_struct *i_mmap_next, *i_mmap_prev; /* the file's areas, for its rmap */
};

/* ---- address spaces ---- */

enum mm_counter { MM_FILEPAGES, MM_ANONPAGES, MM_SHMEMPAGES, MM_SWAPENTS, NR_MM_COUNTERS };

struct mm_struct {
	struct vm *vm;
	u32 id;
	s32 mm_users;
	u64 pgd_pfn; /* level-4 table */
	struct gap_tree areas;
	struct vm_area_struct *mmap_cache; /* last hit of vma_find() */
	u64 mmap_base, start_brk, brk, start_stack;
	u64 rlimit[VM_RLIMIT_NR]; /* bytes */
	u64 total_vm, locked_vm;  /* pages of all areas, of those that are VM_LOCKED; kept in vma.c */
	u64 def_flags;            /* what each new area begins with: VM_LOCKED_MASK after mlockall(MCL_FUTURE) */
	u16 pkey_allocation_map;  /* bit k: protection key k is in use; at first 0 is, if the CPU has keys */
	u32 anon_vma_seq;         /* last anon_vma identity given out */
	u64 rss[NR_MM_COUNTERS];  /* pages */
	s32 oom_score_adj;        /* -1000 (never killed) .. 1000 */
	bool oom_victim;          /* killed for want of memory: its faults find none any more */
	u8 thp_disable;           /* what vm_get_thp_disable() says */
	u64 huge_leaves[2];       /* 2M, 1G */
	u64 table_frames;
	u64 peak_rss, peak_table_frames;
	u64 ctx_id;                    /* never reused: what a PCID slot remembers */
	u64 tlb_gen;                   /* grows with every flush of this mm */
	u64 cpumask;                   /* CPUs whose CR3 is (or lazily still is) this mm */
	struct mm_struct *next, *prev; /* the machine's list */
};

/* ---- frames ---- */

enum page_kind {
	PAGE_RESERVED = 0, /* not RAM, or struct vm itself */
	PAGE_FREE,         /* head of a free block of 2^order */
	PAGE_FREE_TAIL,    /* inside a free block */
	PAGE_KERNEL,       /* mm/'s own objects */
	PAGE_TABLE,        /* a page table; _mapcount = its entries in use */
	PAGE_ANON,         /* anonymous memory, head */
	PAGE_FILE,         /* page cache, head */
	PAGE_TAIL,         /* inside a huge page: its head is the frame aligned down to the order */
	PAGE_KIND_NR
};

struct page {
	u8 kind;
	u8 order;
	u16 flags;
	s32 _refcount; /* table and kernel frames: 1. User frames: mappings + page cache + pins */
	s32 _mapcount; /* entries that map this head (a huge leaf counts once); tables: used entries */
	union {
		u32 private; /* anon: its swap slot; tables: level; mm/'s own: objects in use (mm/slab.c) */
		u32 mapping; /* file: address_space's id */
	};
	union {
		u64 rmap;  /* anon: 0, one mapping inline, or a chain: mm/rmap.c draws it */
		u64 index; /* file: page offset, up to 2^51 */
	};
	union {
		struct {
			u32 lru_prev, lru_next; /* pfn links of a head: free lists and LRU lists */
		};
		struct { /* of two tails of an anonymous huge page: mm/rmap.c draws it */
			u32 _entire_mapcount, _nr_pages_mapped;
		};
	};
};
_Static_assert(sizeof(struct page) == 32, "struct page: 32 bytes, one a frame");

/* page->flags, of the frame that an entry names (a tail has its own) */
#define PG_anon_exclusive 1u /* one entry maps it, and no fork shares it: a write may simply be allowed */
#define PG_shmem          2u /* a page of shared anonymous memory: counts as MM_SHMEMPAGES */
#define PG_dirty          4u /* the file, or the swap slot, does not hold what the frame holds */
/* of a block's head: reclaim's marks (lru.h, swap.h) */
#define PG_lru        8u    /* on the list that bits 12..15 name */
#define PG_active     16u   /* lru2: on an active list */
#define PG_referenced 32u   /* lru2: found referenced once */
#define PG_swapcache  64u   /* private names its swap slot */
#define PG_workingset 128u  /* it was active once */
#define PG_readahead  256u  /* brought in ahead, not yet asked for */
#define PG_lazyfree   512u  /* MADV_FREE, and not written since: reclaim may drop it */
#define PG_hugetlb    1024u /* of the pool of MAP_HUGETLB pages */
#define PG_list_shift 12
/* A free block's flags are its enum migrate_type. */

/* ---- files ---- */

#define MAX_LFS_FILESIZE 0x7fffffffffffffffull /* bytes: a file position is a signed 64-bit number */

struct address_space {
	struct vm *vm;
	u32 id;       /* in vm->files, never 0 */
	u32 refcount; /* users and areas */
	u64 size;     /* bytes */
	bool shmem;   /* shared anonymous memory: pages begin as zeroes, and are not cached before their first touch */
	bool pfnmap;  /* the kernel's own pages: vm_file_set_pfnmap() */
	const struct backing_ops *ops;
	void *ctx;
	struct radix pages; /* index -> pfn */
	struct vm_area_struct *i_mmap;
};

/* ---- the machine ---- */

#define MAX_ORDER        18           /* the largest block: 1 GiB */
#define MAX_PFN          (1ull << 32) /* frame numbers, and slot numbers beside SWP_NONE, are kept in 32 bits */
#define NR_CPUS          64
#define TLB_NR_DYN_ASIDS 6

/* What one PCID of one CPU's TLB may hold: translations of this context, right up to this generation. */
struct tlb_context {
	u64 ctx_id, tlb_gen;
};

struct vm_cpu {
	struct vm *vm;
	struct mm_struct *loaded_mm; /* whose tables CR3 names; NULL: the empty tables of vm->init_pgd_pfn */
	bool is_lazy;                /* no user code runs: loaded_mm is only left in place */
	u8 loaded_asid, next_asid;   /* 0 .. TLB_NR_DYN_ASIDS - 1; the PCID is asid + 1 */
	struct tlb_context ctxs[TLB_NR_DYN_ASIDS];
	u16 user_pcid_flush_mask; /* KPTI: bit p = the user PCID of kernel PCID p is flushed before user code runs */
};

enum migrate_type { MIGRATE_MOVABLE, MIGRATE_UNMOVABLE, MIGRATE_TYPES };

struct free_area {
	u32 head[MIGRATE_TYPES]; /* pfn of the first free block, 0 = none (frame 0 is never given out) */
	u64 nr_free;             /* blocks */
};

enum slab_kind { SLAB_MM, SLAB_VMA, SLAB_FILE, SLAB_NODE, SLAB_RMAP, SLAB_NR };

struct slab_cache {
	u32 size;       /* bytes an object */
	u32 partial;    /* pfn of the first frame with room, 0 = none */
	u32 nr_partial; /* frames in that list */
	u64 objects;    /* in use */
};

/* Pages in the order of a replacement policy, newest first, through struct page's lru links (pfns, 0 ends). */
struct lru_list {
	u32 head, tail;
	u64 nr; /* frames */
};
#define LRU_LIST_WRITTEN     8 /* after the policy's own: picked, and written to swap. Next to go */
#define LRU_LIST_UNEVICTABLE 9 /* picked, and locked: no policy sees these until somebody lets go of them */
#define NR_LRU_LISTS         10

enum lru_type { LRU_ANON, LRU_FILE, NR_LRU_TYPES };
enum zone_watermark { WMARK_MIN, WMARK_LOW, WMARK_HIGH, NR_WMARK };

/* What reclaim remembers: mm/vmscan.c, lru.c, and the policies, each its own. */
struct vm_reclaim {
	const struct reclaim_policy *policy;
	u64 wmark[NR_WMARK]; /* frames */
	bool memalloc;       /* reclaim runs: it may use the frames below WMARK_MIN */
	u8 failures;         /* background runs in a row that freed nothing */
	struct lru_list list[NR_LRU_LISTS];
	u64 nr[NR_LRU_TYPES];   /* frames on lists, but for LRU_LIST_UNEVICTABLE */
	u32 evictions;          /* pages that went: the clock of shadows */
	u64 cost[NR_LRU_TYPES]; /* lru2: which type pays */
	s64 share[NR_LRU_TYPES];
	u64 max_seq, min_seq[NR_LRU_TYPES];                       /* mglru: generations */
	u64 refaulted[NR_LRU_TYPES], evicted[NR_LRU_TYPES];       /* mglru: since the oldest generation became so */
	u64 avg_refaulted[NR_LRU_TYPES], avg_total[NR_LRU_TYPES]; /* and of those before */
	u64 rng;                                                  /* random */
};

/* Where compaction's scanners stand, and how often it has failed: mm/compaction.c. */
struct vm_compact {
	u64 migrate_pfn, free_pfn; /* of 2M; free_pfn 0: they have not begun */
	u32 considered, defer_shift;
};

/* Where khugepaged is: mm/khugepaged.c. */
struct vm_khugepaged_scan {
	struct vm_khugepaged knobs;
	u64 address; /* in the address space mm_id: what it looks at next */
	u64 slept_us;
	u32 mm_id, sleep_ms;
};

/* The swap device: mm/swap.h. */
struct vm_swap {
	struct swap_slot *map; /* [slots] */
	u16 *cluster_taken;
	u64 slots, used, idle; /* idle: used, and without owners */
	u64 peak_used, next;
	u64 reached;                     /* no slot from here on was ever taken: the map is untouched there */
	u64 reads;                       /* pages read for the request that is being made */
	u64 ra_hits, ra_window, ra_slot; /* read-ahead by slots */
};

/* Who changed an entry last: kept for whoever finds a TLB that still goes by it. */
struct pt_change {
	u64 key; /* first address | level; 0: none */
	u64 nr;  /* of the machine's changes, from 1 */
	const char *who;
	u32 mm;
};
#define PT_CHANGES 512

struct vm {
	struct hw_machine *hw;
	struct vm_config cfg;
	struct vm_variant variant;
	u8 *ram;    /* phys_to_virt(pa) = ram + pa */
	u64 nx;     /* X86_PTE_NX where the CPU has it, else 0 */
	u64 global; /* X86_PTE_G likewise */
	bool pcid, invpcid, gbpages, kpti, pku;
	struct page *mem_map; /* [max_pfn] */
	u64 max_pfn, total_frames;
	u64 own_start, own_end;        /* pfns: struct vm, mem_map and the swap map lie here */
	u64 kind_frames[PAGE_KIND_NR]; /* frames by kind of their block's head */
	u64 file_mapped;               /* frames of the page cache that some process maps */
	u64 partly_unmapped;           /* frames that nobody maps, of anonymous huge pages of which others are mapped */
	struct radix holds;            /* by frame: how often it is held (mm/pin.c) */
	u64 nr_holds;                  /* frames there */
	u64 lazyfree;                  /* pages with PG_lazyfree */
	struct free_area free_area[MAX_ORDER + 1];
	struct slab_cache slab[SLAB_NR];
	u64 zero_pfn, huge_zero_pfn; /* huge: 0 until first used */
	u64 init_pgd_pfn;            /* the empty address space: the kernel half alone */
	u64 trampoline_pfn;          /* the kernel's page that user roots show, pti.c */
	struct mm_struct *mm_list;
	struct radix mms, files; /* id -> mm_struct, address_space */
	u32 last_mm_id, last_file_id;
	u64 last_ctx_id;
	u64 fail_alloc_after; /* tests: this many allocations succeed, the next one fails once; ~0 = never */
	struct vm_reclaim reclaim;
	struct pt_change change[PT_CHANGES]; /* by key: a later one takes the place of another */
	u64 nr_changes;
	struct vm_swap swap;
	struct vm_sysctl sysctl;
	struct vm_khugepaged_scan khugepaged;
	struct vm_compact compact;
	struct {
		u32 head;     /* pfn, 0 ends: mm/hugetlb.c */
		u64 nr, free; /* 2M pages set aside; of these nobody's */
	} hugetlb;
	struct vm_cpu cpu[NR_CPUS];
};

#endif
