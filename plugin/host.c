/* SPDX-License-Identifier: MIT
 *
 * plugin/host.c - what trace/calls.c asks of a front end, answered by this process: under QEMU's user mode the
 * program's memory, descriptors and kernel are its own.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "plugin/plugin.h"

static bool host_read(void *thread, u64 va, void *to, u64 len, bool sure)
{
	struct iovec local = {to, len}, remote = {(void *)va, len};

	if (!sure)
		return process_vm_readv(process.pid, &local, 1, &remote, 1, 0) == (ssize_t)len;
	memcpy(to, (const void *)va, len);
	return true;
}

static void host_emit(void *thread, unsigned type, u64 arg, const void *payload, unsigned n, const char *name)
{
	emit(thread, type, arg, payload, n, name);
}

static void host_change(void *thread, unsigned type, u64 arg, const void *payload, unsigned n, const char *name)
{
	emit_change(thread, type, arg, payload, n, name);
}

static void file_of(const struct stat *st, struct call_file *out)
{
	out->dev = st->st_dev;
	out->ino = st->st_ino;
	out->size = (u64)st->st_size;
	out->regular = S_ISREG(st->st_mode);
	out->zero = S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 5);
	/* Of character devices those of memory (null, zero, random) never wait. */
	out->waits = !S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode) && !S_ISBLK(st->st_mode) &&
		     !(S_ISCHR(st->st_mode) && major(st->st_rdev) == 1);
	out->name[0] = 0;
}

static bool host_file(void *thread, int fd, struct call_file *out, bool with_name)
{
	char link[32];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0)
		return false;
	file_of(&st, out);
	if (!with_name)
		return true;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, out->name, sizeof(out->name) - 1);
	out->name[n > 0 ? n : 0] = 0;
	out->position = (u64)lseek(fd, 0, SEEK_CUR);
	return true;
}

static bool host_path(void *thread, u64 va, struct call_file *out)
{
	struct stat st;

	if (stat((const char *)va, &st) != 0)
		return false;
	file_of(&st, out);
	return true;
}

static bool host_must_wait(void *thread, int fd, bool write)
{
	struct pollfd p = {.fd = fd, .events = write ? POLLOUT : POLLIN};

	return poll(&p, 1, 0) == 0;
}

static u64 host_segment_bytes(void *thread, int id)
{
	struct shmid_ds ds;

	return shmctl(id, IPC_STAT, &ds) == 0 ? ds.shm_segsz : 0;
}

static u64 host_clock_ns(void *thread, int clock)
{
	struct timespec now = {0};

	clock_gettime(clock, &now);
	return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

static void host_note_mapped(void *thread, const struct call_file *file)
{
	ring_hub_file_note(process.hub, file->dev, file->ino, file->size);
}

static bool host_is_mapped(void *thread, u64 dev, u64 ino)
{
	return ring_hub_file_noted(process.hub, dev, ino);
}

static bool host_size_is_news(void *thread, const struct call_file *file)
{
	return ring_hub_file_changed(process.hub, file->dev, file->ino, file->size);
}

const struct call_ops host_ops = {
    .read = host_read,
    .emit = host_emit,
    .change = host_change,
    .file = host_file,
    .path = host_path,
    .must_wait = host_must_wait,
    .segment_bytes = host_segment_bytes,
    .clock_ns = host_clock_ns,
    .note_mapped = host_note_mapped,
    .is_mapped = host_is_mapped,
    .size_is_news = host_size_is_news,
};
