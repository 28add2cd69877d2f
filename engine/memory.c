/* SPDX-License-Identifier: MIT
 *
 * engine/memory.c - memory of the engine's own, always at addresses that the program never gets from the kernel; the
 * last line.
 */
#include <sys/mman.h>

#include "engine/engine.h"
#include "lib/sys.h"

static u64 free_memory = ENGINE_MEMORY;

void *memory_get(u64 bytes)
{
	u64 at = __atomic_fetch_add(&free_memory, ALIGN_UP(bytes, 4096ull) + 4096, __ATOMIC_RELAXED);
	long got = sys6(SYS_mmap, at, ALIGN_UP(bytes, 4096ull), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, (u64)-1, 0);

	if (got != (long)at)
		die("no memory for the engine (it counts in RLIMIT_AS and RLIMIT_DATA), error", "", (u64)-got);
	return (void *)at;
}

/* ---- the last line ---- */

static char *append(char *at, char *end, const char *text)
{
	while (*text && at < end)
		*at++ = *text++;
	return at;
}

void die(const char *what, const char *name, u64 number)
{
	char line[512], digits[17], *at = line, *end = line + sizeof(line) - 1;
	unsigned n = sizeof(digits) - 1;

	at = append(at, end, "quire: ");
	at = append(at, end, what);
	if (name[0]) {
		at = append(at, end, " ");
		at = append(at, end, name);
	}
	if (number) {
		digits[n] = 0;
		for (; number; number >>= 4)
			digits[--n] = "0123456789abcdef"[number & 15];
		at = append(at, end, " 0x");
		at = append(at, end, digits + n);
	}
	*at++ = '\n';
	sys3(SYS_write, 2, (u64)line, (u64)(at - line));
	sys_raw(SYS_exit_group, EXIT_ENGINE, 0, 0, 0, 0, 0);
	__builtin_trap();
}
