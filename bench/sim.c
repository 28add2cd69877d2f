/* SPDX-License-Identifier: MIT
 *
 * bench/sim.c - events per second that the simulator takes, decoding included, on one core.
 *
 *   friendly: rounds over 48 pages: L1 hits, as most programs send most of the time
 *   L2:       uniformly random over 1024 pages of 4K: L1 misses that hit in L2
 *   hostile:  uniformly random over 64k pages of 4K: each event misses both TLBs and walks
 *   large:    the same over 1M pages: page tables that the host's caches do not hold
 *
 * One machine, and the four default ones at once; the ratio of the two is what a machine more costs. CPU time, best of
 * several rounds: the host may be busy with something else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/sim.h"

#define BASE   0x7ff000000000ull
#define EVENTS (1u << 20)
#define ROUNDS 7

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static struct sim *create(const char *const *names, unsigned nr)
{
	struct machine_config cfg[4];
	char err[256];
	struct sim *s;

	for (unsigned i = 0; i < nr; i++)
		if (machine_parse(names[i], NULL, &cfg[i], err) != 0)
			exit(1);
	s = sim_create(cfg, nr);
	if (!s)
		exit(1);
	return s;
}

static void feed(struct sim *s, unsigned type, u64 arg, const void *payload, unsigned words)
{
	u64 w[16] = {ev_long_make(type, words, arg)};

	memcpy(w + 1, payload, words * sizeof(u64));
	if (sim_feed(s, 0, w, 1 + words) != 0)
		exit(1);
}

/* A process with `bytes` of anonymous memory at BASE. */
static void begin(struct sim *s, u64 bytes)
{
	struct ev_thread thread = {1, 1, 0};
	struct ev_exec exec = {0};
	struct ev_map map = {.start = BASE, .len = bytes, .prot = PROT_READ | PROT_WRITE};

	map.flags = MAP_PRIVATE | MAP_ANONYMOUS;
	feed(s, EV_THREAD, 0, &thread, EV_PAYLOAD_WORDS(thread));
	feed(s, EV_EXEC, 0, &exec, EV_PAYLOAD_WORDS(exec));
	feed(s, EV_MAP, 0, &map, EV_PAYLOAD_WORDS(map));
}

static void fill(u64 *words, u64 pages, bool at_random)
{
	u64 random = 88172645463325252ull;

	for (unsigned i = 0; i < EVENTS; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		words[i] = ev_enter_make((BASE >> 12) + (at_random ? random : i) % pages, i % 16,
					 i % 4 ? EVR_READ : EVR_WRITE);
	}
}

/* Million events per second of CPU time, for each of nr machines. */
static double measure(const char *const *names, unsigned nr, const u64 *words, u64 bytes)
{
	struct sim *s = create(names, nr);
	double best = 1e9;

	begin(s, bytes);
	for (unsigned i = 0; i < ROUNDS; i++) {
		double start = cpu_seconds(), took;

		if (sim_feed(s, 0, words, EVENTS) != 0)
			exit(1);
		took = cpu_seconds() - start;
		if (i > 0 && took < best) /* the first round takes the page faults */
			best = took;
	}
	sim_destroy(s);
	return EVENTS * nr / best / 1e6;
}

int main(void)
{
	static const char *const names[] = {"4k", "thp", "2m", "1g"};
	static const struct {
		const char *name;
		u64 pages;
		bool at_random;
	} streams[] = {{"friendly", 48, false}, {"L2", 1024, true}, {"hostile", 65536, true}, {"large", 1048576, true}};
	u64 *words = malloc(EVENTS * sizeof(*words));
	double one[4], four[4];

	if (!words)
		return 1;
	printf("simulator: million events/s and machine          one (4k)   4k, thp, 2m, 1g   time of four / one\n");
	for (unsigned i = 0; i < ARRAY_SIZE(streams); i++) {
		fill(words, streams[i].pages, streams[i].at_random);
		one[i] = measure(names, 1, words, 1ull << 32);
		four[i] = measure(names, 4, words, 1ull << 32);
		printf("  TLB-%-8s (%7lu pages)                   %8.1f   %15.1f   %18.2f\n", streams[i].name,
		       streams[i].pages, one[i], four[i], 4 * one[i] / four[i]);
	}
	printf("  hostile / friendly, time per event            %8.2f   %15.2f\n", one[0] / one[2], four[0] / four[2]);
	free(words);
	return 0;
}
