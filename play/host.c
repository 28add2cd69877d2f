/* SPDX-License-Identifier: MIT
 *
 * play/host.c - our end of the sockets, and what /proc tells of the script's processes.
 *
 * All sockets and files are there before the first process, so that each fork hands them on. Who ends is seen through
 * its pidfd: it becomes readable when the process has given its memory back, grandchildren too.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "play/host.h"
#include "play/probe.h"
#include "x86/paging.h"

#define TIMEOUT_MS      60000
#define ADVICE_COLLAPSE 25           /* MADV_COLLAPSE: not in every libc */
#define HEAP_LOOK       (1ull << 30) /* how far above the heap's beginning its areas are compared */

static int host_fail(struct host *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int host_fail(struct host *h, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(h->error, sizeof(h->error), format, args);
	va_end(args);
	return -1;
}

/* ---- is this Linux one that can be compared? ---- */

static int need(struct host *h, enum probe_id probe, bool absent)
{
	enum probe_answer a = host_answer(probe);

	if (a == (absent ? PROBE_NO : PROBE_YES))
		return 0;
	return host_fail(h, "needs %s%s, and here it is %s", absent ? "!" : "", probe_table[probe].name,
			 probe_answer_name(a));
}

/* What the script says that it needs, and what the kernel of its machine is like. */
static int check_needs(struct host *h, const struct script *s)
{
	struct vm_variant variant = s->machine.variant;
	int err = 0;

	for (unsigned i = 0; i < s->nr_needs && !err; i++)
		err = need(h, s->need[i].probe, s->need[i].absent);
	for (unsigned i = 0; i < VARIANT_ROWS && !err; i++)
		if (s->variant_said >> i & 1 && host_answer(variant_rows[i].probe) != PROBE_UNKNOWN)
			err = need(h, variant_rows[i].probe, !*variant_at(&variant, i));
	if (!err && s->swap_device_said)
		err = need(h, PROBE_SWAP_CACHED, s->machine.swap_device->synchronous);
	return err;
}

/* ---- files ---- */

/* Zeroes are written, so that the page cache holds a file before it is used, as the simulated one does. */
static int fill_file(int fd, u64 size)
{
	static const char zeroes[PAGE_SIZE];

	for (u64 at = 0; at < size; at += PAGE_SIZE) {
		size_t n = (size_t)min(size - at, PAGE_SIZE);

		if (pwrite(fd, zeroes, n, (off_t)at) != (ssize_t)n)
			return -1;
	}
	return 0;
}

static int open_file(struct host *h, unsigned op)
{
	int fd;

	if (op == PLAY_MEMFD)
		fd = memfd_create("quire-play", 0);
	else
		fd = open(host_file_folder(), O_TMPFILE | O_RDWR, 0600);
	return fd >= 0 ? fd : host_fail(h, "a file: %s", strerror(errno));
}

static int open_files(struct host *h, const struct script *s)
{
	for (unsigned i = 0; i < s->nr; i++) {
		const struct play_call *call = &s->statement[i].call;

		if (s->statement[i].verb != VERB_CALL || (call->op != PLAY_MEMFD && call->op != PLAY_FILE))
			continue;
		h->file[call->file] = open_file(h, call->op);
		if (h->file[call->file] < 0)
			return -1;
	}
	return 0;
}

static s64 file_call(struct host *h, const struct play_call *call)
{
	int fd = h->file[call->file];
	u64 size = call->value[PLAY_LEN];

	if (ftruncate(fd, (off_t)size) != 0 || (call->op == PLAY_FILE && fill_file(fd, size) != 0))
		return -errno;
	return 0;
}

/* ---- huge pages ---- */

/* The script gives this advice somewhere. */
static bool advises(const struct script *s, int advice)
{
	for (unsigned i = 0; i < s->nr; i++)
		if (s->statement[i].verb == VERB_CALL && s->statement[i].call.op == PLAY_MADVISE &&
		    s->statement[i].call.advice == advice)
			return true;
	return false;
}

static u64 vmstat(const char *name)
{
	FILE *f = fopen("/proc/vmstat", "re");
	char line[128], key[64];
	u64 n = 0;

	while (f && fgets(line, sizeof(line), f) && (sscanf(line, "%63s %" SCNu64, key, &n) != 2 || strcmp(key, name)))
		n = 0;
	if (f)
		fclose(f);
	return n;
}

/* What happens to huge pages on this Linux that the script has not asked for: there was none for a fault; or khugepaged
 * made one, which nobody can time (where the script does not make any itself). */
static u64 disturbances(const struct host *h)
{
	return vmstat("thp_fault_fallback") + (h->collapses ? 0 : vmstat("thp_collapse_alloc"));
}

/* The simulated kernel gives huge pages where they are asked for: this Linux must, too, and nowhere else. */
static int check_thp(struct host *h, const struct script *s)
{
	h->collapses = advises(s, ADVICE_COLLAPSE);
	h->huge = h->collapses || advises(s, MADV_HUGEPAGE);
	h->disturbed = disturbances(h);
	if (!h->huge)
		return 0;
	if (host_has(PROBE_HUGE_UNASKED))
		return need(h, PROBE_THP_EXCEPT_ADVISED, false);
	return need(h, PROBE_HUGE_ADVISED, false);
}

/* The address sanitizer's shadow of all memory cannot be locked. */
static int check_locks(struct host *h, const struct script *s)
{
#ifdef __SANITIZE_ADDRESS__
	for (unsigned i = 0; i < s->nr; i++)
		if (s->statement[i].verb == VERB_CALL && s->statement[i].call.op == PLAY_MLOCKALL)
			return host_fail(h, "mlockall is not compared where the address sanitizer is on");
#endif
	return 0;
}

bool host_was_disturbed(const struct host *h)
{
	return h->huge && disturbances(h) != h->disturbed;
}

/* ---- processes ---- */

static int process_begun(struct host *h, unsigned i, pid_t pid)
{
	h->pid[i] = pid;
	h->pidfd[i] = (int)syscall(SYS_pidfd_open, pid, 0);
	return h->pidfd[i] >= 0 ? 0 : host_fail(h, "pidfd_open: %s", strerror(errno));
}

static int answer(struct host *h, unsigned i, struct play_outcome *out)
{
	struct pollfd fd[2] = {{.fd = h->socket[i][0], .events = POLLIN}, {.fd = h->pidfd[i], .events = POLLIN}};

	if (poll(fd, 2, TIMEOUT_MS) <= 0)
		return host_fail(h, "the process does not answer");
	if (!(fd[0].revents & POLLIN))
		return host_fail(h, "the process ended unexpectedly");
	if (recv(h->socket[i][0], out, sizeof(*out), 0) != (ssize_t)sizeof(*out))
		return host_fail(h, "no answer could be read");
	return 0;
}

/* Returns when it is ready for steps: its areas are those of a new process then. */
static int spawn(struct host *h, unsigned i)
{
	struct play_outcome ready;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		host_child(h, i);
	if (pid < 0)
		return host_fail(h, "fork: %s", strerror(errno));
	return process_begun(h, i, pid) || answer(h, i, &ready) ? -1 : 0;
}

static void process_gone(struct host *h, unsigned i)
{
	waitpid(h->pid[i], NULL, WNOHANG);
	close(h->pidfd[i]);
	h->pid[i] = 0;
}

int host_init(struct host *h, const struct script *s)
{
	*h = (struct host){.brk = ALIGN_UP((u64)sbrk(0), PAGE_SIZE)};
	memset(h->file, -1, sizeof(h->file));
	memset(h->socket, -1, sizeof(h->socket));
	if (pipe2(h->pipe, O_CLOEXEC | O_NONBLOCK) != 0)
		return host_fail(h, "pipe: %s", strerror(errno));
	for (unsigned i = 0; i < s->nr_processes; i++)
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, h->socket[i]) != 0)
			return host_fail(h, "socketpair: %s", strerror(errno));
	return check_needs(h, s) || check_thp(h, s) || check_locks(h, s) || open_files(h, s) ? -1 : spawn(h, 0);
}

