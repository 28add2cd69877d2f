/* SPDX-License-Identifier: MIT
 *
 * test/programs/family.c - children of every kind: fork, vfork, clone with and without CLONE_VM, posix_spawn, execs
 * that fail and that succeed, a child that kills itself. Prints one line a child: its kind and how it ended.
 */
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char block[64 * 4096];

static void report(const char *kind, pid_t pid)
{
	int status = 0;

	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror(kind);
		exit(1);
	}
	if (WIFSIGNALED(status))
		printf("%s: signal %d\n", kind, WTERMSIG(status));
	else
		printf("%s: exit %d\n", kind, WEXITSTATUS(status));
	fflush(stdout);
}

static void child_writes(void)
{
	memset(block, 2, sizeof(block));
	_exit(3);
}

int main(void)
{
	char *const truth[] = {"true", NULL};
	pid_t pid;

	memset(block, 1, sizeof(block));
	pid = fork();
	if (pid == 0)
		child_writes();
	report("fork", pid);
	pid = vfork();
	if (pid == 0)
		_exit(4);
	report("vfork", pid);
	pid = vfork();
	if (pid == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(127);
	}
	report("vfork, exec", pid);
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		child_writes();
	report("clone", pid);
	if (posix_spawn(&pid, "/bin/true", NULL, NULL, truth, environ) != 0)
		pid = -1;
	report("posix_spawn", pid);
	pid = fork();
	if (pid == 0) {
		execl("/no/such/program", "program", (char *)NULL);
		_exit(5);
	}
	report("exec that fails", pid);
	pid = fork();
	if (pid == 0)
		kill(getpid(), SIGKILL);
	report("killed", pid);
	return 0;
}
