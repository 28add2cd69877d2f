/* SPDX-License-Identifier: MIT
 *
 * cli/program.c - finds the program, follows #! lines, and looks at ELF headers before anything is started, so that
 * what cannot run is told in one line and with env(1)'s exit status.
 *
 * A script's first line is `#!INTERPRETER [ARGUMENT]`: the rest of the line, blanks around it removed, is one argument.
 * The interpreter then gets: its own path, the argument, the script's path, the script's arguments.
 * Source: Linux fs/binfmt_script.c, fs/binfmt_elf.c; execvp(3).
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/program.h"
#include "lib/types.h"

#define SCRIPT_LINE 256 /* bytes of a file that the kernel looks at */

/* ---- where it is ---- */

/* 0: it can be executed; else the exit status for it. */
static int can_execute(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return errno == EACCES ? EXIT_CANNOT_RUN : EXIT_NOT_FOUND;
	return S_ISREG(st.st_mode) && access(path, X_OK) == 0 ? 0 : EXIT_CANNOT_RUN;
}

int path_find(const char *name, char path[PATH_MAX])
{
	const char *dirs = getenv("PATH"), *end;
	int worst = EXIT_NOT_FOUND;

	if (strchr(name, '/') || !*name) {
		snprintf(path, PATH_MAX, "%s", name);
		return *name ? can_execute(path) : EXIT_NOT_FOUND;
	}
	for (dirs = dirs ? dirs : "/bin:/usr/bin"; dirs; dirs = *end ? end + 1 : NULL) {
		int status;

		end = strchrnul(dirs, ':');
		snprintf(path, PATH_MAX, "%.*s%s%s", (int)(end - dirs), dirs, end > dirs ? "/" : "./", name);
		status = can_execute(path);
		if (status == 0)
			return 0;
		if (status == EXIT_CANNOT_RUN)
			worst = status;
	}
	snprintf(path, PATH_MAX, "%s", name);
	return worst;
}

static int explain_not_executable(const char *path, int status, char err[512])
{
	struct stat st;

	if (status == EXIT_NOT_FOUND)
		snprintf(err, 512, "%.200s: not found", path);
	else if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		snprintf(err, 512, "%.200s: is a directory", path);
	else
		snprintf(err, 512, "%.200s: not executable", path);
	return status;
}

/* ---- what it is ---- */

static int fail(int status, char err[512], const char *path, const char *what)
{
	snprintf(err, 512, "%.200s: %.200s", path, what);
	return status;
}

/* Does the kernel give it rights that its user has not? Whoever maps it himself gets none. */
static bool gives_rights(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return false;
	if ((st.st_mode & S_ISUID && st.st_uid != geteuid()) ||
	    ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && st.st_gid != getegid()))
		return true;
	return geteuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

/* The segments must lie in the file, and the interpreter exist. h was checked. */
static int check_segments(int fd, const Elf64_Ehdr *h, const char *path, char err[512])
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return fail(EXIT_CANNOT_RUN, err, path, strerror(errno));
	for (unsigned i = 0; i < h->e_phnum; i++) {
		char interp[PATH_MAX] = "";
		Elf64_Phdr ph;

		if (pread(fd, &ph, sizeof(ph), (off_t)(h->e_phoff + i * sizeof(ph))) != sizeof(ph) ||
		    (ph.p_type == PT_LOAD &&
		     (ph.p_offset > (u64)st.st_size || ph.p_filesz > (u64)st.st_size - ph.p_offset)))
			return fail(EXIT_CANNOT_RUN, err, path, "truncated ELF file");
		if (ph.p_type != PT_INTERP)
			continue;
		if (ph.p_filesz == 0 || ph.p_filesz >= sizeof(interp) ||
		    pread(fd, interp, ph.p_filesz, (off_t)ph.p_offset) != (ssize_t)ph.p_filesz)
			return fail(EXIT_CANNOT_RUN, err, path, "truncated ELF file");
		if (access(interp, R_OK) != 0) {
			snprintf(err, 512, "%.200s: its ELF interpreter %.200s is missing", path, interp);
			return EXIT_NOT_FOUND;
		}
	}
	return 0;
}

