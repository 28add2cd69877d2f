/* SPDX-License-Identifier: MIT
 *
 * sim/xalloc.h - the simulator's own tables. They are small beside the simulated machines; when the host cannot hold
 * even them there is nothing left to report, so running out ends the process with a line.
 */
#ifndef SIM_XALLOC_H
#define SIM_XALLOC_H

#include <stdio.h>
#include <stdlib.h>

#include "lib/types.h"

static inline void *xcheck(void *p)
{
	if (!p) {
		fputs("quire: out of memory on the host\n", stderr);
		exit(125);
	}
	return p;
}

/* n zeroed objects of size bytes. */
static inline void *xcalloc(size_t n, size_t size)
{
	return xcheck(calloc(n, size));
}

/* Doubles an array of *cap objects; *cap follows. */
static inline void *xgrow(void *array, unsigned *cap, size_t size)
{
	*cap = *cap ? 2 * *cap : 8;
	return xcheck(reallocarray(array, *cap, size));
}

#endif
