/* SPDX-License-Identifier: MIT
 *
 * engine/exec.c - execve: the engine executes itself, with the program that the kernel would have executed.
 *
 *   #! INTERPRETER ONE-ARGUMENT   -->   INTERPRETER ONE-ARGUMENT PATH ARGV[1]...   at most four deep, as in Linux
 *
 * What the kernel would refuse is refused with its error, before anything is given up.
 *
 * Source: Linux 6.12 fs/binfmt_script.c (load_script), fs/exec.c.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>

#undef EV_NONE
#include "engine/events.h"
#include "lib/sys.h"

#define MAX_DEPTH 5
#define HEADER    256 /* BINPRM_BUF_SIZE */
#define MAX_ARGS  65536
#define S_IFMT_   0170000u
#define S_IFREG_  0100000u
#define S_ISUID_  04000u
#define S_ISGID_  02000u
#define MODE_X    1u

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The line behind #!: the interpreter and its one argument (or NULL), cut out of head. false: there is none. */
static bool parse_script(char head[HEADER + 1], char **interpreter, char **argument)
{
	char *at = head + 2, *end;

	for (end = at; *end && *end != '\n'; end++)
		;
	while (end > at && is_blank(end[-1]))
		end--;
	*end = 0;
	while (is_blank(*at))
		at++;
	*interpreter = at;
	while (*at && !is_blank(*at))
		at++;
	if (*at)
		*at++ = 0;
	while (is_blank(*at))
		at++;
	*argument = *at ? at : NULL;
	return **interpreter != 0;
}

/* Reads the file's beginning. Returns 0 or -errno, as execve would. */
static long look(int dir, const char *path, u64 flags, char head[HEADER + 1])
{
	long fd = sys6(SYS_openat, (u64)(long)dir, (u64)path, O_RDONLY | O_CLOEXEC | (flags & O_NOFOLLOW), 0, 0, 0), n;
	struct statx st;

	n = sys6(SYS_statx, (u64)(long)dir, (u64)path, flags & (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW), STATX_BASIC_STATS,
		 (u64)&st, 0);
	if (n < 0)
		return n;
	if ((st.stx_mode & S_IFMT_) != S_IFREG_ ||
	    sys6(SYS_faccessat2, (u64)(long)dir, (u64)path, MODE_X, AT_EACCESS | (flags & AT_EMPTY_PATH), 0, 0) != 0) {
		if (fd >= 0)
			sys3(SYS_close, (u64)fd, 0, 0);
		return -EACCES;
	}
	if (st.stx_mode & S_ISUID_ || (st.stx_mode & S_ISGID_ && st.stx_mode & 010))
		die("a set-user-ID program is not run:", path, 0);
	if (fd < 0)
		die("cannot be read, and the engine must:", path, 0);
	memset(head, 0, HEADER + 1);
	n = sys3(SYS_read, (u64)fd, (u64)head, HEADER);
	sys3(SYS_close, (u64)fd, 0, 0);
	return n < 0 ? n : 0;
}

static bool is_program(const char *head)
{
	const Elf64_Ehdr *h = (const Elf64_Ehdr *)head;

	return memcmp(head, ELFMAG, SELFMAG) == 0 && h->e_ident[EI_CLASS] == ELFCLASS64 && h->e_machine == EM_X86_64;
}

/* Does not return unless it fails: -errno. */
long exec_program(const struct thread *t, const char *path, char **argv, char **envp)
{
	static char head[MAX_DEPTH][HEADER + 1];
	static char *args[MAX_ARGS];
	const char *file = path;
	unsigned n = 0, first = 5 + 2 * MAX_DEPTH + 1, from = first;
	char *interpreter, *argument;
	char ring[16];
	long err;

	events_ring(t, ring);
	for (unsigned i = argv && argv[0] ? 1 : 0; argv && argv[i]; i++) {
		if (first + n + 1 >= MAX_ARGS)
			return -E2BIG;
		args[first + n++] = argv[i];
	}
	args[first + n] = NULL;
	args[--from] = argv && argv[0] ? argv[0] : (char *)"";
	for (unsigned depth = 0;; depth++) {
		if (depth == MAX_DEPTH)
			return -ELOOP;
		err = look(AT_FDCWD, file, 0, head[depth]);
		if (err)
			return err;
		if (memcmp(head[depth], "#!", 2) != 0)
			break;
		if (!parse_script(head[depth], &interpreter, &argument))
			return -ENOEXEC;
		args[from] = (char *)file;
		if (argument)
			args[--from] = argument;
		args[--from] = interpreter;
		file = interpreter;
	}
	if (!is_program(head[0]) && memcmp(head[0], "#!", 2) != 0 && memcmp(head[0], ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	args[--from] = (char *)file;
	args[--from] = ring;
	args[--from] = engine.zydis;
	args[--from] = engine.hub;
	args[--from] = engine.self;
	return sys3(SYS_execve, (u64)engine.self, (u64)(args + from), (u64)envp);
}
