/* SPDX-License-Identifier: MIT
 *
 * test/engine/selfmod.c - programs that change their code: in every way that one can, each followed by what a CPU does
 * with the code as it is then. Prints what came of it; natively and under whatever runs it the same.
 *
 * usage: selfmod [SEED PROGRAMS]: so many random programs that patch themselves all the time, instead
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "test/engine/random.h"

#define RW  (PROT_READ | PROT_WRITE)
#define RX  (PROT_READ | PROT_EXEC)
#define RWX (PROT_READ | PROT_WRITE | PROT_EXEC)

typedef unsigned char byte;
typedef int function(void);

static sigjmp_buf back;
static siginfo_t seen;
static byte *seen_rip;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	seen = *info;
	seen_rip = (byte *)u->uc_mcontext.gregs[REG_RIP];
	siglongjmp(back, 1);
}

static void say(const char *what, int value)
{
	printf("%s: %d\n", what, value);
}

static byte *map(size_t bytes, int prot)
{
	return mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* mov $value, %eax; ret */
static void put_return(void *at, int value)
{
	byte code[6] = {0xb8, 0, 0, 0, 0, 0xc3};

	memcpy(code + 1, &value, 4);
	memcpy(at, code, sizeof(code));
	__asm__ volatile("" : : "r"(at) : "memory"); /* the compiler knows of no one who reads it */
}

static int run(const void *at)
{
	return ((function *)at)();
}

/* What comes of a jump there: a value, or a fault, with its place relative to `from`. */
static void try(const char *what, const byte *at, const byte *from)
{
	if (sigsetjmp(back, 1) == 0)
		say(what, run(at));
	else
		printf("%s: signal %d, si_code %d, address %+ld, rip %+ld\n", what, seen.si_signo, seen.si_code,
		       seen.si_code == SI_KERNEL ? 0l : (long)((byte *)seen.si_addr - from), (long)(seen_rip - from));
}

/* ---- memory that may be written and executed ---- */

static void written_anew(void)
{
	byte *code = map(4096, RWX);
	int sum = 0;

	for (int i = 0; i < 1000; i++) {
		put_return(code, i);
		sum += run(code);
	}
	say("written anew", sum);
}

static void counter_in_code(void)
{
	static const byte text[] = {
	    0xb9, 0x20, 0x4e, 0,    0,       /* mov $20000, %ecx */
	    0x83, 0x05, 1,    0,    0, 0, 3, /* addl $3, 1(%rip) */
	    0xb8, 1,    0,    0,    0,       /* mov $1, %eax */
	    0xff, 0xc9, 0x75, 0xf0,          /* dec %ecx; jne the addl */
	    0xc3,
	};
	byte *code = map(4096, RWX);

	memcpy(code, text, sizeof(text));
	say("a counter in code", run(code));
}

/* The next instruction, and one by a string: in the same straight piece of code. */
static void next_instruction(void)
{
	static const byte by_move[] = {
	    0xc7, 0x05, 1, 0, 0, 0,    42, 0, 0, 0, /* movl $42, 1(%rip) */
	    0xb8, 1,    0, 0, 0, 0xc3,              /* mov $1, %eax; ret */
	};
	static const byte by_string[] = {
	    0x48, 0x8d, 0x3d, 10, 0, 0,    0,             /* lea 10(%rip), %rdi */
	    0xb9, 2,    0,    0,  0, 0xb0, 7, 0xf3, 0xaa, /* mov $2, %ecx; mov $7, %al; rep stosb */
	    0xb8, 0,    0,    0,  0, 0xc3,
	};
	static const byte by_pointer[] = {
	    0xb9, 5,    0,    0,    0,    0xb8, 1, 0, 0, 0, /* mov $5, %ecx; mov $1, %eax */
	    0x48, 0x8d, 0x3d, 6,    0,    0,    0,          /* lea 6(%rip), %rdi */
	    0xf9, 0x66, 0xc7, 0x07, 0x11, 0xc8,             /* stc; movw $0xc811, (%rdi) */
	    0x31, 0xc9, 0xc3,                               /* xor %ecx, %ecx, now adc %ecx, %eax; ret */
	};
	byte *code = map(4096, RWX);

	memcpy(code, by_move, sizeof(by_move));
	for (int i = 0; i < 3; i++) {
		code[11] = (byte)(1 + i);
		say("the next instruction", run(code));
	}
	memcpy(code + 64, by_string, sizeof(by_string));
	say("the next, by a string", run(code + 64));
	for (int i = 0; i < 3; i++) {
		memcpy(code + 128, by_pointer, sizeof(by_pointer));
		say("the next, by a pointer", run(code + 128));
	}
}

