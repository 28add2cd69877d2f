/* SPDX-License-Identifier: MIT
 *
 * test/engine/threads.c WHAT [N]: what programs do with threads. Prints what came of it: natively and under whatever
 * runs it the same.
 */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX 5000

static pthread_t thread[MAX];
static int n;

static void start(void *(*go)(void *))
{
	for (long i = 0; i < n; i++)
		if (pthread_create(&thread[i], NULL, go, (void *)i) != 0) {
			printf("thread %ld did not begin\n", i);
			exit(1);
		}
}

/* Returns the sum of what they returned. */
static long join(void)
{
	long sum = 0;

	for (int i = 0; i < n; i++) {
		void *ret;

		pthread_join(thread[i], &ret);
		sum += (long)ret;
	}
	return sum;
}

/* ---- locks, conditions, thread-local memory ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn = PTHREAD_COND_INITIALIZER;
static __thread long mine;
static long counted, whose;

static void *lock_and_count(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&mutex);
		counted += (long)arg;
		mine++;
		pthread_mutex_unlock(&mutex);
	}
	for (int i = 0; i < 20; i++) {
		pthread_mutex_lock(&mutex);
		while (whose != (long)arg)
			pthread_cond_wait(&turn, &mutex);
		whose = (whose + 1) % n;
		pthread_cond_broadcast(&turn);
		pthread_mutex_unlock(&mutex);
	}
	return (void *)mine;
}

static void locks(void)
{
	start(lock_and_count);
	printf("%ld", join());
	printf(" %ld %ld\n", counted, whose);
}

/* ---- many threads, all there at once ---- */

static pthread_barrier_t all;

static void *meet(void *arg)
{
	pthread_barrier_wait(&all);
	return arg;
}

static void many(void)
{
	pthread_barrier_init(&all, NULL, (unsigned)n);
	start(meet);
	printf("%ld\n", join());
}

/* ---- signals ---- */

static atomic_int came, sent;
static atomic_bool enough;
static __thread volatile long in_handler;

static void on_signal(int sig)
{
	in_handler++;
	came++;
}

/* Whatever it does, a handler that interrupts it must leave it as it was. */
static void *work(void *arg)
{
	double x = (double)(long)arg;
	long sum = 0;
	char text[64];

	for (int i = 0; !enough || i < 100; i++) {
		x = x * 1.0001 + 1;
		sum += snprintf(text, sizeof(text), "%d", i % 1000);
		if (i % 10000 == 9999) {
			double check = (double)(long)arg;

			for (int k = 0; k <= i; k++)
				check = check * 1.0001 + 1;
			if (check != x)
				return (void *)-1000000;
			i = -1;
			x = (double)(long)arg;
		}
	}
	return (void *)(long)(sum > 0);
}

static void *waits(void *arg)
{
	static sem_t never;

	while (!enough)
		sem_wait(&never); /* EINTR */
	return (void *)1;
}

static void *work_or_wait(void *arg)
{
	return (long)arg % 3 == 2 ? waits(arg) : work(arg);
}

/* A storm of signals on each of them; as many come as were sent one by one. */
static void storm(void)
{
	struct sigaction act = {.sa_handler = on_signal};

	sigaction(SIGURG, &act, NULL);
	start(work_or_wait);
	for (int i = 0; i < 400; i++) {
		int before = came;

		if (pthread_kill(thread[i % n], SIGURG) != 0)
			break;
		for (int naps = 0; i % 4 && came == before && naps < 10; naps++)
			usleep(100);
		sent++;
	}
	enough = true;
	for (int i = 0; i < n; i++)
		for (int k = 0; i % 3 == 2 && k < 3; k++) {
			pthread_kill(thread[i], SIGURG);
			usleep(2000);
		}
	printf("%ld of %d, %d sent, came: %s\n", join(), n, sent, came > 50 ? "most" : "too few");
}

/* Queued signals are not lost: as many come as were sent. */
static atomic_int queued;

static void on_queued(int sig, siginfo_t *info, void *context)
{
	queued += info->si_value.sival_int;
}

static void *work_queued(void *arg)
{
	work(arg);
	return NULL;
}

