/* SPDX-License-Identifier: MIT
 *
 * sim/sim.h - simulated computers, several at once on one stream of events.
 *
 *   rings --> sim_pump() --> decoder (order, checks) --> [ machine 0 | machine 1 | ... ] --> sim_finish(): counters
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "mm/vm.h"
#include "sim/counters.h"
#include "trace/event.h"

struct sim;
struct ring_hub;
struct swap_device; /* sim/device.h */

#define SIM_MAX_CPUS 64

struct sim_machine_config {
	char name[64];
	const struct cpu_preset *preset;
	enum vm_thp thp;
	u8 anon_order; /* 0, 9, 18 */
	enum vm_thp_defrag defrag;
	u16 fragmentation; /* per mille */
	u64 ram_bytes;
	u64 hugepages;   /* 2M pages set aside for MAP_HUGETLB; 0: no pool */
	u64 swap_bytes;  /* 0: none */
	bool swap_given; /* else the parser chooses: twice the RAM, at least 1 GiB */
	const struct swap_device *swap_device;
	enum vm_reclaim_policy reclaim;
	bool pcid, pagecache_cold;
	bool kpti;
	bool khugepaged_off;
	bool kernel_off; /* entries touch none of the kernel's pages */
	u16 hz;          /* timer ticks a second; 0 = 250 */
	u8 cpus;         /* 1..64; 0 = one a thread */
	u8 check;        /* 0..3 */
	u8 oracle;       /* 0, 1 */
};
/* Parses "NAME[,key=value...]": names 4k, thp, thp-madvise, 2m, 1g; keys cpu, thp, ram, swap, swap-device, reclaim,
 * khugepaged, defrag, fragmentation, hugepages, pcid, kpti, cpus, hz, kernel, page-cache, check, oracle. Returns 0, or
 * -1 with a line in err that says what is wrong and what would be right. defaults: from --cpu, --ram...
 */
int sim_machine_parse(const char *text, const struct sim_machine_config *defaults, struct sim_machine_config *out,
		      char err[256]);
/* "64M", "4G", "1048576": bytes. Returns 0 or -1. */
int sim_size_parse(const char *text, u64 *bytes);

struct sim *sim_create(const struct sim_machine_config *cfg, unsigned nr); /* NULL with errno set */
/* Feed one thread's words; `stream` names the thread's stream (0..). Returns 0, or -1 when the stream is malformed:
 * that stream is closed, the rest goes on. Used by sim_pump, tests, fuzzers and replays. */
int sim_feed(struct sim *s, unsigned stream, const u64 *words, size_t n);
/* Reads what the rings hold. Returns the number of words taken (0: nothing there). */
size_t sim_pump(struct sim *s, struct ring_hub *hub);
/* Pages of the recency window that a producer may keep for these machines (trace/event.h). */
unsigned sim_window(const struct sim *s);
/* Running totals for the status line. */
void sim_progress(const struct sim *s, u64 *instructions, u64 *accesses);
/* Ends the run and fills out (owned by s until sim_destroy). */
void sim_finish(struct sim *s, struct sim_result *out);
void sim_destroy(struct sim *s);

#endif
