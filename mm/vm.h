/* SPDX-License-Identifier: MIT
 *
 * mm/vm.h - what the OS half offers. Everything a computer (sim/, kernel/, an embedder) calls.
 *
 * Conventions: addresses and lengths are bytes unless a name says pfn, pages or pgoff; ranges are half-open;
 * a function that returns long returns an address or count, or a negative errno as Linux's system call gives it
 * for the same mistake. Pointers are never NULL unless said.
 * Locks: one lock a machine, held by the caller around every call (single-threaded machines need none).
 */
#ifndef MM_VM_H
#define MM_VM_H

#include "lib/errno.h"
#include "lib/types.h"
#include "mm/event.h"
#include "x86/paging.h"

struct hw_machine;
struct hw_cpu;
struct tlb_flush;
struct vm;             /* the OS half's part of one machine */
struct mm_struct;      /* an address space */
struct vm_area_struct; /* a range of it with one set of rights */
struct address_space;  /* a file's pages in the page cache */

/* ---- the machine ---- */

enum vm_thp { VM_THP_NEVER, VM_THP_MADVISE, VM_THP_ALWAYS }; /* sysfs transparent_hugepage/enabled */

/* sysfs transparent_hugepage/defrag: whose fault compacts memory when no huge page is free. Linux's default is madvise:
 * areas with MADV_HUGEPAGE. */
enum vm_thp_defrag { VM_DEFRAG_MADVISE, VM_DEFRAG_ALWAYS, VM_DEFRAG_NEVER };

enum vm_reclaim_policy {
	VM_RECLAIM_LRU2,  /* Linux's active and inactive lists */
	VM_RECLAIM_MGLRU, /* Linux's generations (CONFIG_LRU_GEN) */
	VM_RECLAIM_CLOCK, /* one list, second chance */
	VM_RECLAIM_FIFO,
	VM_RECLAIM_RANDOM,
	VM_RECLAIM_NR
};
/* sysctl vm.overcommit_memory 1, 0, 2 (mm/util.c). Whoever simulates what another kernel has granted already needs the
 * first. */
enum vm_overcommit { VM_OVERCOMMIT_ALWAYS, VM_OVERCOMMIT_GUESS, VM_OVERCOMMIT_NEVER };

/* sysfs transparent_hugepage/khugepaged. Entries are those of one 2M: of 512. */
struct vm_khugepaged {
	u32 pages_to_scan; /* a turn; 512 for each 2M */
	u32 scan_sleep_ms, alloc_sleep_ms;
	u32 max_ptes_none, max_ptes_swap, max_ptes_shared;
};
extern const struct vm_khugepaged vm_khugepaged_defaults; /* Linux's */

/* Where one Linux differs from another, and a program can tell: with version, parameter or backport. */
struct vm_variant {
	bool zero_page; /* a read of untouched memory maps the zero page; else a page of its own (s390 with guests) */
	bool merge_unfaulted;     /* a touched area that becomes like an untouched neighbour merges with it (6.16) */
	bool map_joins_prev;      /* a map between two areas that do not go together joins the lower (after 6.1) */
	bool place_2m;            /* anonymous maps of whole 2M are placed at multiples of 2M (6.7) */
	bool place_2m_top;        /* and of a hole with room to spare and a top at such a multiple, at the top (6.8) */
	bool huge_zero_write;     /* a write to the huge zero page gives a huge page, not a small one (6.13) */
	bool stack_nohuge;        /* MAP_STACK memory gets no huge pages, and so is an area of its own (6.7) */
	bool untouched_uncharged; /* what mprotect makes read-only untouched is promised no longer (6.7) */
	bool populate_stops;      /* MADV_POPULATE_READ and _WRITE end at the first hole (after 6.1) */
	bool swapin_writable;     /* a read that brings back a page of its owner alone leaves it writable (after 6.1) */
	bool zeromap;             /* swap notes that a page is full of zeroes, and neither writes nor reads it (6.12) */
};
extern const struct vm_variant vm_variant_newest; /* all true */

/* sysctl vm.swappiness and vm.page-cluster. */
struct vm_sysctl {
	u8 swappiness;   /* 0 .. 200: 100 = bringing an anonymous page back costs as much as reading a file's */
	u8 page_cluster; /* at most 2^this pages of swap are read at once; at most 2 with less than 16 MiB of RAM */
};
extern const struct vm_sysctl vm_sysctl_defaults; /* Linux's */

