/* SPDX-License-Identifier: MIT
 *
 * trace/calls_file.c - files that grow, shrink and get holes, as far as somebody has them mapped; and memory that is
 * written as a file.
 *
 * After each call that may change a file's size the file is asked for it: so the order of the writers does not matter.
 * What a descriptor is open on is asked once, and forgotten when its number is closed or given to another file.
 */
#include "trace/calls_internal.h"

static bool is_memory(const char *name)
{
	const char *end = name;

	while (*end)
		end++;
	return end - name > 10 && name[0] == '/' && name[1] == 'p' && name[2] == 'r' && name[3] == 'o' &&
	       name[4] == 'c' && end[-4] == '/' && end[-3] == 'm' && end[-2] == 'e' && end[-1] == 'm';
}

struct call_fd fd_get(const struct telling *t, int fd)
{
	struct call_fd *known = fd >= 0 && fd < CALL_FDS ? &t->calls->fd[fd] : NULL, out = {0};
	struct call_file file;

	if (known && known->kind != FD_UNKNOWN)
		return *known;
	out.kind = FD_OTHER;
	if (!t->ops->file(t->thread, fd, &file, false))
		return out;
	out.dev = file.dev;
	out.ino = file.ino;
	if (file.regular) {
		out.kind = FD_FILE;
		if (file.size == 0 && t->ops->file(t->thread, fd, &file, true) && is_memory(file.name))
			out.kind = FD_MEMORY;
	} else if (file.waits) {
		out.kind = FD_WAITS;
	}
	if (known)
		*known = out;
	return out;
}

void fds_forget(const struct telling *t)
{
	const u64 *a = t->call->arg;
	u64 fd;

	switch (t->call->nr) {
	case NR_close:
		fd = a[0];
		break;
	case NR_dup2:
	case NR_dup3:
		fd = a[1];
		break;
	case NR_close_range:
		for (fd = a[0]; fd < CALL_FDS && fd <= a[1]; fd++)
			t->calls->fd[fd].kind = FD_UNKNOWN;
		return;
	default:
		return;
	}
	if (fd < CALL_FDS)
		t->calls->fd[fd].kind = FD_UNKNOWN;
}

/* The descriptor that the call may have changed the size of; -1: none. */
static int written_file(const struct call *c, s64 ret)
{
	enum { O_TRUNC = 01000 };
	const u64 *a = c->arg;

	switch (c->nr) {
	case NR_write:
	case NR_pwrite64:
	case NR_writev:
	case NR_pwritev:
	case NR_pwritev2:
	case NR_ftruncate:
	case NR_fallocate:
	case NR_sendfile:
		return (int)a[0];
	case NR_copy_file_range:
	case NR_splice:
		return (int)a[2];
	case NR_open:
		return a[1] & O_TRUNC ? (int)ret : -1;
	case NR_openat:
		return a[2] & O_TRUNC ? (int)ret : -1;
	case NR_creat:
		return (int)ret;
	default:
		return -1;
	}
}

static void tell_size(const struct telling *t, const struct call_file *file)
{
	struct ev_file_size e = {file->dev, file->ino, file->size};

	if (file->regular && t->ops->size_is_news(t->thread, file))
		t->ops->change(t->thread, EV_FILE_SIZE, 0, &e, EV_PAYLOAD_WORDS(e), NULL);
}

/* fallocate's modes that take pages away: holes, zeroes; and pages that move. */
static void tell_hole(const struct telling *t, const struct call_file *file)
{
	enum { PUNCH_HOLE = 2, COLLAPSE_RANGE = 8, ZERO_RANGE = 16, INSERT_RANGE = 32 };
	const u64 *a = t->call->arg;
	struct ev_file_hole e = {file->dev, file->ino, a[2], a[3]};

	if (a[1] & (COLLAPSE_RANGE | INSERT_RANGE))
		e.len = file->size - min(file->size, e.start);
	else if (!(a[1] & (PUNCH_HOLE | ZERO_RANGE)))
		return;
	t->ops->change(t->thread, EV_FILE_HOLE, 0, &e, EV_PAYLOAD_WORDS(e), NULL);
}

/* Taken to be the own memory: what was written there. */
static void tell_memory(const struct telling *t)
{
	const u64 *a = t->call->arg;
	struct call_file file;

	if (t->ret <= 0)
		return;
	if (t->call->nr == NR_pwrite64)
		touch(t, EVR_WRITE, a[3], (u64)t->ret);
	else if (t->call->nr == NR_write && t->ops->file(t->thread, (int)a[0], &file, true))
		touch(t, EVR_WRITE, file.position - (u64)t->ret, (u64)t->ret);
}

/* vmsplice: a pipe refers to the memory from now on, until it is read. */
static void tell_hold(const struct telling *t)
{
	const u64 *a = t->call->arg;
	struct call_fd pipe = fd_get(t, (int)a[0]);
	u64 bytes = (u64)t->ret, part[2]; /* struct iovec */

	t->ops->note_mapped(t->thread, &(struct call_file){.dev = pipe.dev, .ino = pipe.ino});
	for (u64 i = 0; i < a[2] && bytes; i++) {
		struct ev_hold e;

		if (!t->ops->read(t->thread, a[1] + i * sizeof(part), part, sizeof(part), true))
			return;
		e = (struct ev_hold){part[0], min(part[1], bytes), pipe.dev, pipe.ino};
		if (e.len)
			t->ops->change(t->thread, EV_HOLD, 0, &e, EV_PAYLOAD_WORDS(e), NULL);
		bytes -= e.len;
	}
}

static void tell_drain(const struct telling *t)
{
	struct call_fd pipe = fd_get(t, (int)t->call->arg[0]);
	struct ev_drain e = {pipe.dev, pipe.ino, (u64)t->ret};

	if (t->ret > 0 && pipe.kind == FD_WAITS && t->ops->is_mapped(t->thread, e.dev, e.ino))
		t->ops->change(t->thread, EV_DRAIN, 0, &e, EV_PAYLOAD_WORDS(e), NULL);
}

void files_tell(const struct telling *t)
{
	int fd = written_file(t->call, t->ret);
	struct call_file file;
	struct call_fd open;

	if (t->call->nr == NR_vmsplice)
		tell_hold(t);
	if (t->call->nr == NR_read || t->call->nr == NR_readv || t->call->nr == NR_splice)
		tell_drain(t);
	if (t->call->nr == NR_truncate && t->ops->path(t->thread, t->call->arg[0], &file))
		tell_size(t, &file);
	if (fd < 0)
		return;
	open = fd_get(t, fd);
	if (open.kind == FD_MEMORY)
		tell_memory(t);
	if (open.kind != FD_FILE || !t->ops->is_mapped(t->thread, open.dev, open.ino) ||
	    !t->ops->file(t->thread, fd, &file, false))
		return;
	tell_size(t, &file);
	if (t->call->nr == NR_fallocate)
		tell_hole(t, &file);
}