static void queue(void)
{
	struct sigaction act = {.sa_sigaction = on_queued, .sa_flags = SA_SIGINFO | SA_RESTART};
	int told = 0;

	sigaction(SIGRTMIN + 1, &act, NULL);
	start(work_queued);
	for (int i = 0; i < 300; i++)
		if (pthread_sigqueue(thread[i % n], SIGRTMIN + 1, (union sigval){.sival_int = 1}) == 0)
			told++;
		else
			i--, usleep(100);
	while (queued < told)
		usleep(100);
	enough = true;
	join();
	printf("%d %d\n", told, queued);
}

/* ---- faults that a handler repairs, in several threads at once ---- */

static char *arena;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	mprotect((void *)((unsigned long)info->si_addr & ~4095ul), 4096, PROT_READ | PROT_WRITE);
}

static void *fault(void *arg)
{
	char *begin = arena + (long)arg * 64 * 4096;

	for (int i = 0; i < 64; i++)
		begin[i * 4096]++;
	return (void *)(long)begin[63 * 4096];
}

static void faults(void)
{
	struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

	sigaction(SIGSEGV, &act, NULL);
	arena = mmap(NULL, (size_t)n * 64 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	start(fault);
	printf("%ld\n", join());
}

/* ---- children of threads ---- */

static int status_of(pid_t pid)
{
	int status = -1;

	if (pid <= 0 || waitpid(pid, &status, 0) != pid)
		return 1000;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static __attribute__((noinline)) int by_vfork(char **argv)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execv(argv[0], argv);
		_exit(100);
	}
	return status_of(pid);
}

static void *fork_and_spawn(void *arg)
{
	extern char **environ;
	char *exits[] = {"/bin/sh", "-c", "exit 3", NULL}, *words[] = {"/bin/sh", "-c", "exit 4", NULL};
	long sum = 0;
	pid_t pid;

	for (int i = 0; i < 3; i++) {
		char *memory = malloc(100000);

		memset(memory, i, 100000);
		pid = fork();
		if (pid == 0) {
			pthread_t t;
			void *ret;

			memset(memory, 9, 100000);
			pthread_create(&t, NULL, fault, (void *)0);
			pthread_join(t, &ret);
			_exit(2);
		}
		sum += status_of(pid);
		free(memory);
		sum += posix_spawn(&pid, exits[0], NULL, NULL, exits, environ) ? 10000 : status_of(pid);
		sum += by_vfork(words);
	}
	return (void *)sum;
}

static void children(void)
{
	arena = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	start(fork_and_spawn);
	printf("%ld\n", join());
}

/* ---- ends ---- */

static void *for_ever(void *arg)
{
	for (;;)
		(long)arg % 2 ? (void)pause() : (void)work(arg);
	return NULL;
}

static void *executes(void *arg)
{
	pthread_barrier_wait(&all); /* while one executes clone fails */
	if (arg)
		return for_ever(arg);
	execl("/bin/echo", "echo", "executed", NULL);
	return NULL;
}

/* In a thread that is not the first. */
static void exec_in_thread(void)
{
	pthread_barrier_init(&all, NULL, (unsigned)n);
	start(executes);
	join();
}

static void *exits(void *arg)
{
	if (arg)
		return for_ever(arg);
	printf("exits\n");
	exit(7);
}

static void exit_in_thread(void)
{
	start(exits);
	join();
}

static void *crashes(void *arg)
{
	if (arg)
		return for_ever(arg);
	*(volatile int *)8 = 0;
	return NULL;
}

static void crash_in_thread(void)
{
	start(crashes);
	join();
}

static void *outlives(void *arg)
{
	usleep(20000);
	if (!arg) {
		printf("the first has gone\n");
		fflush(stdout);
	}
	return NULL;
}

/* The first thread ends before the others. */
static void first_ends(void)
{
	start(outlives);
	pthread_exit(NULL);
}

static void *executes_later(void *arg)
{
	usleep(20000);
	if (!arg)
		execl("/bin/echo", "echo", "executed without the first", NULL);
	pause();
	return NULL;
}

