/* SPDX-License-Identifier: MIT
 *
 * play/host_child.c - a process of a script on the host: takes a step from its socket, does it, answers.
 *
 * Nothing here may disturb what is measured: system calls are raw, and no libc function that maps or allocates runs.
 * Faults are counted by getrusage(2) directly around an access. A fork makes our own pages copy-on-write; so before
 * each access the same code runs once on a page of our own, and on a page without rights, and our faults are over.
 *
 * Fetches: one instruction at the address is run with RFLAGS.TF set. The trap after the jump is the first SIGTRAP, the
 * trap after the instruction the second. RAX points to a byte of ours, since zeroes are `add %al, (%rax)`.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mm/vm.h"
#include "play/host.h"
#include "lib/sys.h"
#include "x86/paging.h"

#define THP_DISABLE_EXCEPT_ADVISED 2 /* Linux 6.18 */

#define STACK_BYTES                (8ull << 20) /* what a stack may grow to: the simulated kernel's default */

/* A signal handler needs to reach the process' state. */
static struct {
	sigjmp_buf back;
	volatile int signal, code, traps;
	volatile u64 at;
	u8 scratch[64];
	u64 own_bytes[VM_RLIMIT_NR]; /* AS, DATA: what counts of ours */
	u8 *own;                     /* a page that can be written, then one without rights */
} state;

/* ---- accesses ---- */

#define UNCHECKED __attribute__((noinline, no_sanitize("address", "undefined")))

static void UNCHECKED on_signal(int signal, siginfo_t *info, void *context)
{
	if (signal == SIGTRAP && ++state.traps < 2)
		return;
	state.signal = signal;
	state.code = info->si_code;
	state.at = (u64)info->si_addr;
	siglongjmp(state.back, 1);
}

static void catch_signals(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGTRAP, SIGILL};
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};

	for (unsigned i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, NULL);
}

/* Does not return: the trap after the instruction, or its fault, does. */
static void UNCHECKED fetch(u64 va)
{
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
			 "pushfq\n\t"
			 "orq $0x100, (%%rsp)\n\t"
			 "popfq\n\t"
			 "jmp *%%rdi"
			 :
			 : "D"(va), "a"(state.scratch)
			 : "memory");
}

static void UNCHECKED access_once(const struct play_call *call, u64 va, u8 *data)
{
	volatile u8 *p = (volatile u8 *)va;

	for (u32 i = 0; i < call->nr_data; i++) {
		if (call->op == PLAY_WRITE)
			p[i] = call->data[i];
		else
			data[i] = p[i];
	}
}

static u64 count_faults(void)
{
	struct rusage usage;

	sys6(SYS_getrusage, RUSAGE_SELF, (u64)&usage, 0, 0, 0, 0);
	return (u64)(usage.ru_minflt + usage.ru_majflt);
}

/* The access of a call, once: true, or false after a signal. */
static bool UNCHECKED try_access(const struct play_call *call, u64 va, u8 *data)
{
	state.signal = 0;
	state.traps = 0;
	if (sigsetjmp(state.back, 1) == 0) {
		if (call->op == PLAY_EXEC)
			fetch(va);
		access_once(call, va, data);
	}
	return state.signal == 0 || state.signal == SIGTRAP || state.signal == SIGILL;
}

static u64 UNCHECKED access_all(const struct play_call *call, struct play_outcome *out)
{
	u64 va = call->value[PLAY_ADDR], over = call->value[PLAY_OVER], before = count_faults();

	for (u64 done = 0; done < over || done == 0; done += PAGE_SIZE)
		if (!try_access(call, va + done, out->data))
			break;
	return count_faults() - before;
}

static void do_access(const struct play_call *call, struct play_outcome *out)
{
	struct play_call own = *call;

	state.own[0] = 0xc3; /* ret */
	own.value[PLAY_OVER] = 0;
	own.value[PLAY_ADDR] = (u64)state.own;
	access_all(&own, out);
	own.value[PLAY_ADDR] += PAGE_SIZE;
	access_all(&own, out);
	memset(out, 0, sizeof(*out));
	out->faults = access_all(call, out);
	if (state.signal == SIGSEGV || state.signal == SIGBUS) {
		out->signal = state.signal;
		out->code = state.code;
		out->at = state.at;
	} else if (call->op == PLAY_READ) {
		out->nr_data = call->nr_data;
	}
	if (out->nr_data == 0)
		memset(out->data, 0, sizeof(out->data));
}