static int check_elf(int fd, const u8 *head, size_t n, const char *path, char err[512])
{
	Elf64_Ehdr h;

	if (n > EI_CLASS && head[EI_CLASS] == ELFCLASS32)
		return fail(EXIT_CANNOT_RUN, err, path, "a 32-bit program; Quire runs x86-64 ones");
	if (n < sizeof(h))
		return fail(EXIT_CANNOT_RUN, err, path, "truncated ELF file");
	memcpy(&h, head, sizeof(h));
	if (h.e_machine != EM_X86_64)
		return fail(EXIT_CANNOT_RUN, err, path, "a program for another processor; Quire runs x86-64 ones");
	if (h.e_type != ET_EXEC && h.e_type != ET_DYN)
		return fail(EXIT_CANNOT_RUN, err, path, "an ELF file, but no program");
	if (gives_rights(fd))
		return fail(EXIT_CANNOT_RUN, err, path,
			    "a set-user-ID program, or one with capabilities: under Quire it has "
			    "no such rights");
	if (h.e_phentsize != sizeof(Elf64_Phdr) || h.e_phnum == 0)
		return fail(EXIT_CANNOT_RUN, err, path, "an ELF file without program headers");
	return check_segments(fd, &h, path, err);
}

/* ---- scripts ---- */

static char *trim(char *s)
{
	size_t n;

	s += strspn(s, " \t");
	for (n = strlen(s); n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'); n--)
		;
	s[n] = '\0';
	return s;
}

/* p->argv = interpreter, [argument], path, p->argv[1...]; p->path = interpreter. line: after "#!". */
static int follow_script(struct program *p, char *line, char err[512])
{
	char *interp = trim(line), *arg = interp + strcspn(interp, " \t"), **argv;
	unsigned n = 0, out = 0;

	if (*arg)
		*arg++ = '\0';
	arg = trim(arg);
	if (!*interp)
		return fail(EXIT_CANNOT_RUN, err, p->path, "its #! line names no interpreter");
	while (p->argv[n])
		n++;
	argv = calloc(n + 4, sizeof(*argv));
	if (!argv)
		return fail(EXIT_QUIRE, err, p->path, strerror(ENOMEM));
	argv[out++] = strdup(interp);
	if (*arg)
		argv[out++] = strdup(arg);
	argv[out++] = strdup(p->path);
	for (unsigned i = 1; i < n; i++)
		argv[out++] = strdup(p->argv[i]);
	snprintf(p->path, sizeof(p->path), "%s", interp);
	program_free(p);
	p->argv = argv;
	return 0;
}

void program_free(struct program *p)
{
	for (char **a = p->argv; a && *a; a++)
		free(*a);
	free(p->argv);
	p->argv = NULL;
}

/* Looks at p->path. Returns 0: an ELF program; -1: a script, followed to its interpreter; else an exit status. */
static int look(struct program *p, char err[512])
{
	u8 head[SCRIPT_LINE + 1] = {0};
	int status = can_execute(p->path), fd;
	ssize_t n;

	if (status != 0)
		return explain_not_executable(p->path, status, err);
	fd = open(p->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(EXIT_CANNOT_RUN, err, p->path, "cannot be read");
	n = pread(fd, head, SCRIPT_LINE, 0);
	if (n >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0) {
		status = check_elf(fd, head, n, p->path, err);
	} else if (n >= 2 && memcmp(head, "#!", 2) == 0) {
		*strchrnul((char *)head, '\n') = '\0';
		status = follow_script(p, (char *)head + 2, err);
		status = status ? status : -1;
	} else {
		status = fail(EXIT_CANNOT_RUN, err, p->path,
			      n == 0 ? "an empty file" : "neither an ELF program nor a script with a #! line");
	}
	close(fd);
	return status;
}

int program_find(char *const argv[], struct program *p, char err[512])
{
	unsigned n = 0;
	int status = path_find(argv[0], p->path);

	if (status != 0)
		return explain_not_executable(p->path, status, err);
	memcpy(p->name, p->path, sizeof(p->name));
	while (argv[n])
		n++;
	p->argv = calloc(n + 1, sizeof(*p->argv));
	for (unsigned i = 0; p->argv && i < n; i++)
		p->argv[i] = strdup(argv[i]);
	for (unsigned i = 0; i < PROGRAM_MAX_SCRIPTS; i++) {
		status = look(p, err);
		if (status >= 0)
			break;
	}
	if (status < 0)
		status = fail(EXIT_CANNOT_RUN, err, p->path, "too many scripts that are interpreters of scripts");
	if (status != 0)
		program_free(p);
	return status;
}