struct vm_config {
	void *ram_base; /* host address of physical address 0: phys_to_virt(pa) = ram_base + pa */
	enum vm_thp thp;
	enum vm_thp_defrag thp_defrag;
	u8 anon_order; /* 0; or 9 / 18: anonymous memory comes from huge pages of that size wherever an area holds
			  an aligned one (machines `2m` and `1g`); independent of thp */
	const struct vm_khugepaged *khugepaged; /* NULL: it does not run. It runs in vm_tick() */
	u64 nr_hugepages;                       /* 2M pages set aside for MAP_HUGETLB; 0: no pool (mm/hugetlb.c) */
	u16 fragmentation;   /* per mille of free memory that lies in blocks under 2M at boot (mm/fragment.c) */
	bool pagecache_cold; /* the first touch of a file page counts as major and reads it */
	bool pcid;           /* use PCIDs where the CPU has them */
	bool kpti;           /* page-table isolation: user code runs on a root without the kernel (mm/pti.c) */
	u8 check;            /* check level 0..3, lib/assert.h */
	u32 max_map_count;   /* areas a process may have; 0 = Linux's 65530 */
	enum vm_reclaim_policy reclaim;     /* which page goes when RAM is short */
	u64 swap_slots;                     /* pages that the swap device holds, 0: no swap */
	const struct backing_ops *swap_ops; /* index = slot. NULL: a device without contents, which never fails */
	void *swap_ctx;
	bool swap_rotational;           /* a disk that seeks: read ahead by slots, not by addresses */
	bool swap_synchronous;          /* zram, a RAM disk (Linux: SWP_SYNCHRONOUS_IO): a page is written when the call
					   returns, so it goes at once, and comes back alone (mm/swap.c) */
	const struct vm_sysctl *sysctl; /* NULL: Linux's defaults */
	bool swap_checksum;             /* frames have contents: a page that comes back changed is an I/O error */
	enum vm_overcommit overcommit;
	const struct vm_variant *variant; /* which Linux it is; NULL: vm_variant_newest */
	bool ram_dirty; /* RAM may hold old bytes: vm_init clears the page array. false: fresh RAM reads as zero, and
			   vm_init touches a few frames of it only */
};

/* Builds a machine's memory: takes its RAM through hw_ram(), carves struct vm and the page array out of it.
 * Returns the machine, or NULL when the RAM is too small (under 4 MiB), ends beyond 16 TiB, or swap has 2^32 slots. */
struct vm *vm_init(struct hw_machine *m, const struct vm_config *cfg);

/* Recomputes every derived fact from scratch and compares (numbered invariants, mm/check.c).
 * Returns true, or calls hw_panic with the invariant's number. Cost: O(all memory). */
bool vm_check(struct vm *vm);

struct vm_meminfo {
	u64 total_frames, free_frames, table_frames, anon_frames, file_frames, kernel_frames;
	u64 file_mapped;     /* of file_frames, those that some process maps */
	u64 partly_unmapped; /* of anon_frames, those that nobody maps, in huge pages of which others are mapped */
	u64 lazyfree; /* of anon_frames, those that MADV_FREE gave up; which of them were rewritten only entries know */
	u64 free_blocks[19]; /* by order 0..18 */
	u64 swap_slots, swap_used, swap_peak;
};
void vm_meminfo(struct vm *vm, struct vm_meminfo *out);

/* Those of meminfo's lazyfree that were not rewritten since: smaps' LazyFree, of all processes. O(user memory). */
u64 vm_lazyfree_pages(struct vm *vm);

/* A machine's timer calls this: us, the time since the last call. Background reclaim (Linux: kswapd) and khugepaged
 * take their turns. Reclaim does without: a fault or call that finds little free memory takes its turn by itself. */
void vm_tick(struct vm *vm, u64 us);

/* Frees up to so many frames, as if they were needed (Linux: writing to memory.reclaim). Returns the number freed. */
u64 vm_reclaim(struct vm *vm, struct hw_cpu *cpu, u64 pages);

/* ---- files (page cache) ---- */

/* How a file's or device's pages are read and written; NULL ops = pages without contents.
 * read_page, write_page: pfn of the frame, index in pages. Return 0 or -EIO. zero_filled, of a swap device: does the
 * frame hold zeroes alone? NULL: nobody can tell. */
