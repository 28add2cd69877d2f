/* SPDX-License-Identifier: MIT
 *
 * engine/seccomp.c - the program's filters are the kernel's business; they are kept here too, and asked before the
 * engine makes a call of its own (sys6() in lib/sys.h comes here): what a filter forbids is not called.
 *
 *   the program's call, forbidden   is put to the kernel as it is, though it be one that the engine answers itself
 *   the engine's own, forbidden     not made; if the engine cannot do without it, one clear line and the end
 *   execve                          followed if the filters allow what the engine needs from its start on, and do not end
 *                                   the process for the rest; so an engine that starts under filters need not know them
 *
 * A thread has a list, the latest first; a new thread or process begins with its maker's.
 *
 * Source: Linux 6.12 kernel/seccomp.c (seccomp_run_filters), net/core/filter.c; seccomp(2).
 */
#include "engine/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "engine/engine.h"
#include "engine/threads.h"
#include "lib/sys.h"

struct filter {
	const struct filter *before;
	bool strict; /* read, write, exit and sigreturn, nothing else */
	struct sock_filter code[];
};

static bool known; /* a thread has a filter, or had */

/* ---- what a filter says ---- */

static u32 alu(u32 op, u32 a, u32 b)
{
	switch (op) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return b ? a / b : 0;
	case BPF_OR:
		return a | b;
	case BPF_AND:
		return a & b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return b < 32 ? a << b : 0;
	case BPF_RSH:
		return b < 32 ? a >> b : 0;
	default:
		return -a; /* BPF_NEG */
	}
}

static bool jumps(u32 op, u32 a, u32 b)
{
	return op == BPF_JEQ ? a == b : op == BPF_JGT ? a > b : op == BPF_JGE ? a >= b : (a & b) != 0;
}

/* The kernel has checked the program: it ends, and stays in its bounds. */
static u32 verdict(const struct filter *f, const struct seccomp_data *data)
{
	u32 a = 0, x = 0, mem[BPF_MEMWORDS] = {0};

	for (const struct sock_filter *i = f->code;; i++) {
		u32 operand = BPF_SRC(i->code) == BPF_X ? x : i->k;

		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
		case BPF_LDX: {
			u32 mode = BPF_MODE(i->code), value = i->k;

			if (mode == BPF_MEM)
				value = mem[i->k];
			else if (mode == BPF_ABS)
				memcpy(&value, (const u8 *)data + i->k, 4);
			else if (mode == BPF_LEN)
				value = sizeof(*data);
			if (mode == BPF_ABS && i->k - offsetof(struct seccomp_data, instruction_pointer) < 8)
				die("a seccomp filter that asks for the address of a call is not supported", "", 0);
			*(BPF_CLASS(i->code) == BPF_LD ? &a : &x) = value;
			break;
		}
		case BPF_ST:
			mem[i->k] = a;
			break;
		case BPF_STX:
			mem[i->k] = x;
			break;
		case BPF_ALU:
			a = alu(BPF_OP(i->code), a, operand);
			break;
		case BPF_JMP:
			i += BPF_OP(i->code) == BPF_JA ? i->k : jumps(BPF_OP(i->code), a, operand) ? i->jt : i->jf;
			break;
		case BPF_MISC:
			*(BPF_MISCOP(i->code) == BPF_TAX ? &x : &a) = BPF_MISCOP(i->code) == BPF_TAX ? a : x;
			break;
		default: /* BPF_RET */
			return BPF_RVAL(i->code) == BPF_A ? a : i->k;
		}
	}
}

enum answer { ALLOWED, AN_ERROR, THE_END }; /* THE_END: or a signal, or somebody else decides */

static enum answer ask(const struct filter *f, long nr, const u64 a[6])
{
	struct seccomp_data data = {(int)nr, AUDIT_ARCH_X86_64, 0, {a[0], a[1], a[2], a[3], a[4], a[5]}};
	enum answer worst = ALLOWED;
	u32 action;

	for (; f; f = f->before) {
		if (f->strict)
			action = nr == SYS_read || nr == SYS_write || nr == SYS_exit || nr == SYS_rt_sigreturn
				     ? SECCOMP_RET_ALLOW
				     : SECCOMP_RET_KILL_THREAD;
		else
			action = verdict(f, &data) & SECCOMP_RET_ACTION_FULL;
		if (action == SECCOMP_RET_ERRNO)
			worst = worst == THE_END ? THE_END : AN_ERROR;
		else if (action != SECCOMP_RET_ALLOW && action != SECCOMP_RET_LOG)
			worst = THE_END;
	}
	return worst;
}

