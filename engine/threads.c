/* SPDX-License-Identifier: MIT
 *
 * engine/threads.c - a thread's and a process's birth and end.
 *
 *                      memory    process    the child's first words
 *   fork               a copy    a copy     a ring of its own; its parent says EV_FORK
 *   vfork              shared    its own    EV_FORK in its parent's ring, which stands still; then a ring of its own
 *   a sharer           shared    its own    as a fork's: clone with CLONE_VM alone, as LeakSanitizer's
 *   a thread           shared    shared     a ring of its own
 *
 * A child has no gs of its own yet when it begins, so all signals are blocked from before its birth till it has.
 *
 * A thread that ends gives its task away before it leaves: its last instructions (clone.S) use no memory but the lock
 * that they open.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <linux/sched.h>

#include "engine/areas.h"
#include "engine/events.h"
#include "engine/seccomp.h"

struct lock maps;

static struct lock tasks;
static struct task *free_tasks;

long clone_on(u64 flags, u64 stack, u64 parent_tid, u64 child_tid, u64 tls, struct thread *t);
_Noreturn void leave_thread(struct lock *l, u64 status);

/* ---- tasks ---- */

struct task *task_get(void)
{
	struct task *k;

	lock_take(&tasks);
	k = free_tasks;
	if (k)
		free_tasks = k->next_free;
	lock_give(&tasks);
	if (!k)
		k = memory_get(sizeof(*k));
	thread_init(&k->thread, k->stack[1] + RUNTIME_STACK, ring_hub_window(hub));
	k->signals = (struct thread_signals){.altstack.ss_flags = SS_DISABLE};
	k->vfork_parent = NULL;
	return k;
}

/* The lock is held. */
static void task_free(struct task *k)
{
	k->next_free = free_tasks;
	free_tasks = k;
}

/* Nobody runs on it any more, or has begun to. */
static void task_put(struct task *k)
{
	k->thread.in = 0;
	thread_remove(&k->thread);
	lock_take(&tasks);
	task_free(k);
	lock_give(&tasks);
}

/* ---- birth ---- */

struct birth {
	u64 flags, stack, parent_tid, child_tid, tls;
	u64 mask; /* the program's */
};

/* A task for the child of t, at the instruction behind the call. */
static struct task *child_task(const struct thread *t, const struct birth *b)
{
	struct task *k = task_get();
	struct thread *c = &k->thread;

	memcpy(c->gpr, t->gpr, sizeof(c->gpr));
	c->gpr[RAX] = 0;
	c->gpr[RCX] = t->pc;
	c->gpr[R11] = t->flags;
	if (b->stack)
		c->gpr[RSP] = b->stack;
	c->flags = t->flags;
	c->traced = t->traced;
	c->pc = t->pc;
	c->fs_base = b->flags & CLONE_SETTLS ? b->tls : t->fs_base;
	c->gs_base = t->gs_base;
	c->process = t->process;
	c->filters = t->filters;
	k->signals.mask = b->mask;
	k->signals.begins_clear = b->flags & CLONE_CLEAR_SIGHAND;
	k->signals.last = task_of(t)->signals.last;
	return k;
}

static long clone_task(struct task *k, const struct birth *b)
{
	return clone_on(b->flags, (u64)k->stack[0] + RUNTIME_STACK, b->parent_tid, b->child_tid, b->tls, &k->thread);
}

static long make_thread(struct thread *t, const struct birth *b)
{
	struct task *k = child_task(t, b);
	long ret;

	__atomic_add_fetch(&t->process->nr_threads, 1, __ATOMIC_SEQ_CST);
	ret = clone_task(k, b);
	if (ret < 0) {
		__atomic_sub_fetch(&t->process->nr_threads, 1, __ATOMIC_SEQ_CST);
		task_put(k);
	}
	return ret;
}

/* A vfork's child is dead or has executed. It may have been killed with locks: what was changed under them is made anew. */
static void unlock_for(struct task *k)
{
	k->thread.in = 0;
	if (lock_is_held(&tasks, k, k + 1))
		lock_give(&tasks);
	if (cache_is_locked(k, k + 1)) {
		runtime_lost();
		cache_unlock();
	}
	if (lock_is_held(&maps, k, k + 1)) {
		areas_lost();
		lock_give(&maps);
	}
}

/* The child will be a process in this memory. */
static struct task *child_process(struct thread *t, const struct birth *b)
{
	struct task *k = child_task(t, b);

	lock_take(&t->process->told);
	lock_take(&t->process->actions);
	k->own = *t->process;
	lock_give(&t->process->actions);
	lock_give(&t->process->told);
	k->own.told = k->own.actions = (struct lock){0};
	k->thread.process = &k->own;
	return k;
}

/* The child borrows this memory; t stands still until it executes or ends. */
static long make_vfork(struct thread *t, const struct birth *b)
{
	struct task *k = child_process(t, b);
	int hub_fd = descriptor_hub();
	long ret;

	k->signals.altstack = task_of(t)->signals.altstack;
	k->vfork_parent = t;
	ret = clone_task(k, b);
	unlock_for(k);
	task_put(k);
	limits_set(t->process, LIMITS_PROGRAM); /* the engine may have mapped more there */
	if (descriptor_hub() != hub_fd)         /* the child's descriptors are its own */
		descriptor_keep(hub_fd, true);
	return ret;
}

static struct task *dead_sharer(void)
{
	struct thread *t;

	cache_lock();
	for (t = threads; t && thread_is_alive(t); t = t->next)
		;
	cache_unlock();
	return t ? task_of(t) : NULL;
}

