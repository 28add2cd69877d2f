/* SPDX-License-Identifier: MIT
 *
 * mmu/mmu.h - the MMU half: one logical CPU's paging hardware, bit for bit. Knows bytes of RAM and control registers;
 * nothing of areas, files or processes.
 *
 *   va --> L1 TLB (I or D) --> L2 TLB --> paging-structure caches --> walk in RAM --> pa, or #PF / #GP
 *
 * No global state: every call carries its CPU. No libc beyond memcpy and memset; a CPU lies in memory that the
 * embedder gives (mmu_cpu_bytes, mmu_cpu_init), so that the same code runs anywhere.
 */
#ifndef MMU_MMU_H
#define MMU_MMU_H

#include "lib/types.h"
#include "x86/paging.h"

/* ---- geometry: data, not code ---- */

enum mmu_size { MMU_4K = 0, MMU_2M = 1, MMU_1G = 2, MMU_NSIZES = 3 };
enum mmu_replace { MMU_LRU, MMU_TREE_PLRU, MMU_RANDOM, MMU_FIFO };
enum mmu_index { MMU_INDEX_LINEAR, MMU_INDEX_XOR }; /* low VPN bits; or low XOR next bits (Skylake's STLB, XOR-7) */

/* One physical array of entries. A TLB level is a list of arrays; a page size lives in every array whose bit is set. */
struct tlb_array_config {
	u8 sizes; /* bit n: holds enum mmu_size n */
	u8 replace, index;
	u16 sets, ways;     /* sets: a power of two; fully associative = 1 set */
	const char *source; /* where the figure comes from */
};
#define MMU_MAX_ARRAYS 4
struct tlb_level_config {
	struct tlb_array_config array[MMU_MAX_ARRAYS]; /* ends at the first with ways == 0; L1: some hold 4K */
};
struct psc_config {
	u16 entries[6]; /* [level] = entries of the cache of level-`level` entries: [4] PML4E, [3] PDPTE, [2] PDE; 0 =
			   none */
	const char *source;
};
/* The data caches that page tables lie in, of a server of this kind. L2: of a core; L3: what a core can fill, and how many
 * cores can. */
struct cache_config {
	u32 l2_bytes, l3_bytes, l3_cores;
	const char *source;
};
struct cpu_preset {
	const char *name, *title;
	struct tlb_level_config l1i, l1d, l2; /* l2 is unified unless l2i is given */
	struct tlb_level_config l2i;
	struct psc_config psc;
	struct cache_config cache;
	bool gbpages_smashed; /* 1G leaves are cached as 2M entries (Zen 2) */
	bool pcid;
};
/* zen3, zen2, zen4, zen5, skylake, icelake, goldencove; NULL-terminated by name == NULL. */
extern const struct cpu_preset cpu_presets[];
const struct cpu_preset *cpu_preset_find(const char *name);
/* How many pages of one set of an L1 array the recency window (below) may hold and be exact. */
unsigned mmu_window_ways(const struct tlb_array_config *a);

/* ---- a CPU ---- */

struct mmu_cpu;

struct mmu_config {
	const struct cpu_preset *preset;
	u8 *ram;       /* host address of physical 0 */
	u64 ram_bytes; /* entries beyond it read as all ones */
	u8 phys_bits;  /* MAXPHYADDR, 12..52: bits above are reserved in entries */
	bool gbpages;  /* CPUID: 1G leaves exist; PS in a PDPTE is reserved otherwise */
	void *lines;   /* zeroes, mmu_lines_bytes() of them: count from where walks read; NULL: do not */
	/* A guest whose memory the host backs with pages of enum mmu_size host_page - 1; 0: bare metal. A TLB entry of
	 * a guest joins both translations, so it covers the smaller of both pages (SDM 29.4.2). Where the host's tables
	 * lie that walks read, too, is counted (mmu/nested.c). */
	u8 host_page;
	u8 oracle; /* 1: on each hit walk again and compare (the TLB oracle) */
	/* Oracle only: is a flush pending that will cover va of this PCID? NULL: never. */
	bool (*flush_pending)(void *ctx, unsigned pcid, u64 va);
	/* "stale entry used: ..." for an access to va. Must not return. */
	void (*oracle_fail)(void *ctx, u64 va, const char *text);
	void *ctx;
};

u64 mmu_cpu_bytes(const struct mmu_config *cfg); /* memory to give mmu_cpu_init, 64-byte aligned */
/* Memory for mmu_config.lines; of it a page for each table that walks read is touched, with host_page perhaps all. */
u64 mmu_lines_bytes(const struct cpu_preset *p);
/* A CPU as after reset: all registers 0, paging off, caches empty. */
void mmu_cpu_init(struct mmu_cpu *cpu, const struct mmu_config *cfg);

/* Loads of registers, with their invalidations as the manual says (SDM 4.10.4). Return 0, or -1 = #GP: nothing was
 * changed. To 64-bit mode: EFER.LME, CR4.PAE, CR3, then CR0.PG with PE; PCIDE comes after. */
