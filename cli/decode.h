/* SPDX-License-Identifier: MIT
 *
 * cli/decode.h - what `quire explain` makes of figures other than addresses: page-fault error codes, the kernel's line
 * about a SIGSEGV, raw page-table entries. Each prints to standard output.
 */
#ifndef CLI_DECODE_H
#define CLI_DECODE_H

#include "lib/types.h"

/* Bits that a CPU never sets together are said to be so. */
void decode_error(u64 code);

/* "prog[7]: segfault at 10 ip 55d0c0b5d139 sp 7ffc5b1e2b10 error 6 in prog[...]" or an oops's "error_code(0x0002)". False:
 * there is no error code in it. */
bool decode_log_line(const char *line);

/* level: 1 = PTE, 2 = PMD, 3 = PUD, 4 and 5 = PGD (with 4 or 5 levels). phys_bits: the CPU's, 32 .. 52. */
void decode_entry(u64 entry, unsigned level, unsigned phys_bits);

#endif
