/* SPDX-License-Identifier: MIT
 *
 * cli/program.h - from the words of a command line to an ELF file that can run here, as execvp() and the kernel find
 * it.
 */
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

#include <limits.h>

#define PROGRAM_MAX_SCRIPTS 5 /* scripts that are the interpreters of scripts: the kernel's limit */

struct program {
	char name[PATH_MAX]; /* what is executed: the program, or the script */
	char path[PATH_MAX]; /* an x86-64 ELF file: the program, or the interpreter of the script */
	char **argv;         /* as that file gets it, NULL-terminated; program_free() */
};

/* Returns 0, or the exit status that env(1) would give, with one line in err (no newline). */
int program_find(char *const argv[], struct program *p, char err[512]);
void program_free(struct program *p);

/* A command's path by PATH's rule (a name with a slash is itself). Returns 0, or 126, 127 as above. */
int path_find(const char *name, char path[PATH_MAX]);

#endif
