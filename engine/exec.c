/* SPDX-License-Identifier: MIT
 *
 * engine/exec.c - execve: the engine executes itself, with the program that the kernel would have executed.
 *
 *   #! INTERPRETER ONE-ARGUMENT   -->   INTERPRETER ONE-ARGUMENT PATH ARGV[1]...   at most five deep, as in Linux
 *
 * What cannot be followed is put to the kernel as it is: a 32-bit program, one that gets rights by being executed, one
 * that may not be read, one in a chroot where the engine is not, a kind of file that the engine does not know, and all
 * that the kernel refuses. So the error is the kernel's, before anything is given up; and a process that goes on leaves
 * the simulation and is named in the report.
 *
 * By a descriptor (execveat): the kernel names the file /dev/fd/N; the engine opens /proc/thread-self/fd/N. One that is to
 * close stays open till the program is loaded.
 *
 * Source: Linux 6.12 fs/binfmt_script.c (load_script), fs/exec.c.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>

#undef EV_NONE
#include "engine/events.h"
#include "engine/paths.h"
#include "engine/seccomp.h"
#include "lib/sys.h"

#define MAX_DEPTH       6
#define HEADER          256 /* BINPRM_BUF_SIZE */
#define MAX_PHDRS       64
#define S_IFMT_         0170000u
#define S_IFREG_        0100000u
#define S_ISUID_        04000u
#define S_ISGID_        02000u
#define S_IXGRP_        00010u
#define S_IXALL         00111u
#define MODE_R          4u
#define MODE_X          1u
#define EXEC_ONLY_CHECK 0x10000u /* AT_EXECVE_CHECK, Linux 6.14 */

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

/* Does executing it give rights that the process has not? */
static bool gives_rights(long fd, const struct statx *st)
{
	u32 uid = (u32)sys3(SYS_geteuid, 0, 0, 0), gid = (u32)sys3(SYS_getegid, 0, 0, 0);

	return (st->stx_mode & S_ISUID_ && st->stx_uid != uid) ||
	       ((st->stx_mode & (S_ISGID_ | S_IXGRP_)) == (S_ISGID_ | S_IXGRP_) && st->stx_gid != gid) ||
	       (uid != 0 && sys6(SYS_fgetxattr, (u64)fd, (u64) "security.capability", 0, 0, 0, 0) > 0);
}

static bool may_execute(const char *path, const struct statx *st)
{
	static char *none[] = {NULL};
	long ret;

	if ((st->stx_mode & S_IFMT_) != S_IFREG_)
		return false;
	ret = sys6(SYS_execveat, (u64)AT_FDCWD, (u64)path, (u64)none, (u64)none, EXEC_ONLY_CHECK, 0);
	if (ret == -EINVAL || ret == -ENOSYS || ret == -EPERM)
		ret = sys6(SYS_faccessat2, (u64)AT_FDCWD, (u64)path, MODE_X, AT_EACCESS, 0, 0);
	return ret == 0 || ((ret == -ENOSYS || ret == -EPERM) && st->stx_mode & S_IXALL); /* in a sandbox */
}

/* Is the file an x86-64 program whose interpreter is there? head: its beginning. */
static bool is_program(long fd, const char *head)
{
	const Elf64_Ehdr *h = (const Elf64_Ehdr *)head;
	Elf64_Phdr ph[MAX_PHDRS];
	char interpreter[4096];
	Elf64_Ehdr of;
	long n;

	if (memcmp(head, ELFMAG, SELFMAG) != 0 || h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_machine != EM_X86_64 ||
	    (h->e_type != ET_EXEC && h->e_type != ET_DYN) || h->e_phentsize != sizeof(ph[0]) || !h->e_phnum ||
	    h->e_phnum > MAX_PHDRS ||
	    sys6(SYS_pread64, (u64)fd, (u64)ph, h->e_phnum * sizeof(ph[0]), h->e_phoff, 0, 0) < 0)
		return false;
	for (unsigned i = 0; i < h->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD && ph[i].p_vaddr >= ENGINE_START && ph[i].p_vaddr < ENGINE_END)
			return false; /* an engine */
		if (ph[i].p_type != PT_INTERP)
			continue;
		n = sys6(SYS_pread64, (u64)fd, (u64)interpreter, min(ph[i].p_filesz, sizeof(interpreter)),
			 ph[i].p_offset, 0, 0);
		if (n <= 0 || interpreter[n - 1])
			return false;
		fd = sys6(SYS_openat, (u64)AT_FDCWD, (u64)interpreter, O_RDONLY | O_CLOEXEC, 0, 0, 0);
		if (fd < 0)
			return false;
		n = sys3(SYS_read, (u64)fd, (u64)&of, sizeof(of));
		sys3(SYS_close, (u64)fd, 0, 0);
		return n == sizeof(of) && memcmp(&of, ELFMAG, SELFMAG) == 0;
	}
	return true;
}

