/* SPDX-License-Identifier: MIT
 *
 * test/engine/sandbox.c - programs that put themselves under seccomp filters: `sandbox` runs each in a child, and prints
 * what it printed and how it ended; natively and under the engine the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOAD_NR   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define IS(nr)    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1)
#define RETURN(a) BPF_STMT(BPF_RET | BPF_K, (a))
#define ALLOW(nr) IS(nr), RETURN(SECCOMP_RET_ALLOW)

static void install(const struct sock_filter *code, size_t n)
{
	struct sock_fprog p = {(unsigned short)n, (struct sock_filter *)code};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p) != 0) {
		printf("no filter: %s\n", strerror(errno));
		fflush(stdout);
		_exit(1);
	}
}

#define INSTALL(...)                                                                                                   \
	do {                                                                                                           \
		struct sock_filter code[] = {__VA_ARGS__};                                                             \
		install(code, sizeof(code) / sizeof(code[0]));                                                         \
	} while (0)

/* Without stdio: it might make calls. */
static void say(const char *what, long value)
{
	char line[80];
	int n = snprintf(line, sizeof(line), "%s: %ld\n", what, value);

	syscall(SYS_write, 1, line, n);
}

static long failed(long ret)
{
	return ret < 0 ? errno : 0;
}

/* Touches so many pages that a ring of events is full many times. */
static void work(void)
{
	size_t bytes = 16 << 20;
	volatile char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long sum = 0;

	for (int round = 0; round < 4; round++)
		for (size_t i = 0; i < bytes; i += 4096)
			sum += ++p[i];
	say("worked", sum);
}

static void few_calls(unsigned otherwise)
{
	INSTALL(LOAD_NR, ALLOW(SYS_write), ALLOW(SYS_mmap), ALLOW(SYS_exit_group), ALLOW(SYS_exit),
		ALLOW(SYS_rt_sigreturn), RETURN(otherwise));
}

static void errors(void)
{
	struct sigaction act = {.sa_handler = SIG_IGN};
	char buffer[64];

	few_calls(SECCOMP_RET_ERRNO | EPERM);
	work();
	say("mkdir", failed(syscall(SYS_mkdir, "nodir", 0700)));
	say("sigaction", failed(sigaction(SIGUSR1, &act, NULL)));
	say("sigaltstack", failed(sigaltstack(NULL, NULL)));
	say("readlink", failed(syscall(SYS_readlink, "/proc/self/exe", buffer, 64)));
	say("fork", failed(syscall(SYS_fork)));
	say("clone", failed(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)));
	say("execve", failed(syscall(SYS_execve, "/bin/true", NULL, NULL)));
	say("getpid", failed(syscall(SYS_getpid)));
	say("close", failed(syscall(SYS_close, 999)));
}

static void killed(void)
{
	few_calls(SECCOMP_RET_KILL_PROCESS);
	work();
	say("still here", 1);
	syscall(SYS_sigaltstack, NULL, NULL);
	say("not here", 1);
}

static void on_sys(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	say("trapped", info->si_syscall);
	say("behind the instruction", (char *)info->si_call_addr == (char *)u->uc_mcontext.gregs[REG_RIP]);
	u->uc_mcontext.gregs[REG_RAX] = 4242;
}

static void trapped(void)
{
	struct sigaction act = {.sa_sigaction = on_sys, .sa_flags = SA_SIGINFO};

	sigaction(SIGSYS, &act, NULL);
	INSTALL(LOAD_NR, IS(SYS_getppid), RETURN(SECCOMP_RET_TRAP), IS(SYS_rseq), RETURN(SECCOMP_RET_TRAP),
		RETURN(SECCOMP_RET_ALLOW));
	say("emulated", syscall(SYS_getppid));
	say("again", syscall(SYS_rseq, 0, 0, 0, 0));
}

/* What no program of this kind calls itself is the end. */
static void quiet(void)
{
	struct stat st;
	int fd;

	INSTALL(LOAD_NR, IS(SYS_process_vm_readv), RETURN(SECCOMP_RET_KILL_PROCESS), IS(SYS_process_vm_writev),
		RETURN(SECCOMP_RET_KILL_PROCESS), IS(SYS_readlink), RETURN(SECCOMP_RET_KILL_PROCESS), IS(SYS_poll),
		RETURN(SECCOMP_RET_KILL_PROCESS), IS(SYS_fstat), RETURN(SECCOMP_RET_KILL_PROCESS), IS(SYS_statx),
		RETURN(SECCOMP_RET_KILL_PROCESS), RETURN(SECCOMP_RET_ALLOW));
	fd = open("/proc/self/exe", O_RDONLY);
	say("opened", fd >= 0);
	say("mapped", mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED);
	say("there", failed(syscall(SYS_newfstatat, AT_FDCWD, "/proc/self/exe", &st, 0)));
	work();
	execl("/bin/echo", "echo", "executed", NULL);
}

static void wide(void)
{
	INSTALL(LOAD_NR, IS(SYS_mkdir), RETURN(SECCOMP_RET_ERRNO | ENOSYS), RETURN(SECCOMP_RET_ALLOW));
	execl("/bin/sh", "sh", "-c", "mkdir /tmp/never; echo $?; /bin/echo executed", NULL);
}

static void strict(void)
{
	say("strict", failed(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0)));
	say("write", 1);
	syscall(SYS_exit, 3);
}

static void twice(void)
{
	INSTALL(LOAD_NR, IS(SYS_mkdir), RETURN(SECCOMP_RET_ERRNO | ENOSYS), RETURN(SECCOMP_RET_ALLOW));
	INSTALL(LOAD_NR, IS(SYS_rmdir), RETURN(SECCOMP_RET_ERRNO | EBUSY), RETURN(SECCOMP_RET_ALLOW));
	say("first", failed(rmdir("/")));
	say("second", failed(mkdir("/", 0700)));
	say("bad", failed(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 8)));
	if (fork() == 0) {
		say("inherited", failed(rmdir("/")));
		_exit(5);
	}
	wait(NULL);
}

int main(void)
{
	static void (*const each[])(void) = {errors, killed, trapped, quiet, wide, strict, twice};
	int status;

	setvbuf(stdout, NULL, _IONBF, 0);
	for (unsigned i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
		pid_t pid = fork();

		if (pid == 0) {
			each[i]();
			syscall(SYS_exit_group, 0);
		}
		waitpid(pid, &status, 0);
		printf("%u ended with %x\n", i, (unsigned)status & ~0x80u); /* a core, or none */
	}
	return 0;
}
