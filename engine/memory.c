/* SPDX-License-Identifier: MIT
 *
 * engine/memory.c - memory of the engine's own, always at addresses that the program never gets from the kernel; the
 * last line.
 */
#include <sys/mman.h>

#include "engine/engine.h"
#include "engine/threads.h"
#include "lib/sys.h"

static u64 free_memory = ENGINE_MEMORY;

static void *map(u64 at, u64 bytes)
{
	long got = sys6(SYS_mmap, at, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, (u64)-1, 0);

	if (got != (long)at)
		die("no memory for the engine, error", "", (u64)-got);
	return (void *)at;
}

void *memory_get(u64 bytes)
{
	u64 whole = ALIGN_UP(bytes, 4096ull), at = __atomic_fetch_add(&free_memory, whole + 4096, __ATOMIC_RELAXED);
	struct process *p;

	if (!limits_begun)
		return map(at, whole);
	p = thread_here()->process;
	lock_take(&maps);
	limits_set(p, LIMITS_ENGINE);
	map(at, whole);
	mlock_not(at, whole);
	limits_took(whole);
	limits_set(p, LIMITS_PROGRAM);
	lock_give(&maps);
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