/* The child goes on beside t. Nobody here is told of its end, but the kernel clears a word then. */
static long make_sharer(struct thread *t, const struct birth *b)
{
	struct birth watched = *b;
	struct task *k;
	long ret;

	while ((k = dead_sharer()))
		task_put(k);
	k = child_process(t, b);
	watched.flags |= CLONE_CHILD_CLEARTID;
	watched.child_tid = (u64)&k->thread.alive;
	ret = clone_task(k, &watched);
	if (ret < 0)
		task_put(k);
	else if (t->ring)
		events_change(t, EV_FORK, 0, &(struct ev_fork){(u64)ret, EVF_VM}, EV_PAYLOAD_WORDS(struct ev_fork),
			      NULL);
	return ret;
}

/* A child of its own memory goes on right here. Nobody else holds a lock meanwhile, so it finds none taken. */
static long make_fork(struct thread *t, const struct birth *b)
{
	long ret;

	lock_take(&maps);
	lock_take(&t->process->told);
	lock_take(&t->process->actions);
	cache_lock();
	lock_take(&tasks);
	ret = sys6(SYS_clone, b->flags, 0, b->parent_tid, b->child_tid, b->tls, 0);
	if (ret == 0)
		threads_forget_others(t);
	lock_give(&tasks);
	cache_unlock();
	lock_give(&t->process->actions);
	lock_give(&t->process->told);
	lock_give(&maps);
	t->rseq_due = ret >= 0;
	if (ret == 0) {
		if (b->flags & CLONE_CLEAR_SIGHAND)
			signals_clear(t);
		events_forked(t);
		rseq_touch(t);
		if (b->stack)
			t->gpr[RSP] = b->stack;
		if (b->flags & CLONE_SETTLS)
			t->fs_base = b->tls;
	} else if (ret > 0 && t->ring) {
		events_change(t, EV_FORK, 0, &(struct ev_fork){(u64)ret, 0}, EV_PAYLOAD_WORDS(struct ev_fork), NULL);
	}
	return ret;
}

static void refuse(u64 flags)
{
	const u64 thread = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FILES;

	if (!(flags & CLONE_VM) || (flags & thread) == thread)
		return;
	if (flags & (CLONE_THREAD | CLONE_SIGHAND) ||
	    (!(flags & CLONE_VFORK) && flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)))
		die("the engine does not run such a clone that shares memory; flags", "", flags);
}

long thread_clone(struct thread *t, u64 flags, u64 stack, u64 parent_tid, u64 child_tid, u64 tls)
{
	struct birth b = {flags, stack, parent_tid, child_tid, tls, 0};
	long ret = GATE_NOT_BEGUN;

	if (flags & CLONE_THREAD && !(flags & CLONE_SIGHAND))
		return -EINVAL;
	refuse(flags);
	b.mask = signals_block();
	if (!t->pending)
		ret = !(flags & CLONE_VM)    ? make_fork(t, &b)
		      : flags & CLONE_THREAD ? make_thread(t, &b)
		      : flags & CLONE_VFORK  ? make_vfork(t, &b)
					     : make_sharer(t, &b);
	signals_unblock(b.mask);
	return ret;
}

/* What clone can do, and handlers that are cleared; the rest is unknown here, as it was to older kernels. */
long thread_clone3(struct thread *t, u64 args, u64 bytes)
{
	struct clone_args a = {0};
	u64 parent_tid;

	if (bytes < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	bytes = min(bytes, (u64)sizeof(a) + 1);
	if (program_read(&a, args, min(bytes, (u64)sizeof(a))) != min(bytes, (u64)sizeof(a)))
		return -EFAULT;
	parent_tid = a.flags & CLONE_PIDFD ? a.pidfd : a.parent_tid;
	if (a.flags >> 32 & ~(CLONE_CLEAR_SIGHAND >> 32) || a.flags & 0xff || a.set_tid_size || bytes > sizeof(a) ||
	    (a.flags & CLONE_PIDFD && a.flags & CLONE_PARENT_SETTID))
		return -ENOSYS;
	if (a.exit_signal > NR_SIGNALS || !a.stack != !a.stack_size ||
	    (a.flags & CLONE_CLEAR_SIGHAND && a.flags & CLONE_SIGHAND))
		return -EINVAL;
	return thread_clone(t, a.flags | a.exit_signal, a.stack + a.stack_size, parent_tid, a.child_tid, a.tls);
}

void child_main(struct thread *t)
{
	const struct thread *parent = task_of(t)->vfork_parent;

	sys3(SYS_arch_prctl, ARCH_SET_GS, (u64)t, 0);
	t->tid = (u64)sys3(SYS_gettid, 0, 0, 0);
	if (parent)
		events_vforked(t, task_of(t)->vfork_parent);
	else if (t->process == &task_of(t)->own)
		events_forked(t);
	signals_thread_begin(t);
	run(t);
}

/* ---- end ---- */

void thread_exit(struct thread *t, u64 status)
{
	struct task *k = task_of(t);

	events_exit(t, EVX_EXIT, status);
	__atomic_sub_fetch(&t->process->nr_threads, 1, __ATOMIC_SEQ_CST);
	if (seccomp_allows(t->filters, SYS_rt_sigprocmask, (u64[6]){0}))
		signals_block();
	else /* its task is lost */
		sys3(SYS_exit, status, 0, 0);
	if (t->process == &k->own) { /* it is where the process is */
		sys3(SYS_exit, status, 0, 0);
		__builtin_unreachable();
	}
	thread_remove(t);
	lock_take(&tasks);
	task_free(k);
	leave_thread(&tasks, status);
}
