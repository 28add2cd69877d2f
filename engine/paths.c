/* SPDX-License-Identifier: MIT
 *
 * engine/paths.c - /proc/self/exe is the program, not the engine, and /proc/self/maps lists nothing of the engine's.
 *
 *   readlink, open, stat, access, execve   of exe: of the program's file
 *   open                                   of maps: a file that holds what maps did then, without the engine's lines;
 *                                          of mem: code that is trusted may change when it is written to (areas.c)
 *
 * Known are the names /proc/self/X, /proc/thread-self/X, /proc/PID/X; what goes by a descriptor of a folder there sees
 * the engine, and so does another process.
 */
#include "engine/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>

#include "engine/areas.h"
#include "engine/engine.h"
#include "engine/threads.h"
#include "lib/sys.h"

#define NAME_BYTES 48 /* more than any of these names has */

static const char *program_file;

void paths_begin(const char *file)
{
	program_file = file;
}

unsigned number_of(const char *text)
{
	unsigned n = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		n = 10 * n + (unsigned)(*text - '0');
	return n;
}

void number_text(unsigned number, char text[11])
{
	char digits[12];
	unsigned n = 0;

	do
		digits[n++] = (char)('0' + number % 10);
	while (number /= 10);
	while (n)
		*text++ = digits[--n];
	*text = 0;
}

void link_of(int fd, char link[32])
{
	static const char folder[] = "/proc/thread-self/fd/";

	memcpy(link, folder, sizeof(folder) - 1);
	number_text((unsigned)fd, link + sizeof(folder) - 1);
}

/* Behind text where it begins with it; else NULL. */
static const char *behind(const char *name, const char *text)
{
	u64 n = strlen(text);

	return memcmp(name, text, n) == 0 ? name + n : NULL;
}

/* What follows /proc/self/ in the name at va, into name; NULL: another name, or none that can be read. */
static const char *own_file(u64 va, char name[NAME_BYTES])
{
	u64 pid = thread_here()->process->pid, n = 0;
	const char *at;

	memset(name, 0, NAME_BYTES);
	program_read(name, va, NAME_BYTES - 1);
	at = behind(name, "/proc/");
	if (!at)
		return NULL;
	if (behind(at, "self/") || behind(at, "thread-self/"))
		return at + (at[0] == 's' ? 5 : 12);
	while (*at >= '0' && *at <= '9')
		n = 10 * n + (u64)(*at++ - '0');
	return n == pid && *at == '/' ? at + 1 : NULL;
}

const char *paths_exe(u64 va)
{
	char name[NAME_BYTES];
	const char *file = own_file(va, name);

	return file && strcmp(file, "exe") == 0 ? program_file : NULL;
}

static long read_link(u64 to, u64 room)
{
	u64 len = min(strlen(program_file), room);

	if ((s64)room <= 0)
		return -EINVAL;
	return program_write(to, program_file, len) ? -EFAULT : (long)len;
}

/* ---- maps ---- */

/* The first address of a line. */
static u64 line_start(const char *line)
{
	u64 n = 0;

	for (; *line != '-' && *line != '\n'; line++)
		n = n * 16 + (u64)(*line <= '9' ? *line - '0' : *line - 'a' + 10);
	return n;
}

/* Writes the lines of text[len] that are not the engine's. Returns the bytes of whole lines. */
static u64 write_lines(long to, const char *text, u64 len)
{
	u64 at = 0;

	for (u64 end = 0; end < len; end++) {
		u64 start;

		if (text[end] != '\n')
			continue;
		start = line_start(text + at);
		if (start < ENGINE_START || start >= ENGINE_END)
			sys3(SYS_write, (u64)to, (u64)text + at, end + 1 - at);
		at = end + 1;
	}
	return at;
}

/* The descriptor is the one that open would have given. */
static long open_maps(long from, u64 flags)
{
	long to = sys3(SYS_memfd_create, (u64) "maps", MFD_CLOEXEC, 0), got, fd;
	char text[8192];
	u64 len = 0, used;

	if (from < 0 || to < 0)
		return from;
	while ((got = sys3(SYS_read, (u64)from, (u64)text + len, sizeof(text) - len)) > 0) {
		len += (u64)got;
		used = write_lines(to, text, len);
		memmove(text, text + used, len -= used);
	}
	sys3(SYS_lseek, (u64)to, 0, 0);
	fd = sys3(SYS_dup3, (u64)to, (u64)from, flags & O_CLOEXEC);
	sys3(SYS_close, (u64)to, 0, 0);
	return fd;
}

/* ---- calls ---- */

bool paths_answer(long nr, const u64 a[6], long *ret)
{
	bool at = nr == SYS_openat || nr == SYS_newfstatat || nr == SYS_statx || nr == SYS_readlinkat ||
		  nr == SYS_faccessat || nr == SYS_faccessat2;
	u64 arg[6] = {a[0], a[1], a[2], a[3], a[4], a[5]};
	bool opens = nr == SYS_open || nr == SYS_openat;
	char name[NAME_BYTES];
	const char *file;

	if (!at && nr != SYS_open && nr != SYS_stat && nr != SYS_access && nr != SYS_readlink)
		return false;
	if ((nr == SYS_newfstatat && a[3] & AT_SYMLINK_NOFOLLOW) || (nr == SYS_statx && a[2] & AT_SYMLINK_NOFOLLOW))
		return false;
	file = own_file(a[at], name);
	if (!file)
		return false;
	if (opens && strcmp(file, "maps") == 0) {
		*ret = gate_call(nr, a);
		if (*ret != GATE_NOT_BEGUN)
			*ret = open_maps(*ret, a[at + 1]);
		return true;
	}
	if (opens && strcmp(file, "mem") == 0 && a[at + 1] & O_ACCMODE)
		areas_memory_opened();
	if (strcmp(file, "exe") != 0)
		return false;
	arg[at] = (u64)program_file;
	*ret = nr == SYS_readlink || nr == SYS_readlinkat ? read_link(a[at + 1], a[at + 2]) : gate_call(nr, arg);
	return true;
}