/* ---- system calls ---- */

/* The kernel's own brk lies below ours: what our script sees as the lowest break is where it began. */
static long do_brk(const struct host *h, u64 brk)
{
	return sys6(SYS_brk, brk < h->brk ? 0 : brk, 0, 0, 0, 0, 0);
}

/* Who has CAP_IPC_LOCK may lock without limit: it is given up for a limit. Returns 0 or -errno. */
static long use_cap_ipc_lock(bool use)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	long err = sys6(SYS_capget, (u64)&head, (u64)data, 0, 0, 0, 0);

	if (use)
		data[0].effective |= data[0].permitted & 1u << CAP_IPC_LOCK;
	else
		data[0].effective &= ~(1u << CAP_IPC_LOCK);
	return err ? err : sys6(SYS_capset, (u64)&head, (u64)data, 0, 0, 0, 0);
}

static long do_rlimit(unsigned which, u64 bytes)
{
	static const int resource[VM_RLIMIT_NR] = {
	    [VM_RLIMIT_AS] = RLIMIT_AS,
	    [VM_RLIMIT_DATA] = RLIMIT_DATA,
	    [VM_RLIMIT_STACK] = RLIMIT_STACK,
	    [VM_RLIMIT_MEMLOCK] = RLIMIT_MEMLOCK,
	};
	struct rlimit limit;
	long err = sys6(SYS_prlimit64, 0, (u64)resource[which], 0, (u64)&limit, 0, 0);

	limit.rlim_cur =
	    bytes == VM_RLIM_INFINITY ? limit.rlim_max : min(limit.rlim_max, bytes + state.own_bytes[which]);
	if (!err && which == VM_RLIMIT_MEMLOCK)
		err = use_cap_ipc_lock(bytes == VM_RLIM_INFINITY);
	return err ? err : sys6(SYS_prlimit64, 0, (u64)resource[which], (u64)&limit, 0, 0, 0);
}

static long do_call(const struct host *h, const struct play_call *call)
{
	const u64 *v = call->value;

	switch (call->op) {
	case PLAY_MMAP:
		return sys6(SYS_mmap, v[PLAY_ADDR], v[PLAY_LEN], call->prot, call->flags,
			    call->file < 0 ? (u64)-1 : (u64)h->file[call->file], v[PLAY_OFFSET]);
	case PLAY_MUNMAP:
		return sys6(SYS_munmap, v[PLAY_ADDR], v[PLAY_LEN], 0, 0, 0, 0);
	case PLAY_MPROTECT:
		return sys6(SYS_mprotect, v[PLAY_ADDR], v[PLAY_LEN], call->prot, 0, 0, 0);
	case PLAY_MREMAP:
		return sys6(SYS_mremap, v[PLAY_ADDR], v[PLAY_LEN], v[PLAY_NEW_LEN], call->flags, v[PLAY_NEW_ADDR], 0);
	case PLAY_BRK:
		return do_brk(h, v[PLAY_ADDR]);
	case PLAY_MLOCK:
		return call->flags ? sys6(SYS_mlock2, v[PLAY_ADDR], v[PLAY_LEN], call->flags, 0, 0, 0)
				   : sys6(SYS_mlock, v[PLAY_ADDR], v[PLAY_LEN], 0, 0, 0, 0);
	case PLAY_MUNLOCK:
		return sys6(SYS_munlock, v[PLAY_ADDR], v[PLAY_LEN], 0, 0, 0, 0);
	case PLAY_MLOCKALL:
		return sys6(SYS_mlockall, call->flags, 0, 0, 0, 0, 0);
	case PLAY_MUNLOCKALL:
		return sys6(SYS_munlockall, 0, 0, 0, 0, 0, 0);
	case PLAY_MSYNC:
		return sys6(SYS_msync, v[PLAY_ADDR], v[PLAY_LEN], call->flags, 0, 0, 0);
	case PLAY_VMSPLICE:
		return sys6(SYS_vmsplice, (u64)h->pipe[1], (u64) & (struct iovec){(void *)v[PLAY_ADDR], v[PLAY_LEN]}, 1,
			    SPLICE_F_NONBLOCK, 0, 0);
	case PLAY_RLIMIT:
		return do_rlimit(call->flags, v[PLAY_LEN]);
	case PLAY_THP_DISABLE:
		return sys6(SYS_prctl, PR_SET_THP_DISABLE, v[PLAY_ADDR], call->flags, 0, 0, 0);
	default:
		return sys6(SYS_madvise, v[PLAY_ADDR], v[PLAY_LEN], (u64)call->advice, 0, 0, 0);
	}
}