struct backing_ops {
	int (*read_page)(void *ctx, u64 index, u64 pfn);
	int (*write_page)(void *ctx, u64 index, u64 pfn);
	bool (*zero_filled)(void *ctx, u64 pfn);
	void (*release)(void *ctx);
};
/* size in bytes, below 2^63 (it may change: vm_file_resize). order: the folio order that the page cache holds the file in
 * (0 = single pages): a fault maps up to the fault-around window. Returns NULL on -ENOMEM. Reference count 1. */
struct address_space *vm_file_create(struct vm *vm, u64 size, const struct backing_ops *ops, void *ctx);
/* The file behind a shared anonymous map, a memfd, /dev/shm: its pages begin as zeroes, each at its first touch. */
struct address_space *shmem_file_create(struct vm *vm, u64 bytes);
/* It stands for pages of the kernel's own that a program may map (VM_PFNMAP; [vvar]): a fault maps one, and a fork copies
 * the entries that are there. */
void vm_file_set_pfnmap(struct address_space *f);
void vm_file_get(struct address_space *f);
void vm_file_put(struct address_space *f);
void vm_file_resize(struct address_space *f, u64 size);
/* A hole of the whole pages in [start, start + len), bytes: they are freed, here and in swap, and read as zeroes from
 * now on (fallocate's FALLOC_FL_PUNCH_HOLE, MADV_REMOVE). Private copies stay. */
void vm_file_punch(struct address_space *f, u64 start, u64 len);

/* ---- address spaces ---- */

struct mm_struct *mm_create(struct vm *vm); /* empty, one user; NULL on -ENOMEM */
void mm_get(struct mm_struct *mm);          /* one more user (a thread) */
void mm_put(struct mm_struct *mm);          /* the last user's put tears it down (exit_mmap) */
u32 mm_id(const struct mm_struct *mm);      /* small, unique among the living, never 0 */
/* fork: a copy of parent, copy-on-write. Returns 0 and *child, or -ENOMEM with nothing changed.
 * TLB: flushes the parent on every CPU that runs it before it returns. */
int mm_fork(struct hw_cpu *cpu, struct mm_struct *parent, struct mm_struct **child);

/* /proc/PID/oom_score_adj: -1000 (never killed) .. 1000. */
void vm_set_oom_score_adj(struct mm_struct *mm, int adj);

/* getrlimit(2)'s limits on memory, in bytes; VM_RLIM_INFINITY: none. A new address space has none but the stack's 8M; a
 * child has its parent's. Who may lock as much as he likes (CAP_IPC_LOCK) has no MEMLOCK. */
enum vm_rlimit {
	VM_RLIMIT_AS,      /* of all areas: -ENOMEM */
	VM_RLIMIT_DATA,    /* of private writable areas but stacks: -ENOMEM */
	VM_RLIMIT_STACK,   /* that a stack may grow to: SIGSEGV */
	VM_RLIMIT_MEMLOCK, /* of locked areas: -EPERM when it is 0, -ENOMEM from mlock, -EAGAIN from other calls */
	VM_RLIMIT_NR
};
#define VM_RLIM_INFINITY (~0ull)
void vm_set_rlimit(struct mm_struct *mm, enum vm_rlimit which, u64 bytes);

/* prctl(PR_SET_THP_DISABLE, disable, flags): no new transparent huge pages for this process and its children; with
 * VM_THP_EXCEPT_ADVISED (PR_THP_DISABLE_EXCEPT_ADVISED, Linux 6.18) but where MADV_HUGEPAGE or MADV_COLLAPSE asks for
 * them. Returns 0 or -EINVAL (unknown flags, or flags with disable 0). vm_get_thp_disable: PR_GET_THP_DISABLE's answer:
 * 0, 1, or 1 | VM_THP_EXCEPT_ADVISED. */
#define VM_THP_EXCEPT_ADVISED 2
long vm_set_thp_disable(struct mm_struct *mm, u64 disable, u64 flags);
long vm_get_thp_disable(const struct mm_struct *mm);

/* prot, flags, advice: Linux's values (a host's <sys/mman.h>, included before, has them all). */
#ifndef PROT_READ
#define PROT_READ           1
#define PROT_WRITE          2
#define PROT_EXEC           4
#define MAP_SHARED          0x01
#define MAP_PRIVATE         0x02
#define MAP_FIXED           0x10
#define MAP_ANONYMOUS       0x20
#define MAP_GROWSDOWN       0x100
#define MAP_LOCKED          0x2000
#define MAP_NORESERVE       0x4000
#define MAP_POPULATE        0x8000
#define MAP_STACK           0x20000
#define MAP_HUGETLB         0x40000
#define MAP_FIXED_NOREPLACE 0x100000
#define MREMAP_MAYMOVE      1
#define MREMAP_FIXED        2
#define MREMAP_DONTUNMAP    4
#define MLOCK_ONFAULT       1
#define MS_ASYNC            1
#define MS_INVALIDATE       2
#define MS_SYNC             4
#define MCL_CURRENT         1
#define MCL_FUTURE          2
#define MCL_ONFAULT         4
#endif