bool seccomp_allows(const struct filter *f, long nr, const u64 a[6])
{
	return ask(f, nr, a) == ALLOWED;
}

bool seccomp_allows_engine(const struct filter *f)
{
	static const u16 needed[] = {
	    SYS_access,       SYS_arch_prctl,  SYS_close,    SYS_execve,       SYS_exit_group,     SYS_fcntl,
	    SYS_fstat,        SYS_futex,       SYS_getpid,   SYS_getrlimit,    SYS_gettid,         SYS_lseek,
	    SYS_mmap,         SYS_mprotect,    SYS_mremap,   SYS_munmap,       SYS_openat,         SYS_prctl,
	    SYS_pread64,      SYS_read,        SYS_readlink, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_write,
	    SYS_rt_sigreturn, SYS_sigaltstack,
	};
	static const u16 wanted[] = {
	    SYS_clock_gettime,
	    SYS_dup3,
	    SYS_execveat,
	    SYS_faccessat2,
	    SYS_fgetxattr,
	    SYS_getegid,
	    SYS_geteuid,
	    SYS_kill,
	    SYS_memfd_create,
	    SYS_mincore,
	    SYS_nanosleep,
	    SYS_personality,
	    SYS_poll,
	    SYS_prlimit64,
	    SYS_process_vm_readv,
	    SYS_shmctl,
	    SYS_process_vm_writev,
	    SYS_rt_tgsigqueueinfo,
	    SYS_stat,
	    SYS_statx,
	};
	static const u64 none[6];

	for (u64 i = 0; f && i < ARRAY_SIZE(needed); i++)
		if (ask(f, needed[i], none) != ALLOWED)
			return false;
	for (u64 i = 0; f && i < ARRAY_SIZE(wanted); i++)
		if (ask(f, wanted[i], none) == THE_END)
			return false;
	return true;
}

/* ---- the engine's own calls ---- */

/* What the engine cannot do without. */
static bool must_have(long nr)
{
	return nr == SYS_rt_sigprocmask || nr == SYS_rt_sigaction || nr == SYS_rt_tgsigqueueinfo || nr == SYS_getpid ||
	       nr == SYS_gettid || nr == SYS_arch_prctl;
}

long sys6(long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	if (unlikely(known) && !seccomp_allows(thread_here()->filters, nr, (u64[6]){a, b, c, d, e, f})) {
		if (must_have(nr))
			die("a seccomp filter of the program's forbids what the engine needs, system call", "",
			    (u64)nr);
		return -EPERM;
	}
	return sys_raw(nr, a, b, c, d, e, f);
}

/* ---- installed ---- */

/* A copy of the filter that the program is about to install; NULL: it cannot be read, and the kernel will say so. */
static struct filter *copy(u64 program_at)
{
	struct sock_fprog program;
	struct filter *f;
	u64 bytes;

	if (program_read(&program, program_at, sizeof(program)) != sizeof(program) || program.len > BPF_MAXINSNS)
		return NULL;
	bytes = program.len * sizeof(struct sock_filter);
	f = memory_get(sizeof(*f) + bytes);
	return program_read(f->code, (u64)program.filter, bytes) == bytes ? f : NULL;
}

long seccomp_call(struct thread *t, long nr, const u64 a[6])
{
	bool strict = nr == SYS_prctl ? a[1] == SECCOMP_MODE_STRICT : a[0] == SECCOMP_SET_MODE_STRICT;
	bool filters = nr == SYS_prctl ? a[1] == SECCOMP_MODE_FILTER : a[0] == SECCOMP_SET_MODE_FILTER;
	struct filter *f = NULL;
	long ret;

	if (strict)
		f = memory_get(sizeof(*f));
	else if (filters)
		f = copy(a[2]);
	if (nr == SYS_seccomp && a[1] & SECCOMP_FILTER_FLAG_TSYNC && t->process->nr_threads > 1)
		die("a seccomp filter for all threads at once is not supported while there are others", "", 0);
	ret = gate_call(nr, a);
	if (!f || ret < 0 || ret == GATE_NOT_BEGUN)
		return ret;
	f->strict = strict;
	f->before = t->filters;
	t->filters = f;
	known = true;
	return ret;
}
