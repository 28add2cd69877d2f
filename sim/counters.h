/* SPDX-License-Identifier: MIT
 *
 * sim/counters.h - everything that a run knows at its end. report/ turns it into text, JSON and advice; it computes
 * ratios but counts nothing itself.
 */
#ifndef SIM_COUNTERS_H
#define SIM_COUNTERS_H

#include "mm/event.h"
#include "mmu/mmu.h"

/* What the program did: the same for every machine of a run. */
struct sim_program {
	u64 instructions, data_accesses, fetch_page_changes;
	u64 syscalls;
	u64 events;              /* window events that reached the machines */
	u32 processes, threads;  /* that ran inside, the first included */
	u32 execs_left;          /* processes that called execve and left the simulation */
	u32 lost;                /* threads whose producer vanished (killed): their stream ends where they died */
	char left_names[8][256]; /* the first of the programs that left, "" ends */
	u32 malformed;           /* streams that broke the rules of event.h and were closed: should be 0 */
};

enum sim_region_kind { REGION_ANON, REGION_HEAP, REGION_STACK, REGION_FILE_TEXT, REGION_FILE_DATA, REGION_OTHER };

/* A range of addresses that page walks come from: one area as the program sees it (adjacent areas of the same name and
 * kind are one). Per machine figures are in sim_machine_result.region[], same index. */
struct sim_region {
	char name[256]; /* "[heap]", "[stack]", a file's path, "[anon]" */
	u8 kind;        /* enum sim_region_kind */
	u32 pid_index;  /* 0 = first process, by order of birth */
	u64 start, end; /* bytes; the largest extent it had */
	u64 peak_bytes; /* mapped at once */
	bool madvised;  /* the program itself asked for huge pages here */
};

struct sim_region_result {
	u64 walks[2]; /* data, fetch */
	u64 walk_cycles_min, walk_cycles_max;
	u64 faults;
	u64 peak_huge_bytes; /* mapped by 2M or 1G leaves, most at once */
};

/* Why a CPU entered the kernel from user mode. */
enum kernel_entry { KERNEL_SYSCALL, KERNEL_FAULT, KERNEL_TICK, KERNEL_IPI, KERNEL_ENTRY_NR };

struct sim_machine_result {
	char name[64];   /* as given: "4k", "thp", "thp,cpu=zen4" */
	char cpu[32];    /* preset */
	char thp[16];    /* "never", "madvise", "always" */
	bool kpti, pcid; /* pcid: used, so the CPU has them */
	u64 cpus;        /* 0: one a thread */
	u64 ram_bytes;
	u64 hugepages;     /* 2M pages set aside for MAP_HUGETLB */
	char defrag[16];   /* "madvise", "always", "never" */
	u16 fragmentation; /* per mille of free memory in blocks under 2M, at the start */
	u64 swap_bytes;
	char swap_device[16];       /* "nvme", "sata", "hdd", "zram" */
	char reclaim[16];           /* "lru2", "mglru", "clock", "fifo", "random" */
	struct mmu_counters mmu;    /* summed over CPUs */
	u64 faults[VM_FAULT_NR];    /* faults taken by cause */
	u64 faults_by_order[3];     /* 4K, 2M, 1G */
	u64 populated[VM_FAULT_NR]; /* VM_EV_POPULATE by cause: in ru_minflt, not in perf's page-faults */
	u64 kernel_faults;          /* of the faults, those taken in kernel mode */
	u64 major_faults;
	u64 swap_requests, swap_ins; /* reads from swap; pages that they brought, read-ahead included */
	u64 swap_outs;               /* pages written to swap */
	u64 readahead_hits;          /* pages of swap_ins that came ahead and were used */
	u64 file_reads, writebacks;  /* file pages read from disk, and written back */
	u64 reclaimed[2];            /* frames freed in the background; by who needed one */
	u64 peak_swap_bytes;
	u64 io_wait_ns;  /* the program waited for reads, by the device's model */
	u64 io_write_ns; /* the devices wrote meanwhile */
	u64 oom_kills;
	u64 minflt;               /* what getrusage would show: faults + populated - major */
	u64 peak_rss_bytes;       /* over the machine, at once */
	u64 peak_untouched_bytes; /* bloat: at the peak, memory that huge pages added and nobody touched */
	u64 peak_table_bytes;
	u64 tlb_flushes, tlb_flush_pages, tlb_flush_all; /* batches; pages flushed singly; whole contexts */
	u64 shootdowns, ipis;
	u64 context_switches;
	u64 thread_switches;                            /* a CPU went from one living thread to another */
	u64 kernel_entries[KERNEL_ENTRY_NR];            /* from user mode; a fault in a system call is none */
	u64 kernel_cycles_min, kernel_cycles_max;       /* of these, CR3 apart: sim/entry.c has the constants */
	u64 cr3_cycles_min, cr3_cycles_max;             /* of all MOV to CR3 */
	u64 shootdown_cycles_min, shootdown_cycles_max; /* spent waiting for other CPUs */
	u64 kernel_walks[2]; /* data, fetch: of all walks, those of the kernel's own pages in entries */
	u64 kernel_walk_cycles_min, kernel_walk_cycles_max;
	u64 thp_alloc, thp_fallback, thp_split, thp_collapse;
	u64 compactions, compactions_failed, pages_migrated;
	u64 frames_cleared, frames_copied; /* 4K frames */
	u64 mismatches;                    /* the program's kernel and ours disagreed on a call: should be 0 */
	struct sim_region_result *region;  /* [sim_result.nr_regions] */
	char oom_note[256];                /* "" or whom the OOM killer chose first, and why */
	char error[256];                   /* "" or why this machine stopped early (out of memory) */
};

struct sim_result {
	char **argv;     /* the program's, NULL-terminated */
	int exit_status; /* as quire will exit */
	double elapsed_s;
	struct sim_program program;
	struct sim_region *region;
	unsigned nr_regions;
	struct sim_machine_result *machine;
	unsigned nr_machines;
};

#endif