/* The new code reads a register and a flag that the old one did not: they must be what they were before it. */
static void reads_more(void)
{
	static const byte text[] = {
	    0xb9, 5, 0, 0, 0, /* mov $5, %ecx */
	    0xba, 6, 0, 0, 0, /* mov $6, %edx */
	    0xbe, 7, 0, 0, 0, /* mov $7, %esi */
	    0xb8, 8, 0, 0, 0, /* mov $8, %eax */
	    0xf9,             /* stc */
	};
	static const byte old[] = {0x39, 0xc0, 0x31, 0xc9, 0x31, 0xd2, 0x31, 0xc0, 0x90, 0x90, 0xc3};
	static const byte new[] = {0x11, 0xc8, 0x11, 0xd0, 0x11, 0xf0,
				   0x83, 0xd0, 0,    0x90, 0xc3}; /* adc: 26 and the carry */
	byte *code = map(8192, RWX);

	for (int i = 0; i < 4; i++) { /* from the same page, and from another; with and without the carry */
		byte *at = code + (i & 1 ? 4096 : sizeof(text) + 5), *jump = code + sizeof(text);
		int distance = (int)(at - (jump + 5));

		memcpy(code, text, sizeof(text));
		jump[-1] = i & 2 ? 0xf8 : 0xf9; /* clc, stc */
		*jump = 0xe9;
		memcpy(jump + 1, &distance, 4);
		memcpy(at, old, sizeof(old));
		say("reads less", run(code));
		memcpy(at, new, sizeof(new));
		say("reads more", run(code));
	}
}

static void by_the_kernel(void)
{
	byte *code = map(4096, RWX), other[6];
	int fd[2];
	struct iovec local = {other, 6}, remote = {code, 6};

	put_return(code, 1);
	run(code);
	put_return(other, 2);
	if (pipe(fd) != 0 || write(fd[1], other, 6) != 6 || read(fd[0], code, 6) != 6)
		exit(1);
	say("read() into code", run(code));
	put_return(other, 3);
	if (process_vm_writev(getpid(), &local, 1, &remote, 1, 0) == 6)
		say("written from outside", run(code));
	else
		say("written from outside", 3);
	mprotect(code, 4096, RX);
	run(code);
	put_return(other, 4);
	fd[0] = open("/proc/self/mem", O_RDWR);
	if (pwrite(fd[0], other, 6, (off_t)code) == 6)
		say("written past its protection", run(code));
	else
		say("written past its protection", 4);
	close(fd[0]);
}

static void on_the_stack(void)
{
	byte code[16];
	int sum = 0;

	for (int i = 0; i < 100; i++) {
		put_return(code, i);
		sum += run(code);
	}
	say("on the stack", sum);
}

/* ---- memory whose rights change ---- */

static void flips(void)
{
	byte *code = map(8192, RW);
	int sum = 0;

	for (int i = 0; i < 300; i++) {
		mprotect(code, 8192, RW);
		put_return(code + 4092, i);
		mprotect(code, 8192, RX);
		sum += run(code + 4092);
		sum += run(code + 4092);
	}
	say("flips", sum);
	mprotect(code, 4096, RW);
	code[4093] = 77;
	try("one page of two", code + 4092, code);
	mprotect(code, 4096, RX);
	try("both pages", code + 4092, code);
	mprotect(code + 4096, 4096, PROT_NONE);
	try("the instruction's end", code + 4092, code);
	mprotect(code + 4096, 4096, RX);
	try("it is back", code + 4092, code);
	munmap(code + 8192 - 4096, 4096);
	mprotect(code, 8192, RW); /* fails behind the first page */
	try("half of a call", code + 4080, code);
}

