/* SPDX-License-Identifier: MIT
 *
 * test/engine/execs.c - what execve says of everything that it may be given: `execs FOLDER` makes the files there, which
 * is empty, and prints the error of each, or how it ended; natively and under the engine the same.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char self[1 << 20];
static long self_bytes;

static int make(const char *name, const void *content, size_t n, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, content, n) != (ssize_t)n)
		exit(1);
	fchmod(fd, mode);
	return fd;
}

static void make_text(const char *name, const char *text, mode_t mode)
{
	close(make(name, text, strlen(text), mode));
}

/* Prints how it went. argv, envp: as given, or NULL. */
static void try(const char *what, const char *path, void *argv, void *envp)
{
	char *one[] = {(char *)"one", NULL};
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		syscall(SYS_execve, path, argv ? argv : one, envp);
		printf("%s: %s\n", what, strerrorname_np(errno));
		exit(99);
	}
	waitpid(pid, &status, 0);
	if (status != 99 << 8)
		printf("%s: ended with %d, signal %d\n", what, WEXITSTATUS(status), WTERMSIG(status));
}

/* The program itself, changed in the n (at most 8) bytes at `at`. */
static void changed(const char *name, long at, const char *bytes, size_t n)
{
	char before[8];

	memcpy(before, self + at, n);
	memcpy(self + at, bytes, n);
	close(make(name, self, self_bytes, 0700));
	memcpy(self + at, before, n);
}

static long interpreter_at(void)
{
	const Elf64_Ehdr *h = (const Elf64_Ehdr *)self;
	const Elf64_Phdr *ph = (const Elf64_Phdr *)(self + h->e_phoff);

	while (ph->p_type != PT_INTERP)
		ph++;
	return (long)ph->p_offset;
}

/* A 32-bit program: exit(42). */
static void make_32(void)
{
	struct {
		Elf32_Ehdr h;
		Elf32_Phdr ph;
		unsigned char code[12];
	} p = {{{0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
		ET_EXEC,
		EM_386,
		EV_CURRENT,
		0x10054,
		52,
		0,
		0,
		52,
		32,
		1,
		40,
		0,
		0},
	       {PT_LOAD, 0, 0x10000, 0x10000, 96, 96, PF_R | PF_X, 4096},
	       {0xb8, 1, 0, 0, 0, 0xbb, 42, 0, 0, 0, 0xcd, 0x80}};

	close(make("32-bit", &p, sizeof(p), 0700));
}

static void programs(void)
{
	int fd;

	try("not there", "./no", NULL, NULL);
	try("in what is no folder", "text/x", NULL, NULL);
	try("a folder", ".", NULL, NULL);
	try("no name", "", NULL, NULL);
	try("a bad name", (char *)8, NULL, NULL);
	try("may not be executed", "./text", NULL, NULL);
	try("an empty file", "./empty", NULL, NULL);
	try("no program", "./garbage", NULL, NULL);
	try("cut short", "./short", NULL, NULL);
	try("for another processor", "./arm", NULL, NULL);
	try("without its interpreter", "./orphan", NULL, NULL);
	try("a device", "/dev/null", NULL, NULL);
	try("32-bit", "./32-bit", NULL, NULL);
	fd = make("written", "#!/bin/true\n", 12, 0700);
	try("open for writing", "./written", NULL, NULL);
	close(fd);
	try("no longer", "./written", NULL, NULL);
}

static void scripts(void)
{
	char name[16], line[32];

	try("a script's interpreter is not there", "./s-no", NULL, NULL);
	try("names none", "./s-none", NULL, NULL);
	try("may not be executed", "./s-text", NULL, NULL);
	try("a script", "./s-echo", NULL, NULL);
	for (int i = 1; i <= 7; i++) {
		snprintf(name, sizeof(name), "./deep%d", i);
		snprintf(line, sizeof(line), i > 1 ? "#!./deep%d x\n" : "#!/bin/echo one two\n", i - 1);
		make_text(name, line, 0700);
		try(name, name, NULL, NULL);
	}
}

static void arguments(void)
{
	static char *many[300001], *large[2], text[200000];
	char *nobody[] = {NULL}, *bad[] = {(char *)"x", (char *)8, NULL}, *env[] = {(char *)"A=1", NULL};

	for (int i = 0; i < 300000; i++)
		many[i] = (char *)"";
	try("too many", "/bin/true", many, NULL);
	many[150000] = NULL;
	try("many", "/bin/true", many, NULL);
	memset(text, 'x', sizeof(text) - 1);
	large[0] = text;
	try("one too large", "/bin/true", large, NULL);
	try("nobody's", "/bin/true", nobody, NULL);
	try("bad arguments", "/bin/true", (void *)8, NULL);
	try("a bad argument", "/bin/true", bad, NULL);
	try("a bad environment", "/bin/true", NULL, (void *)8);
	try("an environment", "/usr/bin/env", NULL, env);
}

int main(int argc, char **argv)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	self_bytes = read(fd, self, sizeof(self));
	close(fd);
	if (argc < 2 || chdir(argv[1]) != 0)
		return 1;
	make_text("text", "text", 0600);
	make_text("empty", "", 0700);
	make_text("garbage", "no program\n", 0700);
	close(make("short", self, 40, 0700));
	changed("arm", offsetof(Elf64_Ehdr, e_machine), "\xb7", 1);
	changed("orphan", interpreter_at(), "/no", 3);
	make_32();
	make_text("s-no", "#!/no/interpreter\n", 0700);
	make_text("s-none", "#!  \n", 0700);
	make_text("s-text", "#!./text\n", 0700);
	make_text("s-echo", "#!/bin/echo  one argument \n", 0700);
	programs();
	scripts();
	arguments();
	return 0;
}
