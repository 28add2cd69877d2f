/* SPDX-License-Identifier: MIT
 *
 * test/cli/terminal.c - terminal KEY COMMAND [ARG...]: runs the command on a terminal of its own, types KEY (a character
 * by its number: 3 is Ctrl-C) as soon as it prints "ready", and copies what it shows to standard output. Exit status:
 * the command's, 128+N when a signal ended it, 77 when there are no terminals.
 */
#include <pty.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char shown[65536], key = argc > 2 ? (char)atoi(argv[1]) : 0;
	size_t n = 0;
	ssize_t got;
	bool typed = false;
	int master, status;
	pid_t pid;

	if (argc < 3)
		return 2;
	pid = forkpty(&master, NULL, NULL, NULL);
	if (pid < 0)
		return 77;
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	while (n < sizeof(shown) - 1 && (got = read(master, shown + n, sizeof(shown) - 1 - n)) > 0) {
		n += (size_t)got;
		shown[n] = '\0';
		if (!typed && strstr(shown, "ready"))
			typed = write(master, &key, 1) == 1;
	}
	fwrite(shown, 1, n, stdout);
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