/* What the engine needs to begin anew: not in a chroot without it. */
static bool engine_there(void)
{
	return sys3(SYS_access, (u64)engine.self, MODE_X, 0) == 0 &&
	       sys3(SYS_access, (u64)engine.zydis, MODE_R, 0) == 0 &&
	       sys3(SYS_access, (u64) "/proc/self/maps", MODE_R, 0) == 0;
}

/* Can it be followed? head: the file's beginning. */
static bool look(const char *path, char head[HEADER + 1])
{
	struct statx st;
	bool ok;
	long fd;

	memset(head, 0, HEADER + 1);
	if (sys6(SYS_statx, (u64)AT_FDCWD, (u64)path, 0, STATX_BASIC_STATS, (u64)&st, 0) != 0 ||
	    !may_execute(path, &st))
		return false;
	fd = sys6(SYS_openat, (u64)AT_FDCWD, (u64)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
	if (fd < 0)
		return false;
	ok = sys3(SYS_read, (u64)fd, (u64)head, HEADER) > 0 && (memcmp(head, "#!", 2) == 0 || is_program(fd, head)) &&
	     !gives_rights(fd, &st);
	sys3(SYS_close, (u64)fd, 0, 0);
	return ok;
}

/* ---- the arguments ---- */

/* args.at[ARGS_BEFORE] is the program's own argv[0]; before it is room for the engine's arguments and for scripts'. */
enum { ENGINE_ARGS = 6, ARGS_BEFORE = ENGINE_ARGS + 2 * MAX_DEPTH };

/* Copies the program's argv. Returns 0 or -errno. */
static long collect(struct arguments *to, char **argv)
{
	u64 n = ARGS_BEFORE, got;

	for (;;) {
		if (n + 2 > to->room) {
			char **more = memory_get((to->room * 2 + 4096) * sizeof(*more));

			if (to->room)
				memcpy(more, to->at, n * sizeof(*more));
			*to = (struct arguments){more, to->room * 2 + 4096};
		}
		to->at[n] = NULL;
		if (!argv)
			break;
		got = program_read(&to->at[n], (u64)argv++, sizeof(*argv));
		if (got != sizeof(*argv))
			return -EFAULT;
		if (!to->at[n])
			break;
		n++;
	}
	if (n == ARGS_BEFORE) { /* Linux 5.18: no program without argv[0] */
		to->at[n] = (char *)"";
		to->at[n + 1] = NULL;
	}
	return 0;
}

/* The kernel reads the list of strings, and them, while the old memory is there. */
static void touch_strings(struct thread *t, u64 list)
{
	u64 string, told = 0, len, n;
	char part[256];

	for (; list && program_read(&string, list, sizeof(string)) == sizeof(string); list += sizeof(string)) {
		events_touch(t, list, sizeof(string), EVR_READ);
		if (!string)
			return;
		len = 0;
		do {
			n = program_read(part, string + len, sizeof(part));
			for (u64 i = 0; i < n; i++)
				if (!part[i])
					n = i + 1;
			len += n;
		} while (n == sizeof(part) && part[n - 1]);
		if (ALIGN_DOWN(string + len, 4096ull) != told) /* they follow each other */
			events_touch(t, string, len, EVR_READ);
		told = ALIGN_DOWN(string + len, 4096ull);
	}
}

static void touch_all(struct thread *t, const struct exec *e)
{
	events_touch(t, (u64)e->path, 1, EVR_READ);
	touch_strings(t, (u64)e->argv);
	touch_strings(t, (u64)e->envp);
}

/* ---- by a descriptor (execveat) ---- */

#define DEV_FD "/dev/fd/"

/* The file, if it is named by a descriptor: name is the kernel's for it, file one that can be opened. */
struct by_fd {
	char name[sizeof(DEV_FD) + 10 + 4096], file[32 + 4096];
	bool closes; /* the descriptor, by a successful exec */
};

/* Returns whether it is. *leaves: it is the kernel that knows what is wrong with it. */
static bool by_descriptor(const struct exec *e, struct by_fd *by, bool *leaves)
{
	char path[4096];
	u64 got, n;
	long flags;

	if (e->dir == AT_FDCWD && !(e->flags & AT_EMPTY_PATH))
		return false;
	got = program_read(path, (u64)e->path, sizeof(path));
	path[min(got, sizeof(path) - 1)] = 0;
	n = strlen(path);
	if (e->dir == AT_FDCWD || path[0] == '/')
		return false;
	flags = sys3(SYS_fcntl, (u64)e->dir, F_GETFD, 0);
	*leaves = got <= n || e->dir == descriptor_hub() || flags < 0 || (n == 0 && !(e->flags & AT_EMPTY_PATH));
	by->closes = flags & FD_CLOEXEC;
	memcpy(by->name, DEV_FD, sizeof(DEV_FD));
	number_text((unsigned)e->dir, by->name + strlen(by->name));
	link_of(e->dir, by->file);
	if (!n)
		return true;
	memcpy(by->name + strlen(by->name), "/", 2);
	memcpy(by->file + strlen(by->file), "/", 2);
	memcpy(by->name + strlen(by->name), path, n + 1);
	memcpy(by->file + strlen(by->file), path, n + 1);
	return true;
}

void exec_close(const char *ring)
{
	while (*ring && *ring != ',')
		ring++;
	if (*ring)
		sys3(SYS_close, number_of(ring + 1), 0, 0);
}

/* ---- the call ---- */

static long exec_natively(struct thread *t, const struct exec *e, const char *path)
{
	long ret;

	signals_exec(t, true);
	events_ending(t, true);
	events_leaving(t, (u64)path);
	limits_set(t->process, LIMITS_LEAVE);
	if (e->dir == AT_FDCWD && !e->flags)
		ret = sys3(SYS_execve, (u64)path, (u64)e->argv, (u64)e->envp);
	else
		ret = sys6(SYS_execveat, (u64)(long)e->dir, (u64)e->path, (u64)e->argv, (u64)e->envp, e->flags, 0);
	limits_set(t->process, LIMITS_PROGRAM);
	events_leaving(t, 0);
	events_ending(t, false);
	signals_exec(t, false);
	return ret;
}

/* The engine in the program's place: its arguments are at `from`. */
static long exec_engine(struct thread *t, const struct exec *e, char **from, const struct by_fd *by)
{
	long err;

	signals_exec(t, true);
	events_ending(t, true);
	if (t->ring)
		touch_all(t, e);
	descriptor_stays(true);
	if (by && by->closes)
		sys3(SYS_fcntl, (u64)e->dir, F_SETFD, 0);
	limits_set(t->process, LIMITS_ENGINE);
	err = sys3(SYS_execve, (u64)engine.self, (u64)from, (u64)e->envp);
	limits_set(t->process, LIMITS_PROGRAM);
	if (by && by->closes)
		sys3(SYS_fcntl, (u64)e->dir, F_SETFD, FD_CLOEXEC);
	descriptor_stays(false);
	events_ending(t, false);
	signals_exec(t, false);
	return err;
}

/* ring: the number of the one that goes on, and of a descriptor that the next engine is to close. */
static void ring_text(const struct thread *t, const struct exec *e, const struct by_fd *by, char ring[32])
{
	events_ring(t, ring);
	if (!by || !by->closes)
		return;
	memcpy(ring + strlen(ring), ",", 2);
	number_text((unsigned)e->dir, ring + strlen(ring));
}

long exec_program(struct thread *t, const struct exec *e)
{
	struct arguments *args = &task_of(t)->args;
	char head[MAX_DEPTH][HEADER + 1];
	const char *exe = paths_exe((u64)e->path), *name = e->path, *file = exe ? exe : name;
	char *interpreter, *argument, ring[32], hub[16];
	struct by_fd by;
	bool leaves = e->flags & ~(u64)AT_EMPTY_PATH, by_fd = by_descriptor(e, &by, &leaves);
	char **from;
	long err = collect(args, e->argv);

	if (err)
		return err;
	if (leaves || !seccomp_allows_engine(t->filters) || !limits_set(t->process, LIMITS_PROGRAM) || !engine_there())
		return exec_natively(t, e, file);
	if (by_fd) {
		name = by.name;
		file = by.file;
	}
	from = args->at + ARGS_BEFORE;
	for (unsigned depth = 0;; depth++) {
		if (depth == MAX_DEPTH || !look(file, head[depth]))
			return exec_natively(t, e, by_fd || !exe ? e->path : exe);
		if (memcmp(head[depth], "#!", 2) != 0)
			break;
		if (!parse_script(head[depth], &interpreter, &argument) || (by_fd && by.closes))
			return exec_natively(t, e, e->path);
		*from = (char *)(depth ? file : name);
		if (argument)
			*--from = argument;
		*--from = interpreter;
		file = interpreter;
	}
	ring_text(t, e, by_fd ? &by : NULL, ring);
	number_text((unsigned)descriptor_hub(), hub);
	*--from = (char *)file;
	*--from = (char *)name;
	*--from = ring;
	*--from = engine.zydis;
	*--from = hub;
	*--from = engine.self;
	return exec_engine(t, e, from, by_fd ? &by : NULL);
}
