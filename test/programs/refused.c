/* SPDX-License-Identifier: MIT
 *
 * test/programs/refused.c - calls that the kernel refuses, with lengths and addresses that cannot be; then the program
 * writes 1,000 pages. Prints how many calls were refused.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGES     1000
#define PAGE_SIZE 4096l

int main(void)
{
	static char buf[64];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), refused = 0;
	char *p;

	refused += syscall(SYS_connect, fd, buf, -1l) < 0;
	refused += syscall(SYS_connect, -1l, -1l, 16l) < 0;
	refused += syscall(SYS_connect, fd, buf, 5000l) < 0;
	refused += syscall(SYS_setsockopt, fd, 1l, 9999l, buf, -1l) < 0;
	refused += syscall(SYS_bind, fd, buf, 0x100000000l) < 0;
	refused += syscall(SYS_sendto, fd, buf, 1l, 0l, buf, 1l << 40) < 0;
	refused += syscall(SYS_sethostname, buf, -1l) < 0;
	refused += syscall(SYS_setxattr, "/", "user.x", buf, 1l << 50, 0l) < 0;
	refused += syscall(SYS_rt_sigaction, (long)SIGKILL, -1l, 0l, 8l) < 0;
	refused += syscall(SYS_clock_nanosleep, 99l, 0l, -1l, 0l) < 0;
	refused += syscall(SYS_poll, -1l, 1l << 19, 0l) < 0;
	refused += syscall(SYS_setgroups, 1l << 19, 0x7fffffffe000l) < 0;
	p = mmap(NULL, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return 1;
	for (long i = 0; i < PAGES; i++)
		p[i * PAGE_SIZE] = 1;
	printf("%d\n", refused);
	return 0;
}
