/* SPDX-License-Identifier: MIT
 *
 * engine/host.c - what trace/calls.c asks of a front end, answered by this process: the program's memory, descriptors
 * and kernel are its own.
 */
#include <asm/stat.h>
#include <errno.h>
#include <linux/poll.h>
#include <linux/shm.h>

#include "engine/events.h"
#include "engine/paths.h"
#include "lib/sys.h"

#define S_IFMT      0170000u
#define S_IFREG     0100000u
#define S_IFDIR     0040000u
#define S_IFBLK     0060000u
#define S_IFCHR     0020000u
#define MAJOR_MEM   1u                    /* null, zero, random: they never wait */
#define DEVICE_ZERO (MAJOR_MEM << 8 | 5u) /* /dev/zero */

struct span {
	u64 at, len;
};

__asm__(".globl safe_copy, safe_copy_moves, safe_zero, safe_zero_stores, safe_failed\n"
	"safe_copy:\n\t"
	"mov %rdx, %rcx\n"
	"safe_copy_moves:\n\t"
	"rep movsb\n\t"
	"jmp safe_failed\n"
	"safe_zero:\n\t"
	"mov %rsi, %rcx\n\t"
	"xor %eax, %eax\n"
	"safe_zero_stores:\n\t"
	"rep stosb\n"
	"safe_failed:\n\t"
	"mov %rcx, %rax\n\t"
	"ret\n");

u64 program_read(void *to, u64 va, u64 len)
{
	struct span local = {(u64)to, len}, remote = {va, len};
	long got = sys6(SYS_process_vm_readv, thread_here()->tid, (u64)&local, 1, (u64)&remote, 1, 0);

	if (got == -EPERM || got == -ENOSYS)
		return len - safe_copy(to, (const void *)va, len);
	return got > 0 ? (u64)got : 0;
}

long program_write(u64 va, const void *from, u64 len)
{
	struct span local = {(u64)from, len}, remote = {va, len};
	long got = sys6(SYS_process_vm_writev, thread_here()->tid, (u64)&local, 1, (u64)&remote, 1, 0);

	if (got == -EPERM || got == -ENOSYS)
		got = (long)(len - safe_copy((void *)va, from, len));
	return got == (long)len ? 0 : -EFAULT;
}

static bool host_read(void *thread, u64 va, void *to, u64 len, bool sure)
{
	if (!sure)
		return program_read(to, va, len) == len;
	memcpy(to, (const void *)va, len);
	return true;
}

static void file_of(const struct stat *st, struct call_file *out)
{
	u32 kind = st->st_mode & S_IFMT;

	out->dev = st->st_dev;
	out->ino = st->st_ino;
	out->size = (u64)st->st_size;
	out->regular = kind == S_IFREG;
	out->zero = kind == S_IFCHR && st->st_rdev == DEVICE_ZERO;
	out->waits = kind != S_IFREG && kind != S_IFDIR && kind != S_IFBLK &&
		     !(kind == S_IFCHR && st->st_rdev >> 8 == MAJOR_MEM);
	out->name[0] = 0;
}

static bool host_file(void *thread, int fd, struct call_file *out, bool with_name)
{
	char link[32];
	struct stat st;
	long n;

	if (fd < 0 || sys3(SYS_fstat, (u64)fd, (u64)&st, 0) != 0)
		return false;
	file_of(&st, out);
	if (!with_name)
		return true;
	link_of(fd, link);
	n = sys3(SYS_readlink, (u64)link, (u64)out->name, sizeof(out->name) - 1);
	out->name[n > 0 ? n : 0] = 0;
	out->position = (u64)sys3(SYS_lseek, (u64)fd, 0, 1);
	return true;
}

static bool host_path(void *thread, u64 va, struct call_file *out)
{
	struct stat st;

	if (sys3(SYS_stat, va, (u64)&st, 0) != 0)
		return false;
	file_of(&st, out);
	return true;
}

static bool host_must_wait(void *thread, int fd, bool write)
{
	struct pollfd p = {.fd = fd, .events = write ? POLLOUT : POLLIN};

	return sys3(SYS_poll, (u64)&p, 1, 0) == 0;
}

static u64 host_segment_bytes(void *thread, int id)
{
	struct shmid64_ds ds;

	return sys3(SYS_shmctl, (u64)id, IPC_STAT, (u64)&ds) == 0 ? ds.shm_segsz : 0;
}

static u64 host_clock_ns(void *thread, int clock)
{
	s64 now[2] = {0};

	sys3(SYS_clock_gettime, (u64)clock, (u64)now, 0);
	return (u64)now[0] * 1000000000 + (u64)now[1];
}

static void host_note_mapped(void *thread, const struct call_file *file)
{
	if (file->regular)
		ring_hub_file_note(hub, file->dev, file->ino, file->size);
}

static bool host_is_mapped(void *thread, u64 dev, u64 ino)
{
	return ring_hub_file_noted(hub, dev, ino);
}

static bool host_size_is_news(void *thread, const struct call_file *file)
{
	return ring_hub_file_changed(hub, file->dev, file->ino, file->size);
}

const struct call_ops host_ops = {
    .read = host_read,
    .emit = events_emit,
    .change = events_change,
    .file = host_file,
    .path = host_path,
    .must_wait = host_must_wait,
    .segment_bytes = host_segment_bytes,
    .clock_ns = host_clock_ns,
    .note_mapped = host_note_mapped,
    .is_mapped = host_is_mapped,
    .size_is_news = host_size_is_news,
};