static void other_memory(void)
{
	byte *code = map(4096, RWX), *at = code, *other;

	put_return(code, 1);
	mprotect(code, 4096, RX);
	run(code);
	munmap(code, 4096);
	try("unmapped", at, at);
	code = mmap(at, 4096, RWX, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	put_return(code, 2);
	mprotect(code, 4096, RX);
	try("mapped anew", at, at);
	other = map(4096, RW);
	put_return(other, 3);
	mprotect(other, 4096, RX);
	mremap(other, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, at);
	try("moved over it", at, at);
	try("and gone there", other, other);
	other = mmap(at, 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	try("mapped over it", at, at);
}

static void advice(void)
{
	int fd = memfd_create("advice", 0);
	byte *code;

	if (ftruncate(fd, 4096) != 0)
		exit(1);
	code = mmap(NULL, 4096, RW, MAP_SHARED, fd, 0);
	put_return(code, 1);
	code = mmap(NULL, 4096, RWX, MAP_PRIVATE, fd, 0);
	put_return(code, 2);
	mprotect(code, 4096, RX);
	say("a page of our own", run(code));
	madvise(code, 4096, MADV_DONTNEED);
	say("the file's again", run(code));
	madvise(code, 4096, MADV_DONTNEED);
	if (ftruncate(fd, 0) != 0)
		exit(1);
	try("no page", code, code);
}

/* ---- memory that is shared ---- */

static void two_views(void)
{
	int fd = memfd_create("views", 0), sum = 0;
	byte *w, *x;

	if (ftruncate(fd, 4096) != 0)
		exit(1);
	w = mmap(NULL, 4096, RW, MAP_SHARED, fd, 0);
	x = mmap(NULL, 4096, RX, MAP_SHARED, fd, 0);
	for (int i = 0; i < 300; i++) {
		put_return(w + 100, i);
		__builtin___clear_cache((char *)x, (char *)x + 4096);
		sum += run(x + 100);
	}
	say("two views", sum);
	for (int i = 0; i < 3; i++) {
		byte bytes[6];

		put_return(bytes, 100 + i);
		if (pwrite(fd, bytes, 6, 100) != 6)
			exit(1);
		say("the file is written", run(x + 100));
	}
	if (ftruncate(fd, 0) != 0)
		exit(1);
	try("the file is cut", x + 100, x);
	if (ftruncate(fd, 4096) != 0)
		exit(1);
	put_return(w + 100, 5);
	try("and has grown", x + 100, x);
}

static void by_a_child(void)
{
	byte *code = mmap(NULL, 4096, RWX, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t child;

	put_return(code, 1);
	run(code);
	child = fork();
	if (child == 0) {
		put_return(code, 2);
		_exit(run(code));
	}
	waitpid(child, &status, 0);
	say("a child's code", WEXITSTATUS(status));
	say("and here", run(code));
}

static void segments(void)
{
	int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0700);
	byte *w = shmat(id, NULL, 0), *x = shmat(id, NULL, SHM_EXEC | SHM_RDONLY);

	shmctl(id, IPC_RMID, NULL);
	if (w == (void *)-1 || x == (void *)-1) {
		printf("a segment: 1\na segment: 2\n");
		return;
	}
	for (int i = 1; i < 3; i++) {
		put_return(w, i);
		say("a segment", run(x));
	}
	shmdt(x);
	try("detached", x, x);
}

/* ---- two threads ---- */

static byte *volatile shared_code;
static volatile int seen_last, turn;

/* Runs the code until it says -1. */
static void *watcher(void *arg)
{
	do
		seen_last = run(shared_code);
	while (seen_last != -1);
	return NULL;
}

/* The operand lies aligned, so whoever runs it meanwhile sees the old one or the new one. */
static void patched_beneath(void)
{
	byte *code = map(4096, RWX);
	pthread_t thread;

	shared_code = code + 3;
	put_return(code + 3, 0);
	pthread_create(&thread, NULL, watcher, NULL);
	for (int i = 1; i < 200; i++) {
		__atomic_store_n((int *)(code + 4), i, __ATOMIC_SEQ_CST);
		while (seen_last != i)
			sched_yield();
	}
	__atomic_store_n((int *)(code + 4), -1, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	say("patched beneath another thread", seen_last);
}

/* A jump to itself, until somebody makes it another. */
static void *spinner(void *arg)
{
	return (void *)(long)run(arg);
}

static void let_go(void)
{
	byte *code = map(4096, RWX);
	pthread_t thread;
	void *value;

	for (int flip = 0; flip < 2; flip++) {
		mprotect(code, 4096, RWX);
		put_return(code + 2, 5 + flip);
		code[0] = 0xeb;
		code[1] = 0xfe;
		if (flip)
			mprotect(code, 4096, RX);
		pthread_create(&thread, NULL, spinner, code);
		usleep(20000);
		mprotect(code, 4096, RWX);
		__atomic_store_n((unsigned short *)code, 0x9066, __ATOMIC_SEQ_CST);
		pthread_join(thread, &value);
		say("let go", (int)(long)value);
	}
}

static void *taker(void *arg)
{
	long sum = 0;

	for (int i = 0; i < 200; i++) {
		while (turn != 2 * i + 1)
			sched_yield();
		sum += run(shared_code);
		turn = 2 * i + 2;
	}
	return (void *)sum;
}

static void flips_for_another(void)
{
	byte *code = map(4096, RW);
	pthread_t thread;
	void *sum;

	shared_code = code;
	turn = 0;
	pthread_create(&thread, NULL, taker, NULL);
	for (int i = 0; i < 200; i++) {
		while (turn != 2 * i)
			sched_yield();
		mprotect(code, 4096, RW);
		put_return(code, i);
		mprotect(code, 4096, RX);
		turn = 2 * i + 1;
	}
	pthread_join(thread, &sum);
	say("flips for another thread", (int)(long)sum);
}

/* ---- what is no code ---- */

/* What Java asks at its start: can AC be set? The engine's own accesses are not aligned. */
static void alignment_checks(void)
{
	byte *code = map(4096, RWX);
	unsigned long before, with;
	int value;

	put_return(code + 3, 6);
	__asm__ volatile("sub $128, %%rsp\n\t"
			 "pushfq; pop %0; mov %0, %1; xor $0x40000, %1; push %1; popfq; pushfq; pop %1\n\t"
			 "call *%3\n\t"
			 "push %0; popfq\n\t"
			 "add $128, %%rsp"
			 : "=&r"(before), "=&r"(with), "=&a"(value)
			 : "r"(code + 3)
			 : "memory", "cc");
	printf("AC can be set: %d, and code runs with it: %d\n", (before ^ with) == 0x40000, value);
}

static void no_code(void)
{
	byte *two = map(8192, RW);

	put_return(two, 1);
	try("not executable", two, two);
	mprotect(two, 4096, RX);
	try("executable now", two, two);
	mprotect(two, 4096, RW);
	memset(two, 0x90, 4096);
	mprotect(two, 4096, RX);
	mprotect(two + 4096, 4096, PROT_NONE);
	try("off its end, into what may not be", two + 4000, two);
	munmap(two + 4096, 4096);
	try("off its end, into nothing", two + 4000, two);
	mprotect(two, 4096, RW);
	two[4094] = 0xb8;
	mprotect(two, 4096, RX);
	try("in the middle of an instruction", two + 4000, two);
	try("a small number", (byte *)16, NULL);
}

static void libraries(const char *folder)
{
	char path[2][8192];

	for (int i = 0; i < 2; i++)
		snprintf(path[i], sizeof(path[i]), "%s/libselfmod%d.so", folder, i);
	for (int i = 0; i < 6; i++) {
		void *lib = dlopen(path[i % 2], RTLD_NOW);
		function *value = lib ? (function *)dlsym(lib, "value") : NULL;

		say("a library", value ? value() : -1);
		if (lib)
			dlclose(lib);
	}
}

/* ---- random programs ---- */

static unsigned long rng;

static unsigned random_below(unsigned n)
{
	rng = random_after(rng);
	return (unsigned)(rng >> 11) % n;
}

#define PLACES    4096
#define NR_BLOCKS 12
#define MAX_OPS   8
#define STEPS     400

/* Every piece: what may be patched is noted with its kind. */
static struct {
	byte *at;
	int kind; /* 0: a number, 1: the byte that says which operation, 2: a jump's distance */
} place[PLACES];
static unsigned nr_places;
static byte *begin_of[NR_BLOCKS];

static const byte data_register[] = {0, 2, 3, 6, 7}; /* eax edx ebx esi edi */

static byte *put4(byte *at, long value)
{
	int v = (int)value;

	memcpy(at, &v, 4);
	return at + 4;
}

static void note(byte *at, int kind)
{
	place[nr_places].at = at;
	place[nr_places++].kind = kind;
}

static byte *put_operation(byte *at)
{
	*at++ = 0x81;
	note(at, 1);
	*at++ = (byte)(0xc0 | random_below(8) << 3 | data_register[random_below(5)]);
	note(at, 0);
	return put4(at, (int)random_below(1u << 31));
}

/* Room for a patch; what it patches is chosen when all places are known. */
static byte *patches[PLACES];
static unsigned nr_patches;

static byte *put_patch(byte *at)
{
	patches[nr_patches++] = at;
	memset(at, 0x90, 16);
	return at + 16;
}

/* mov to memory relative to rip, by a pointer, or as a string. */
static void fill_patch(byte *at)
{
	unsigned n = random_below(nr_places);
	byte *to = place[n].at;
	unsigned how = random_below(4);

	if (place[n].kind == 1) { /* movb $value, to */
		*at++ = 0xc6;
		*at++ = 0x05;
		put4(at, to - (at + 5));
		at[4] = (byte)(0xc0 | random_below(8) << 3 | data_register[random_below(5)]);
	} else if (place[n].kind == 2) { /* movl $distance, to */
		*at++ = 0xc7;
		*at++ = 0x05;
		put4(at, to - (at + 8));
		put4(at + 4, begin_of[random_below(NR_BLOCKS)] - (to + 4));
	} else if (how < 2) { /* mov %reg, to */
		*at++ = 0x89;
		*at++ = (byte)(0x05 | data_register[random_below(5)] << 3);
		put4(at, to - (at + 4));
	} else if (how == 2) { /* lea to, %r9; mov %reg, (%r9) */
		memcpy(at, "\x4c\x8d\x0d", 3);
		put4(at + 3, to - (at + 7));
		memcpy(at + 7, "\x41\x89", 2);
		at[9] = (byte)(0x01 | data_register[random_below(5)] << 3);
	} else { /* lea to, %r9; push %rdi; mov %r9, %rdi; stosb; pop %rdi */
		memcpy(at, "\x4c\x8d\x0d", 3);
		put4(at + 3, to - (at + 7));
		memcpy(at + 7, "\x57\x4c\x89\xcf\xaa\x5f", 6);
	}
}

static byte *put_block(byte *at, byte **out)
{
	unsigned n = 1 + random_below(MAX_OPS);

	while (n--)
		at = random_below(3) ? put_operation(at) : put_patch(at);
	memcpy(at, "\xff\xc9\x0f\x84", 4); /* dec %ecx; je out */
	*out = at + 4;
	at += 8;
	*at++ = 0xe9;
	note(at, 2);
	return at + 4;
}

static unsigned random_program(byte *code)
{
	static const byte enter[] = {0x53, 0xb8, 1,    0, 0, 0, 0xba, 2,    0, 0, 0, 0xbb, 3,   0,
				     0,    0,    0xbe, 4, 0, 0, 0,    0xbf, 5, 0, 0, 0,    0xb9};
	static const byte leave[] = {0x01, 0xd0, 0x01, 0xd8, 0x01, 0xf0, 0x01, 0xf8, 0x5b, 0xc3};
	byte *at = code, *out[NR_BLOCKS];

	nr_places = nr_patches = 0;
	memcpy(at, enter, sizeof(enter));
	at = put4(at + sizeof(enter), STEPS);
	for (unsigned i = 0; i < NR_BLOCKS; i++) {
		begin_of[i] = at;
		at = put_block(at, &out[i]);
	}
	for (unsigned i = 0; i < NR_BLOCKS; i++)
		put4(out[i], at - (out[i] + 4));
	memcpy(at, leave, sizeof(leave));
	for (unsigned i = 0; i < nr_places; i++)
		if (place[i].kind == 2)
			put4(place[i].at, begin_of[random_below(NR_BLOCKS)] - (place[i].at + 4));
	for (unsigned i = 0; i < nr_patches; i++)
		fill_patch(patches[i]);
	return (unsigned)run(code);
}

static void on_tick(int sig) {}

/* Signals all the time: they change nothing. */
static void random_programs(unsigned long seed, unsigned long n)
{
	struct sigaction a = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
	struct itimerval often = {{0, 300}, {0, 300}};
	byte *code = map(16384, RWX);

	sigaction(SIGALRM, &a, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (unsigned long i = 0; i < n; i++) {
		unsigned offset;

		rng = (seed << 20 | (i + 1)) * 0x9e3779b97f4a7c15ul | 1;
		random_below(1);
		offset = random_below(4096); /* anywhere in its page */
		printf("program %lu of seed %lu: %#x\n", i, seed, random_program(code + offset));
	}
}

int main(int argc, char **argv)
{
	struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	char folder[4096];
	ssize_t len = readlink("/proc/self/exe", folder, sizeof(folder) - 1);

	sigaction(SIGSEGV, &a, NULL);
	sigaction(SIGBUS, &a, NULL);
	if (argc == 3) {
		random_programs(strtoul(argv[1], NULL, 0), strtoul(argv[2], NULL, 0));
		return 0;
	}
	folder[len > 0 ? len : 0] = 0;
	*strrchr(folder, '/') = 0;
	written_anew();
	counter_in_code();
	next_instruction();
	reads_more();
	by_the_kernel();
	on_the_stack();
	flips();
	other_memory();
	advice();
	two_views();
	by_a_child();
	segments();
	patched_beneath();
	let_go();
	flips_for_another();
	alignment_checks();
	no_code();
	libraries(folder);
	return 9;
}
