/* SPDX-License-Identifier: MIT
 *
 * engine/place.c - system calls on addresses where the engine is. The program sees nothing there; what reserves or gives
 * up a range that holds the engine (sanitizers keep whole terabytes from being used) is done around it:
 *
 *   address                                    address + bytes
 *   |  the call        | ENGINE: nothing |  the call again |
 */
#include <errno.h>
#include <sys/mman.h>

#include "engine/engine.h"
#include "lib/sys.h"

static bool meets(u64 start, u64 bytes)
{
	return start < ENGINE_END && bytes && start + ALIGN_UP(bytes, 4096ull) > ENGINE_START;
}

/* The call, whose first arguments are an address and bytes. */
static long around(long nr, const u64 a[6])
{
	u64 part[6] = {a[0], ENGINE_START - a[0], a[2], a[3], a[4], a[5]}, end = a[0] + ALIGN_UP(a[1], 4096ull);
	long ret = 0;

	if (a[0] < ENGINE_START)
		ret = gate_call(nr, part);
	part[0] = ENGINE_END;
	part[1] = end - ENGINE_END;
	if ((ret == 0 || (u64)ret == a[0]) && end > ENGINE_END)
		ret = gate_call(nr, part);
	return (u64)ret == ENGINE_END ? (long)a[0] : ret;
}

bool place_answer(long nr, const u64 a[6], long *ret)
{
	bool reserves = a[2] == PROT_NONE && (nr == SYS_mprotect || (nr == SYS_mmap && a[3] & MAP_ANONYMOUS)),
	     fixed = nr == SYS_mmap && a[3] & (MAP_FIXED | MAP_FIXED_NOREPLACE),
	     moves = nr == SYS_mremap && a[3] & MREMAP_FIXED && meets(a[4], a[2]);

	if (!moves && !(meets(a[0], a[1]) && (fixed || nr == SYS_munmap || nr == SYS_madvise || nr == SYS_mprotect)))
		return false;
	if (a[0] & 4095 || a[0] + a[1] < a[0])
		return false; /* the kernel says what is wrong with it */
	if (!reserves && nr != SYS_munmap && nr != SYS_madvise)
		die("the program wants memory where the engine is, at", "", moves ? a[4] : a[0]);
	*ret = around(nr, a);
	return true;
}
