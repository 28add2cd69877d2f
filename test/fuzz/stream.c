/* SPDX-License-Identifier: MIT
 *
 * test/fuzz/stream.c - a hostile program (events.h), one step after the other: the simulator takes or refuses each event
 * and each stream, and its machines stay sound.
 *
 * The first byte: bit 0, the rings begin with bytes alone, else with two threads of a program and its child; bit 1, no
 * pokes; the rest, which machines.
 *
 * Not blind for its speed: in 10 s of a CPU, each from an empty corpus, this found 2,369 edges in 9,000 runs where
 * the one with two machines of real CPUs' TLBs, and the checkers' branches counted, found 2,027 in 1,300.
 */
#include "test/fuzz/events.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct events f = {.in = {data, size}};
	u64 how = bytes_take(&f.in, 1);
	struct sim *s = events_sim(how >> 2);

	f.pokes = !(how & 2);
	events_open(&f);
	if (!(how & 1))
		events_begin(&f);
	for (unsigned i = 0; i < MAX_EVENTS && f.in.left; i++) {
		if (events_next(&f))
			continue;
		sim_pump(s, f.hub);
		sim_check(s);
	}
	events_end(&f);
	while (sim_pump(s, f.hub))
		;
	events_check(s);
	sim_destroy(s);
	return 0;
}
