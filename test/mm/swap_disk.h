/* SPDX-License-Identifier: MIT
 *
 * test/mm/swap_disk.h - one machine, one process, and a swap device that does what it is told, for the tests of swap.
 */
#ifndef TEST_SWAP_DISK_H
#define TEST_SWAP_DISK_H

#include "mm/internal.h"
#include "test/mm/flat_hw.h"

#define MIB   (1ull << 20)
#define BASE  0x7f0000000000ull
#define RW    (PROT_READ | PROT_WRITE)
#define ANON  (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
#define SHMEM (MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED)
#define SLOTS 4096

extern struct hw_machine *m;
extern struct vm *vm;
extern struct hw_cpu *cpu;
extern struct mm_struct *mm;

extern u8 (*disk)[PAGE_SIZE];
extern bool fail_reads, fail_writes;
extern u64 reads, writes; /* pages, since begin() */

/* The machine gets cfg, the device (one that knows zeroes: zeromap), and a process that runs. */
void begin(u64 ram_bytes, struct vm_config cfg);
void begin_zeromap(u64 ram_bytes, struct vm_config cfg);
/* All is given back, and vm_check agrees. */
void end(void);

/* `pages` pages at BASE. */
void map(struct mm_struct *in, u64 pages, unsigned flags);
/* Page i holds i + add. */
void write_pages(u64 pages, u8 add);
void expect_pages(u64 pages, u8 add);
/* Everything that can go, goes. */
void swap_out_all(void);
u64 events(enum vm_event_type type);

#endif