int mmu_write_cr0(struct mmu_cpu *cpu, u64 v);
int mmu_write_cr3(struct mmu_cpu *cpu, u64 v);
int mmu_write_cr4(struct mmu_cpu *cpu, u64 v);
int mmu_write_efer(struct mmu_cpu *cpu, u64 v);
void mmu_write_pkru(struct mmu_cpu *cpu, u32 v);
u64 mmu_read_cr3(const struct mmu_cpu *cpu);
void mmu_invlpg(struct mmu_cpu *cpu, u64 va);
int mmu_invpcid(struct mmu_cpu *cpu, unsigned type, unsigned pcid, u64 va); /* 0, -1 = #GP */

/* ---- an access ---- */

enum mmu_access {
	MMU_READ = 0,
	MMU_WRITE = 1,
	MMU_FETCH = 2,
	MMU_KIND = 3,
	MMU_USER = 4, /* CPL 3; clear = supervisor */
	MMU_AC = 8,   /* RFLAGS.AC, for SMAP */
};

enum mmu_outcome {
	MMU_OK = 0,
	MMU_PF, /* error_code is #PF's; CR2 = va */
	MMU_GP, /* non-canonical */
};

struct mmu_result {
	u64 pa;         /* bytes, when OK */
	u32 error_code; /* when MMU_PF */
	u8 outcome;     /* enum mmu_outcome */
	u8 size;        /* enum mmu_size of the translation */
	u8 level_hit;   /* 1 = L1 TLB, 2 = L2 TLB, 0 = walked */
	u8 steps;       /* entries read from RAM by the walk, 0..5 */
	u8 stop_level;  /* level of the entry that ended the walk */
};

/* One access at va, `access` = kind | MMU_USER | MMU_AC, all of it within one page. Looks up, walks, checks rights,
 * sets A and D in RAM with compare-exchange, fills the TLBs, counts. A fault fills nothing and leaves A/D untouched.
 *
 * Recency window (trace/event.h): slot >= 0 says that this access enters slot `slot` of the producer's window of the pages
 * used most recently (data: slots 0..63, fetches: 64..127). Whatever page was in the slot has left: its L1 entry gets its
 * place in the recency order now (it was used more recently than all that left before). While a page is in a slot its L1
 * entry is held: it is never the victim as long as its set holds one that is not held. slot < 0: an ordinary access. A
 * flush drops held entries too; the slot is empty then and the next access of that page is an ordinary miss.
 *
 * A filtered stream counts exactly what the whole stream does where of each set of each L1 array the window holds at
 * most mmu_window_ways() pages (docs/decisions/0003-window.md, test/mmu/window.c). With more, misses between pages of
 * the window that share a set stay unseen. */
enum { MMU_WINDOW_DATA = 64, MMU_WINDOW_FETCH = 64, MMU_WINDOW_SMALL = 16 };
int mmu_access(struct mmu_cpu *cpu, u64 va, unsigned access, int slot, struct mmu_result *r);
/* An access to va comes soon, and will walk, perhaps: what that reads is brought into the caches of the computer that this
 * runs on. Nothing else changes. */
void mmu_expect(const struct mmu_cpu *cpu, u64 va);
/* The page in the slot has left, and none enters. */
void mmu_window_leave(struct mmu_cpu *cpu, unsigned slot);
/* All slots are vacated, in the order in which they were entered (a thread switch). */
void mmu_window_flush(struct mmu_cpu *cpu);

/* From now on as many lines of data at most come into the caches with a walk as there were accesses for each of so many walks,
 * or for one if there were none: 1..64. */
void mmu_data_lines(struct mmu_cpu *cpu, u64 accesses, u64 walks);

/* The pure walk, no caches, no A/D, no counters: for explain, tests, the oracle. entries[level] = raw entry read. */
int mmu_walk(const struct mmu_cpu *cpu, u64 va, unsigned access, struct mmu_result *r, u64 entries[6]);

/* ---- counters: one struct, plain numbers ---- */

/* Where an entry lay that a walk read (mmu/lines.h): the nearest that can be, and the farthest. L2: or L1. */
enum mmu_place { MMU_L2, MMU_L3, MMU_MEMORY, MMU_NPLACES };
enum { MMU_NEAREST, MMU_FARTHEST };

struct mmu_counters {
	u64 lookups[2]; /* [0] data, [1] fetch: accesses that reached this CPU (filtered stream: events) */
	u64 l1_miss[2]; /* data, fetch */
	u64 l2_miss[2]; /* = walks begun */
	u64 walks[2];   /* completed walks (a faulting one counts in walk_faults) */
	u64 walk_faults[2];
	/* Walks begun on a TLB hit: to set D, or because the entry's rights refuse (hardware looks again before it
	 * faults). Not misses, but they read and cost as walks do: l2_miss + rewalks = walks + walk_faults. */
	u64 rewalks[2];
	u64 walk_steps[6];             /* entries read: [0] all, [1..5] by their level */
	u64 read_from[MMU_NPLACES][2]; /* the same by where they lay, with mmu_config.lines */
	/* Guest-physical addresses that walks came to, entries of the host's tables that they read for those, and where these
	 * lay: with mmu_config.host_page and .lines. */
	u64 host_walks, host_steps, host_read_from[MMU_NPLACES][2];
	u64 invlpg, invpcid, cr3_loads, cr3_flushes, entries_flushed;
	u64 fills[MMU_NSIZES]; /* L1 fills by page size of the entry */
};
const struct mmu_counters *mmu_counters(const struct mmu_cpu *cpu);

#endif