static void do_mincore(const struct play_call *call, struct play_outcome *out)
{
	out->result = sys6(SYS_mincore, call->value[PLAY_ADDR], call->value[PLAY_LEN], (u64)out->data, 0, 0, 0);
	play_mincore_text(call, out);
}

/* ---- the loop ---- */

/* Our own memory counts besides the script's: what was there before it began. */
static void own_memory(void)
{
	static const char *const field[VM_RLIMIT_NR] = {[VM_RLIMIT_AS] = "VmSize:", [VM_RLIMIT_DATA] = "VmData:"};
	char text[4096] = {0};
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		_exit(1);
	close(fd);
	for (unsigned i = 0; i < VM_RLIMIT_NR; i++) {
		const char *at = field[i] ? strstr(text, field[i]) : NULL;

		state.own_bytes[i] = at ? strtoull(at + strlen(field[i]), NULL, 10) << 10 : 0;
	}
}

static void begin(const struct host *h)
{
	for (unsigned i = 0; i < PLAY_PROCESSES; i++)
		if (h->socket[i][0] >= 0)
			close(h->socket[i][0]);
	state.own = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (state.own == MAP_FAILED || mprotect(state.own + PAGE_SIZE, PAGE_SIZE, PROT_NONE) != 0)
		_exit(1);
	if (prctl(PR_SET_THP_DISABLE, 1, h->huge ? THP_DISABLE_EXCEPT_ADVISED : 0, 0, 0) != 0 && !h->huge)
		_exit(1); /* where exceptions are not known, huge pages come where they are advised: host.c:check_thp */
	if (setrlimit(RLIMIT_STACK, &(struct rlimit){STACK_BYTES, RLIM_INFINITY}) != 0 &&
	    setrlimit(RLIMIT_STACK, &(struct rlimit){STACK_BYTES, STACK_BYTES}) != 0)
		_exit(1);
	sys6(SYS_brk, h->brk, 0, 0, 0, 0, 0);
	own_memory();
	catch_signals();
}

static long do_fork(unsigned *self, unsigned child)
{
	long pid = sys6(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0);

	if (pid == 0)
		*self = child;
	return pid;
}

_Noreturn void host_child(const struct host *h, unsigned self)
{
	struct play_call call;
	struct play_outcome out = {0};

	begin(h);
	send(h->socket[self][1], &out, sizeof(out), MSG_NOSIGNAL);
	while (recv(h->socket[self][1], &call, sizeof(call), 0) == (ssize_t)sizeof(call)) {
		unsigned was = self;

		out = (struct play_outcome){0};
		if (play_is_access(call.op))
			do_access(&call, &out);
		else if (call.op == PLAY_MINCORE)
			do_mincore(&call, &out);
		else if (call.op == PLAY_FORK)
			out.result = do_fork(&self, call.other);
		else if (call.op != PLAY_EXIT)
			out.result = do_call(h, &call);
		if (self == was)
			send(h->socket[self][1], &out, sizeof(out), MSG_NOSIGNAL);
		if (call.op == PLAY_EXIT)
			break;
	}
	_exit(0);
}