void host_destroy(struct host *h)
{
	for (unsigned i = 0; i < PLAY_PROCESSES; i++) {
		if (!h->pid[i])
			continue;
		kill(h->pid[i], SIGKILL);
		poll(&(struct pollfd){.fd = h->pidfd[i], .events = POLLIN}, 1, TIMEOUT_MS);
		process_gone(h, i);
	}
	for (unsigned i = 0; i < PLAY_PROCESSES; i++) {
		if (h->socket[i][0] >= 0) {
			close(h->socket[i][0]);
			close(h->socket[i][1]);
		}
	}
	for (unsigned i = 0; i < PLAY_FILES; i++)
		if (h->file[i] >= 0)
			close(h->file[i]);
	close(h->pipe[0]);
	close(h->pipe[1]);
}

/* ---- a step ---- */

static int ask(struct host *h, const struct play_call *call, struct play_outcome *out)
{
	int socket = h->socket[call->process][0];

	if (send(socket, call, sizeof(*call), MSG_NOSIGNAL) != (ssize_t)sizeof(*call))
		return host_fail(h, "a step could not be sent: %s", strerror(errno));
	return answer(h, call->process, out);
}

static int do_exit(struct host *h, const struct play_call *call, struct play_outcome *out)
{
	if (ask(h, call, out))
		return -1;
	if (poll(&(struct pollfd){.fd = h->pidfd[call->process], .events = POLLIN}, 1, TIMEOUT_MS) <= 0)
		return host_fail(h, "the process does not end");
	process_gone(h, call->process);
	return 0;
}

