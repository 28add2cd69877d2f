/* SPDX-License-Identifier: MIT
 *
 * test/report/synthetic.c - a made-up run for the report's tests.
 */
#include "test/report/synthetic.h"

#include <stdlib.h>
#include <string.h>

void synthetic_init(struct synthetic *s)
{
	static const char *const machine[SYN_MACHINES] = {"4k",          "thp",          "2m",          "1g",
							  "4k,cpu=zen4", "thp,pcid=off", "2m,cpu=zen4", "1g,ram=8G"};
	struct machine_config standard;
	char err[MACHINE_ERR];
	static const char region_name[SYN_REGIONS][20] = {"[anon]",           "[heap]",         "[stack]",
							  "/usr/lib/libx.so", "/data/table.db", "[other]"};
	static char *argv[] = {(char *)"sort", (char *)"-n", (char *)"numbers", NULL};

	memset(s, 0, sizeof(*s));
	machine_config_default(&standard);
	standard.ram_bytes = 16ull << 30;
	standard.swap_bytes = 0;
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

		if (machine_parse(machine[i], &standard, &m->cfg, err) != 0)
			abort();
		m->count.peak_rss_bytes = 512ull << 20;
		cost_table_make(&m->cost, m->cfg.preset->name, NULL);
		m->cost.at[COST_WALK_L2] = (struct cost){1, 1, "-", "a test"};
		m->cost.at[COST_WALKS_AT_ONCE] = (struct cost){1, 1, "-", "a test"};
		m->region = s->region_result[i];
		m->slice = s->slice[i];
		m->block = s->block_result[i];
	}
	s->result = (struct sim_result){
	    .argv = argv,
	    .program = {.instructions = 1000000000, .data_accesses = 400000000, .processes = 1, .threads = 1},
	    .region = s->region,
	    .block = s->block,
	    .block_bytes = 2 << 20,
	    .nr_regions = SYN_REGIONS,
	    .machine = s->machine,
	    .nr_machines = 4,
	};
}

void synthetic_fill(struct synthetic *s)
{
	synthetic_init(s);
	for (unsigned i = 0; i < SYN_MACHINES; i++) {
		struct sim_machine_result *m = &s->machine[i];

		for (unsigned k = 0; k < SYN_REGIONS; k++)
			synthetic_walks(s, i, k, 9999999 / (i + 1) / (k + 1), 123);
		m->count.os.faults[VM_FAULT_ZERO_WRITE] = 8888888;
		m->count.mmu.l1_miss[0] = 999999999;
		m->count.peak_table_bytes = 1023;
		m->count.os.tlb_flushes = i;
	}
}

void synthetic_price(struct synthetic *s)
{
	for (unsigned i = 0; i < SYN_MACHINES; i++)
		s->machine[i].bill = bill_make(&s->machine[i].count, &s->machine[i].cfg, &s->machine[i].cost);
}

void synthetic_programs(struct synthetic *s, unsigned programs, unsigned processes)
{
	struct sim_result *r = &s->result;

	r->program_row = s->program;
	r->process_row = s->process;
	r->nr_program_rows = programs;
	r->nr_process_rows = processes;
	for (unsigned i = 0; i < SYN_MACHINES; i++) {
		s->machine[i].program_count = s->program_count;
		s->machine[i].process_share = s->process_share;
	}
	for (unsigned i = 0; i < programs; i++)
		snprintf(s->program[i].path, sizeof(s->program[i].path), "/bin/program %u", i);
	for (unsigned i = 0; i < processes; i++)
		s->process[i] = (struct sim_process_row){.pid = 1000 + i, .parent_pid = 1, .program = i % programs};
}

void synthetic_slices(struct synthetic *s, unsigned nr)
{
	s->result.slice_end = s->slice_end;
	s->result.nr_slices = nr;
	for (unsigned i = 0; i < nr; i++)
		s->slice_end[i] = s->result.program.instructions * (i + 1) / nr;
}

void synthetic_steps(struct synthetic *s, unsigned m, u64 steps)
{
	struct mmu_counters *c = &s->machine[m].count.mmu;

	c->walk_steps[0] = c->read_from[MMU_L2][MMU_NEAREST] = c->read_from[MMU_L2][MMU_FARTHEST] = steps;
}

void synthetic_walks(struct synthetic *s, unsigned m, unsigned region, u64 walks, u64 cycles)
{
	s->region_result[m][region].walks[0] += walks;
	s->machine[m].count.mmu.l1_miss[0] += walks;
	s->machine[m].count.mmu.l2_miss[0] += walks;
	s->machine[m].count.mmu.walks[0] += walks;
	synthetic_steps(s, m, s->machine[m].count.mmu.walk_steps[0] + walks * cycles);
	s->region_result[m][region].walk_steps += walks * cycles;
}

char *synthetic_text(struct synthetic *s, void (*print)(FILE *out, const struct sim_result *r))
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	synthetic_price(s);
	print(out, &s->result);
	fclose(out);
	return text;
}