static void first_ends_exec(void)
{
	start(executes_later);
	pthread_exit(NULL);
}

/* ---- threads that come and go, while mappings do ---- */

static void *come_and_go(void *arg)
{
	for (int i = 0; i < 50; i++) {
		size_t bytes = (size_t)(4096 << i % 5);
		char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		p[0] = 1;
		p[bytes - 1] = 2;
		if (i % 3 == 0)
			mprotect(p, 4096, PROT_READ);
		if (p[0] + p[bytes - 1] != 3)
			return (void *)-1000;
		munmap(p, bytes);
	}
	return (void *)1;
}

static void churn(void)
{
	long sum = 0;

	for (int i = 0; i < 20; i++) {
		start(come_and_go);
		sum += join();
	}
	printf("%ld\n", sum);
}

/* ---- children that are killed ---- */

static _Atomic pid_t victim;

static void *kill_victims(void *arg)
{
	for (int killed = 0; killed < n;) {
		pid_t pid = atomic_exchange(&victim, 0);

		if (!pid)
			continue;
		usleep((useconds_t)(killed * 37 % 2000));
		kill(pid, SIGKILL);
		killed++;
	}
	return arg;
}

/* A vfork's child that runs code that is always new. Its parent goes on when it is killed, wherever it was. */
static __attribute__((noinline)) int run_till_killed(unsigned char *code)
{
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		victim = getpid();
		for (;; code[1]++)
			((void (*)(void))(void *)code)();
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static void killed_children(void)
{
	unsigned char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t killer;
	int killed = 0;

	memcpy(code, "\xb8\0\0\0\0\xc3", 6); /* mov eax, 0; ret */
	pthread_create(&killer, NULL, kill_victims, NULL);
	for (int i = 0; i < n; i++)
		killed += run_till_killed(code);
	pthread_join(killer, NULL);
	printf("killed: %d\n", killed);
}

/* ---- processes that share this memory, beside their parent ---- */

static atomic_int shared;

static int shares(void *how)
{
	char *argv[] = {"/bin/sh", "-c", "exit 7", NULL};

	atomic_fetch_add(&shared, 1);
	if (how == (void *)1)
		kill(getpid(), SIGKILL);
	if (how == (void *)2)
		execv(argv[0], argv);
	return 3;
}

/* One that ends, one that kills itself, and so holds no lock of an engine's, one that executes; each time code that is
 * always new here. */
static void sharers(void)
{
	unsigned char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static char stack[65536] __attribute__((aligned(16)));

	memcpy(code, "\xb8\0\0\0\0\xc3", 6); /* mov eax, 0; ret */
	for (long i = 0; i < n; i++) {
		pid_t pid =
		    clone(shares, stack + sizeof(stack), CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD, (void *)(i % 3));

		while (atomic_load(&shared) <= i)
			sched_yield();
		for (int k = 0; k < 500; code[1]++, k++)
			((void (*)(void))(void *)code)();
		printf("%d ", status_of(pid));
		for (int k = 0; k < 2000; code[1]++, k++)
			((void (*)(void))(void *)code)();
	}
	printf("shared: %d\n", atomic_load(&shared));
}

static const struct {
	const char *name;
	void (*run)(void);
	int n;
} cases[] = {
    {"locks", locks, 4},
    {"many", many, 1000},
    {"storm", storm, 6},
    {"queue", queue, 4},
    {"faults", faults, 8},
    {"children", children, 4},
    {"exec", exec_in_thread, 4},
    {"exit", exit_in_thread, 4},
    {"crash", crash_in_thread, 4},
    {"first-ends", first_ends, 4},
    {"first-ends-exec", first_ends_exec, 3},
    {"churn", churn, 8},
    {"killed-children", killed_children, 100},
    {"sharers", sharers, 12},
};

int main(int argc, char **argv)
{
	for (unsigned i = 0; argc > 1 && i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(argv[1], cases[i].name) != 0)
			continue;
		n = argc > 2 ? atoi(argv[2]) : cases[i].n;
		n = n > MAX ? MAX : n;
		cases[i].run();
		return 0;
	}
	return 2;
}
