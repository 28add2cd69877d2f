/* SPDX-License-Identifier: MIT
 *
 * test/mm/areas_env.h - what the tests of areas need of a machine.
 */
#ifndef TEST_AREAS_ENV_H
#define TEST_AREAS_ENV_H

#include "mm/internal.h"

void env_set_variant(const struct vm_variant *v); /* which Linux the next machine is; NULL: the newest */
struct mm_struct *env_mm(void);                   /* an empty address space of one machine; end it with mm_put() */
struct mm_struct *env_fork(struct mm_struct *parent);
struct hw_cpu *env_cpu(void);
void env_end(void); /* the machine is thrown away; the next env_mm() builds another */
void env_write(struct mm_struct *mm, u64 va, u8 byte); /* a store by the program, where it may */
u8 env_read(struct mm_struct *mm, u64 va);
/* kind: 'r', 'w'. Returns 0, or the VM_FAULT_* that ended it. */
int env_access(struct mm_struct *mm, u64 va, char kind, u8 *byte);
struct address_space *env_file(u64 size);  /* of zeroes; end it with vm_file_put() */
struct address_space *env_shmem(u64 size); /* a memfd */
void env_set_max_map_count(u32 n);         /* 0: Linux's default */
void env_fail_after(long n); /* of the frames asked for from now on (by areas and tables too) n are given, the next is
				not; < 0: all are */
u64 env_live_areas(void);    /* allocated and not freed, over all address spaces */

#endif
