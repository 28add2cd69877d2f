/* SPDX-License-Identifier: MIT
 *
 * play/host.h - the same steps as real system calls and real accesses on the Linux that runs this. Each process of the
 * script is a process here, which takes its steps over a socket:
 *
 *   quire --socket 0--> main      a step: struct play_call; the answer: struct play_outcome
 *     |                   `-fork-> child     it takes over socket 1
 *     `-----socket 1-----------------^
 */
#ifndef PLAY_HOST_H
#define PLAY_HOST_H

#include <sys/types.h>

#include "play/maps.h"
#include "play/script.h"

struct host {
	int socket[PLAY_PROCESSES][2]; /* [0] is ours */
	pid_t pid[PLAY_PROCESSES];     /* 0: not begun, or gone */
	int pidfd[PLAY_PROCESSES];
	int file[PLAY_FILES]; /* each process has them by the same numbers */
	int pipe[2];          /* of vmsplice and drain */
	u64 brk;              /* where heaps begin here */
	bool huge;            /* the script asks for huge pages */
	bool collapses;       /* it makes some of small ones */
	u64 disturbed;        /* before we began: what host_was_disturbed() compares with */
	char error[SCRIPT_TEXT];
};

/* Returns 0, or -1 with error set: this host cannot do it. Process 0 lives then. */
int host_init(struct host *h, const struct script *s);
void host_destroy(struct host *h);
/* Returns 0, or -1 with error set: the process is gone, or does not answer. */
int host_call(struct host *h, const struct play_call *call, struct play_outcome *out);
/* True when this Linux was short of huge pages meanwhile, or khugepaged made one: a difference may come from that. */
bool host_was_disturbed(const struct host *h);
/* The areas of a process within the window and from the heap's beginning on. rss: of the window only. */
int host_maps(struct host *h, unsigned process, struct play_maps *out);

/* host_child.c: a process of the script; does not return. self: its number. */
_Noreturn void host_child(const struct host *h, unsigned self);

#endif
