/* SPDX-License-Identifier: MIT
 *
 * test/mmu/computer.h - RAM with page tables and a CPU, for the tests of mmu/; and the manual a second time.
 *
 * RAM: the frames from 0 are handed out as tables by table_new(); pages are mapped to any pa, mostly beyond RAM,
 * because no test reads data.
 */
#ifndef TEST_MMU_COMPUTER_H
#define TEST_MMU_COMPUTER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/mmu.h"

#define RAM_BYTES (4ull << 20)
#define RWU       (X86_PTE_P | X86_PTE_RW | X86_PTE_US)
#define PAGING    (X86_CR0_PG | X86_CR0_PE) /* of CR0 */

struct computer {
	u8 *ram;
	u64 tables_bytes; /* handed out */
	struct mmu_config cfg;
	struct mmu_cpu *cpu;
	u64 cr0, cr4, efer; /* as written, for the model */
	u32 pkru;
};

void computer_init(struct computer *c, const struct cpu_preset *preset);
void computer_reset(struct computer *c); /* a CPU from c->cfg as it is after reset */
void computer_boot(struct computer *c);  /* a CPU from c->cfg, with paging, PGE, PCID if there, NXE and WP */
void computer_free(struct computer *c);

/* The four registers, and the model's copy. Asserts that there is no #GP. */
void computer_set(struct computer *c, u64 cr0, u64 cr4, u64 efer, u32 pkru);

u64 table_new(struct computer *c);                                   /* pa of a zeroed table */
u64 *entry_at(struct computer *c, u64 table_pa, unsigned index);     /* in RAM */
u64 *entry_of(struct computer *c, u64 root, u64 va, unsigned level); /* NULL if no table leads there */
/* Maps one page of `size`; makes tables (P RW US) where there are none. flags: of the leaf. */
void map(struct computer *c, u64 root, u64 va, u64 pa, unsigned size, u64 flags);
void map_range(struct computer *c, u64 root, u64 va, u64 pages, unsigned size); /* RWU, A and D clear */

/* xorshift64*, a fixed seed for each test. */
u64 rnd(u64 *state);

/* ---- the model: SDM vol. 3A 4.5, 4.6, 4.7, 4.8 written down again, as it reads. No caches. ---- */

struct model_result {
	int outcome; /* enum mmu_outcome */
	u32 error_code;
	u64 pa;
	unsigned size, steps;
};
/* Walks `ram` (not the computer's own, if the caller keeps a copy), and sets A and D there when the access succeeds. */
struct model_result model_access(const struct computer *c, u8 *ram, u64 cr3, u64 va, unsigned access);

#endif
