/* SPDX-License-Identifier: MIT
 *
 * test/programs/signals.c - says "ready PID" and counts SIGINT, SIGQUIT, SIGHUP and SIGTERM, whatever it was told to do
 * with them before; a quarter of a second after the first one it prints how many there were of each and ends.
 */
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t count[NSIG];

static void on_signal(int sig)
{
	count[sig]++;
}

static void wait_ms(long ms)
{
	struct timespec left = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&left, &left) != 0)
		;
}

int main(void)
{
	struct sigaction act = {.sa_handler = on_signal};

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGQUIT, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	printf("ready %d\n", getpid());
	fflush(stdout);
	while (!(count[SIGINT] | count[SIGQUIT] | count[SIGHUP] | count[SIGTERM]))
		wait_ms(5);
	wait_ms(250);
	printf("int %d quit %d hup %d term %d\n", count[SIGINT], count[SIGQUIT], count[SIGHUP], count[SIGTERM]);
	return 0;
}
