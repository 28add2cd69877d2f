/* SPDX-License-Identifier: MIT
 *
 * mmu/oracle.h - the TLB oracle: a hit in a cache is held against the tables as they are now.
 */
#ifndef MMU_ORACLE_H
#define MMU_ORACLE_H

#include "mmu/walk.h"

/* Calls oracle_fail if the entry grants more than the tables do, or names another frame, and no flush is pending. */
void oracle_check_hit(struct mmu_cpu *cpu, u64 va, struct tlb_ref e, const char *cache);
/* The same of a walk that began at a paging-structure cache entry. */
void oracle_check_walk(struct mmu_cpu *cpu, const struct walk *w);

#endif
