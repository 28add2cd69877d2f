/* SPDX-License-Identifier: MIT
 *
 * plugin/calls.c - system calls: what becomes of a thread and its process. All else about them is trace/calls.c's.
 *
 *   on_call      EV_COUNTS, EV_SYSCALL; what cannot wait: exit, exec
 *      (QEMU carries it out)
 *   on_return    EV_TOUCH...; the change of a mapping; a child
 *
 * Threads of one process make the calls that change mappings one at a time, from entry to return (QEMU locks them
 * anyway): so the events' order is the kernel's, also when one thread gets the addresses that another has just given
 * back.
 *
 * exec replaces the process image, and then nobody is left to tell. So the stream's end is written into the will before
 * the call, and taken back if the call returns: it failed. exit and exit_group never return.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "plugin/plugin.h"
#include "plugin/qemu.h"

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

static void on_exit_group(struct thread *t)
{
	emit_wills(t, true, EVX_EXIT, NULL);
	emit_exit(t, EVX_EXIT, t->call.arg[0]);
}

static void on_exit(struct thread *t)
{
	emit_exit(t, EVX_EXIT, t->call.arg[0]);
	t->alive = false;
	__atomic_fetch_sub(&process.nr_threads, 1, __ATOMIC_SEQ_CST);
}

static void on_exec(struct thread *t, const char *path)
{
	if (!t->ring)
		return;
	emit_wills(t, true, EVX_EXEC, path);
	ring_watch_exec(t->ring, true);
}

static void exec_failed(struct thread *t)
{
	if (!t->ring)
		return;
	ring_watch_exec(t->ring, false);
	emit_wills(t, false, 0, NULL);
}

static bool makes_thread(const struct call *c)
{
	return c->nr == SYS_clone && (c->arg[0] & CLONE_VM) && !(c->arg[0] & CLONE_VFORK);
}

/* QEMU translates everything anew, for parallel execution, before the first of these, and then no more. */
static bool makes_parallel(const struct call *c)
{
	return makes_thread(c) || c->nr == SYS_shmat || (c->nr == SYS_mmap && (c->arg[3] & MAP_SHARED));
}

static bool makes_process(const struct call *c)
{
	return c->nr == SYS_fork || c->nr == SYS_vfork || (c->nr == SYS_clone && !makes_thread(c));
}

static bool shares_space(const struct call *c)
{
	return c->nr == SYS_vfork || (c->nr == SYS_clone && (c->arg[0] & CLONE_VM));
}

/* In the parent and in the child. QEMU makes a vfork a fork; on Linux the child borrows its parent's address space. */
static void forked(struct thread *t, s64 child)
{
	struct ev_fork e = {child, shares_space(&t->call) ? EVF_VM : 0};

	if (child == 0) {
		process_forked(t);
		pthread_mutex_init(&order, NULL); /* another thread of the parent may have held it; here it is gone */
	} else if (child > 0 && thread_ready(t)) {
		emit_change(t, EV_FORK, 0, &e, EV_PAYLOAD_WORDS(e), NULL);
	}
}

static void on_call(qemu_plugin_id_t id, unsigned vcpu, s64 nr, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6, u64 a7,
		    u64 a8)
{
	struct thread *t = self = threads[vcpu];

	t->call = (struct call){nr, {a1, a2, a3, a4, a5, a6}, 0};
	if (emit_begin(t))
		calls_enter(&process.calls, t, &t->call);
	if (makes_parallel(&t->call))
		process.parallel = true;
	if (nr == SYS_exit && process.nr_threads > 1)
		on_exit(t);
	else if (nr == SYS_exit || nr == SYS_exit_group)
		on_exit_group(t);
	else if (nr == SYS_execve || nr == SYS_execveat)
		on_exec(t, (const char *)(nr == SYS_execve ? a1 : a2));
	else if (calls_is_map(&t->call))
		pthread_mutex_lock(&order);
}

static void on_return(qemu_plugin_id_t id, unsigned vcpu, s64 nr, s64 ret)
{
	struct thread *t = threads[vcpu];

	if (makes_process(&t->call))
		forked(t, ret);
	else if (nr == SYS_execve || nr == SYS_execveat)
		exec_failed(t);
	if (thread_ready(t) && !(makes_process(&t->call) && ret == 0))
		calls_return(&process.calls, t, &t->call, ret);
	if (calls_is_map(&t->call))
		pthread_mutex_unlock(&order);
	t->call.nr = -1;
}

void calls_install(u64 id)
{
	process.calls.ops = &host_ops;
	qemu_plugin_register_vcpu_syscall_cb(id, on_call);
	qemu_plugin_register_vcpu_syscall_ret_cb(id, on_return);
}
