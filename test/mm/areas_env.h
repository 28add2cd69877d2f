/* SPDX-License-Identifier: MIT
 *
 * test/mm/areas_env.h - what the tests of areas need of a machine, and the pictures that they compare.
 */
#ifndef TEST_AREAS_ENV_H
#define TEST_AREAS_ENV_H

#include "mm/internal.h"

struct mm_struct *env_mm(void); /* an empty address space of one machine, check level 3 */
struct mm_struct *env_fork(struct mm_struct *parent);
void env_put(struct mm_struct *mm);
struct hw_cpu *env_cpu(void);
void env_write(struct mm_struct *mm, u64 va); /* a store by the program */
struct address_space *env_file(u64 size);
void env_set_max_map_count(u32 n); /* 0: Linux's default */
void env_fail_after(long n);       /* the n-th allocation of an area from now fails, and all after it; < 0: none */
extern unsigned env_live_areas;    /* allocated and not freed, over all address spaces */

#endif
