/* SPDX-License-Identifier: MIT
 *
 * test/report/said.h - made-up runs, and what the advice says of them.
 */
#ifndef TEST_REPORT_SAID_H
#define TEST_REPORT_SAID_H

#include "report/report.h"
#include "test/report/synthetic.h"

extern struct synthetic syn; /* the run */
extern char advice[6000];    /* what was said of it last */

/* 10 M walks of 40 cycles in 1 G instructions: 400 M. THP leaves thp of them. The C library is glibc. */
void walks_in(unsigned region, u64 thp, u64 reserved);
/* The same first touches on all machines but THP's. */
void zero_faults_in(unsigned region, u64 faults, u64 thp);
/* The program maps this file. */
void library(const char *path);
/* A machine behind those that are compared. */
struct sim_machine_result *cure(enum machine_cure what);

/* The run's advice has this in it; has not; begins with it. Its answer has it. Each prices the machines anew. */
void expect(const char *wanted);
void expect_not(const char *unwanted);
void first(const char *wanted);
void answers(const char *wanted);

#endif