static int do_fork(struct host *h, const struct play_call *call, struct play_outcome *out)
{
	s64 pid;

	if (ask(h, call, out))
		return -1;
	pid = out->result;
	if (pid < 0)
		return 0;
	out->result = 0;
	return process_begun(h, call->other, (pid_t)pid);
}

static void drain(struct host *h, const struct play_call *call, struct play_outcome *out)
{
	static char bytes[PLAY_PIPE * PAGE_SIZE];
	ssize_t n = read(h->pipe[0], bytes, min(call->value[PLAY_LEN], sizeof(bytes)));

	out->result = n < 0 ? -errno : n;
	out->nr_data = n < 0 ? 0 : (u32)min((size_t)n, (size_t)PLAY_DATA);
	memcpy(out->data, bytes, out->nr_data);
}

int host_call(struct host *h, const struct play_call *call, struct play_outcome *out)
{
	*out = (struct play_outcome){0};
	switch (call->op) {
	case PLAY_SPAWN:
		return spawn(h, call->process);
	case PLAY_FORK:
		return do_fork(h, call, out);
	case PLAY_EXIT:
		return do_exit(h, call, out);
	case PLAY_SWITCH:
	case PLAY_RECLAIM:
	case PLAY_PIN:
	case PLAY_UNPIN:
		return 0;
	case PLAY_DRAIN:
		drain(h, call, out);
		return 0;
	case PLAY_WAIT:
		if (call->value[PLAY_LEN])
			sleep(1); /* what is being written to a disk is there then */
		return 0;
	case PLAY_PKEY_ALLOC:
	case PLAY_PKEY_FREE:
	case PLAY_PKEY_MPROTECT:
	case PLAY_WRPKRU:
		return host_fail(h, "protection keys are not compared: say '# host: no, REASON'");
	case PLAY_MEMFD:
	case PLAY_FILE:
	case PLAY_RESIZE:
		out->result = file_call(h, call);
		return 0;
	default:
		return ask(h, call, out);
	}
}

/* ---- /proc/PID/smaps ---- */

/* The part of an area that a script can have made. */
static bool clip(const struct host *h, u64 *start, u64 *end)
{
	const u64 low[] = {PLAY_WINDOW, h->brk}, high[] = {PLAY_WINDOW_END, h->brk + HEAP_LOOK};

	for (unsigned i = 0; i < ARRAY_SIZE(low); i++) {
		if (*start >= high[i] || *end <= low[i])
			continue;
		*start = max(*start, low[i]);
		*end = min(*end, high[i]);
		return true;
	}
	return false;
}

int host_maps(struct host *h, unsigned process, struct play_maps *out)
{
	char path[64], line[512], rights[5];
	bool window = false, ours = false;
	u64 start, end, kb;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)h->pid[process]);
	f = fopen(path, "re");
	if (!f)
		return host_fail(h, "%s: %s", path, strerror(errno));
	*out = (struct play_maps){0};
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &start, &end, rights) == 3) {
			u32 prot = (rights[0] == 'r' ? PROT_READ : 0) | (rights[1] == 'w' ? PROT_WRITE : 0) |
				   (rights[2] == 'x' ? PROT_EXEC : 0);

			window = start >= PLAY_WINDOW && end <= PLAY_WINDOW_END;
			ours = clip(h, &start, &end);
			if (ours)
				maps_add(out, start, end, prot, rights[3] == 's');
		} else if (window && sscanf(line, "Rss: %" SCNu64, &kb) == 1) {
			out->rss_bytes += kb << 10;
		} else if (ours && strncmp(line, "VmFlags:", 8) == 0) {
			out->area[out->nr - 1].locked = strstr(line, " lo") != NULL;
		}
	}
	fclose(f);
	return 0;
}
