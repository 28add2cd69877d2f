/* SPDX-License-Identifier: MIT
 *
 * engine/paths.h - names of files in /proc that would show the engine to the program.
 */
#ifndef ENGINE_PATHS_H
#define ENGINE_PATHS_H

#include "lib/types.h"

/* file: the program's path, as /proc/self/exe is to have it. */
void paths_begin(const char *file);
/* The program's path where the string at va is a name of this process' exe; else NULL. */
const char *paths_exe(u64 va);
/* Carries out a call that names this process' exe or maps. false: it names neither. */
bool paths_answer(long nr, const u64 a[6], long *ret);
void number_text(unsigned number, char text[11]);
unsigned number_of(const char *text);
/* "/proc/thread-self/fd/N": of a thread, as the first may have ended */
void link_of(int fd, char link[32]);

#endif
