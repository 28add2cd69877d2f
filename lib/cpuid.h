/* SPDX-License-Identifier: MIT
 *
 * lib/cpuid.h - what the CPU that runs this says of itself.
 */
#ifndef LIB_CPUID_H
#define LIB_CPUID_H

#include "lib/types.h"

struct cpuid {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid r = {.eax = leaf, .ecx = subleaf};

	__asm__ volatile("cpuid" : "+a"(r.eax), "=b"(r.ebx), "+c"(r.ecx), "=d"(r.edx));
	return r;
}

#endif
