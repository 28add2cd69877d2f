/* SPDX-License-Identifier: MIT
 *
 * test/report/synthetic.c - a made-up run for the report's tests.
 */
#include "test/report/synthetic.h"

#include <stdlib.h>
#include <string.h>

void synthetic_init(struct synthetic *s)
{
	static const struct {
		char name[16], cpu[8], thp[8];
		u64 ram_gib;
	} machine[SYN_MACHINES] = {
	    {"4k", "zen3", "never", 16},          {"thp", "zen3", "always", 16},
	    {"2m", "zen3", "never", 16},          {"1g", "zen3", "never", 16},
	    {"4k,cpu=zen4", "zen4", "never", 16}, {"thp,pcid=off", "zen3", "always", 16},
	    {"2m,cpu=zen4", "zen4", "never", 16}, {"1g,ram=8G", "zen3", "never", 8},
	};
	static const char region_name[SYN_REGIONS][20] = {"[anon]",           "[heap]",         "[stack]",
							  "/usr/lib/libx.so", "/data/table.db", "[other]"};
	static char *argv[] = {(char *)"sort", (char *)"-n", (char *)"numbers", NULL};

	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < SYN_REGIONS; i++) {
		struct sim_region *g = &s->region[i];

		strcpy(g->name, region_name[i]);
		g->kind = (u8)i;
		g->start = 0x10000000 * (u64)(i + 1);
		g->end = g->start + 0x8000000;
		g->peak_bytes = 0x8000000;
	}
	for (unsigned i = 0; i < SYN_MACHINES; i++) {
		struct sim_machine_result *m = &s->machine[i];

		strcpy(m->name, machine[i].name);
		strcpy(m->cpu, machine[i].cpu);
		strcpy(m->thp, machine[i].thp);
		m->ram_bytes = machine[i].ram_gib << 30;
		m->peak_rss_bytes = 512ull << 20;
		m->region = s->region_result[i];
	}
	s->result = (struct sim_result){
	    .argv = argv,
	    .program = {.instructions = 1000000000, .data_accesses = 400000000, .processes = 1, .threads = 1},
	    .region = s->region,
	    .nr_regions = SYN_REGIONS,
	    .machine = s->machine,
	    .nr_machines = 4,
	};
}

void synthetic_walks(struct synthetic *s, unsigned m, unsigned region, u64 walks, u64 cycles)
{
	s->region_result[m][region].walks[0] += walks;
	s->machine[m].mmu.l2_miss[0] += walks;
	s->machine[m].mmu.walks[0] += walks;
	s->machine[m].mmu.walk_cycles_min += walks;
	s->machine[m].mmu.walk_cycles_max += walks * cycles;
}

char *synthetic_text(const struct synthetic *s, void (*print)(FILE *out, const struct sim_result *r))
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	print(out, &s->result);
	fclose(out);
	return text;
}