/* file: NULL for anonymous memory. pgoff: pages. Returns the address or -errno.
 * MAP_POPULATE faults the range in (VM_EV_POPULATE events). */
long vm_mmap(struct hw_cpu *cpu, struct mm_struct *mm, u64 addr, u64 len, unsigned prot, unsigned flags,
	     struct address_space *file, u64 pgoff);
long vm_munmap(struct hw_cpu *cpu, struct mm_struct *mm, u64 addr, u64 len);
long vm_mprotect(struct hw_cpu *cpu, struct mm_struct *mm, u64 addr, u64 len, unsigned prot);
/* pkey_mprotect: a key of vm_pkey_alloc()'s, or -1: as mprotect. pkey_alloc: the key, -EINVAL (flags, rights), -ENOSPC
 * (none left, or the CPU has none); access_rights: PKEY_DISABLE_ACCESS 1, PKEY_DISABLE_WRITE 2: the caller puts them
 * into PKRU. pkey_free: -EINVAL when it is not in use. */
long vm_pkey_mprotect(struct hw_cpu *cpu, struct mm_struct *mm, u64 addr, u64 len, unsigned prot, int pkey);
long vm_pkey_alloc(struct mm_struct *mm, unsigned flags, unsigned access_rights);
long vm_pkey_free(struct mm_struct *mm, int pkey);
long vm_mremap(struct hw_cpu *cpu, struct mm_struct *mm, u64 addr, u64 old_len, u64 new_len, unsigned flags,
	       u64 new_addr);
/* Linux's brk: returns the new break, or the old one when it cannot move. vm_set_brk places the heap's start. */
long vm_brk(struct hw_cpu *cpu, struct mm_struct *mm, u64 brk);
void vm_set_brk(struct mm_struct *mm, u64 start_brk);
long vm_madvise(struct hw_cpu *cpu, struct mm_struct *mm, u64 addr, u64 len, int advice);
/* Locked memory is not reclaimed. mlock brings [addr, addr + len) in besides (VM_EV_POPULATE), unless flags is
 * MLOCK_ONFAULT; addr and len are rounded outwards to pages. Returns 0, or -ENOMEM (a hole, a page that cannot be
 * brought in, the limit, too many areas), -EPERM (the limit is 0), -EAGAIN (no frame), -EINVAL.
 * mlockall: flags are MCL_*. */
long vm_mlock(struct hw_cpu *cpu, struct mm_struct *mm, u64 addr, u64 len, unsigned flags);
long vm_munlock(struct hw_cpu *cpu, struct mm_struct *mm, u64 addr, u64 len);
long vm_mlockall(struct hw_cpu *cpu, struct mm_struct *mm, unsigned flags);
long vm_munlockall(struct hw_cpu *cpu, struct mm_struct *mm);
/* vec: a byte for each page of [addr, addr + len), 1 = it is in memory. Returns 0, -EINVAL or -ENOMEM (a hole: vec is
 * right up to it). */
long vm_mincore(struct mm_struct *mm, u64 addr, u64 len, u8 *vec);
/* flags: MS_*. Returns 0, -EINVAL, -ENOMEM (a hole), -EBUSY (MS_INVALIDATE of locked memory) or -EIO: what could not be
 * written stays dirty.
 * TLB: with MS_SYNC the entries of what is written are flushed, wherever they are, before it is written. */
long vm_msync(struct hw_cpu *cpu, struct mm_struct *mm, u64 addr, u64 len, unsigned flags);
/* The initial stack as exec makes it: [top - size, top), VM_GROWSDOWN, may grow to rlimit bytes. Returns 0/-errno. */
int vm_stack(struct hw_cpu *cpu, struct mm_struct *mm, u64 top, u64 size, u64 rlimit);
/* Top of the top-down search for addresses (mm->mmap_base). Default 0x7ffff7fff000 (no randomisation, 8M stack). */
void vm_set_mmap_base(struct mm_struct *mm, u64 base);

/* One area, for listings. vm_area_next: the first area with vm_end > va. Returns false after the last. */
struct vm_area_info {
	u64 start, end, pgoff;
	unsigned prot;
	bool shared, growsdown, heap, stack, locked;
	struct address_space *file;
	u64 rss_pages;
};
bool vm_area_next(struct mm_struct *mm, u64 va, struct vm_area_info *out);

struct vm_stat {
	u64 anon_pages, file_pages, shmem_pages; /* resident, 4K pages */
	u64 huge_pages[2];                       /* 2M, 1G leaves now */
	u64 table_bytes;                         /* page tables, the pgd included */
	u64 peak_rss_pages, peak_table_bytes;
	u64 swap_pages; /* in swap, by this process's entries */
	u64 total_vm_pages, locked_pages;
	u32 map_count;
};
void mm_stat(const struct mm_struct *mm, struct vm_stat *out);

/* ---- running ---- */

/* The CPU will run mm next (NULL: none, lazy). Loads CR3; with PCIDs keeps what is still right. */
void vm_switch(struct hw_cpu *cpu, struct mm_struct *mm);

/* What the entry code does to CR3 (SWITCH_TO_KERNEL_CR3 and SWITCH_TO_USER_CR3); without KPTI nothing. Every call of
 * this header but these two is made on the kernel's tables, every access of user code on the user's.
 * vm_enter_kernel returns true when it switched: the CPU was in user mode, and whoever entered leaves again. False in
 * kernel mode (an interrupt that meets the kernel), where nothing is done. */
bool vm_enter_kernel(struct hw_cpu *cpu);
void vm_exit_to_user(struct hw_cpu *cpu);

/* The kernel half, one mapping of each sort that Linux has: what a model of kernel entries can touch (mm/pti.c). */
#define VM_KERNEL_DIRECT 0xffff888000000000ull /* data: 4M, in 2M leaves */
#define VM_KERNEL_STACK  0xffffc900001cb000ull /* data: 4K; somewhere in vmalloc, so that not all share a TLB set */
#define VM_KERNEL_ENTRY  0xfffffe0000000000ull /* code and data, read only: 4K. Mapped for user roots too */
#define VM_KERNEL_TEXT   0xffffffff81000000ull /* code: 2M */

/* Somebody other than the process refers to the page at va: a pipe (GET: vmsplice), a device (PIN: direct I/O, registered
 * buffers). It is faulted in first, for writing if `write` (VM_EV_POPULATE events). *pfn: what to release; 0: it is no
 * anonymous page, and not held. Returns 0, -EFAULT or -ENOMEM. vm_release: lets it go; it may outlive the process. */
enum vm_hold { VM_HOLD_GET, VM_HOLD_PIN };
int vm_hold(struct hw_cpu *cpu, struct mm_struct *mm, u64 va, enum vm_hold how, bool write, u64 *pfn);
void vm_release(struct vm *vm, u64 pfn, enum vm_hold how);

/* #PF on a user address. va = CR2; error_code: X86_PF_*. X86_PF_USER clear = the kernel touched user memory.
 * Returns 0: retry the access; else the cause that ends it: VM_FAULT_MAPERR, _ACCERR, _PKUERR, _BUS, _NOMEM.
 * _NOMEM: the process must end; the OOM killer chose it (VM_EV_OOM_KILL told so, and its memory is gone), or found
 * nobody that it may kill. Any other process that it chose is told of by the event alone, and must be ended too. */
int vm_fault(struct hw_cpu *cpu, struct mm_struct *mm, u64 va, unsigned error_code);

/* hw_shootdown's up-call: carry out req on this CPU. */
void vm_shootdown(struct hw_cpu *cpu, const struct tlb_flush *req);

/* A TLB of this CPU goes by an entry of va that is not so any more: the function of mm/ that changed it last, and the
 * number of that change among the machine's; NULL when that is forgotten. For the message that ends the machine. */
const char *vm_last_change(struct hw_cpu *cpu, u64 va, u64 *nr);

/* The entry that translates va now, for displays and tests: its level (1..4, 0 = none present on the way, then
 * *level_of_hole says where) and raw bits. Does not touch A or D. */
unsigned vm_lookup(struct mm_struct *mm, u64 va, u64 *entry);
/* What a level-1 entry that is not present says: true and the swap slot that holds its page, or false. */
bool vm_entry_swap_slot(u64 entry, u64 *slot);
/* Or that nobody may touch the page (MADV_GUARD_INSTALL). */
bool vm_entry_guard(u64 entry);

/* Resident huge memory that was never touched, in 4K pages, is the business of whoever sees the accesses (sim/). */

#endif
