/* SPDX-License-Identifier: MIT
 *
 * test/cost/bill.c - bills against a model of their own.
 *
 * The model is a list of sentences: one of this counter costs one of each of these rows, at these places of the bill.
 * Random counters are priced by both. Beside that: a counter that is in no sentence changes no bill, the sum is that of
 * the rows, and nothing wraps round.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "cost/bill.h"

static struct machine_counters c;
static struct machine_config cfg;
static struct cost_table t;

/* One of *counter is paid for in `row` with `paid` of each cost, in thousandths of cycles where it is a time in ns. */
static struct sentence {
	u64 *counter;
	unsigned row;
	enum cost_id cost[2]; /* COST_NR: none */
} sentences[] = {
    {&c.os.faults[VM_FAULT_ZERO_READ], BILL_ZERO, {COST_EXCEPTION, COST_FAULT_ZERO_READ}},
    {&c.os.faults[VM_FAULT_ZERO_WRITE], BILL_ZERO, {COST_EXCEPTION, COST_FAULT_ZERO_WRITE}},
    {&c.os.faults[VM_FAULT_STACK], BILL_ZERO, {COST_EXCEPTION, COST_FAULT_ZERO_WRITE}},
    {&c.os.faults[VM_FAULT_FILE], BILL_FILE, {COST_EXCEPTION, COST_FAULT_FILE}},
    {&c.os.faults[VM_FAULT_COW_COPY], BILL_COW, {COST_EXCEPTION, COST_FAULT_COW_COPY}},
    {&c.os.faults[VM_FAULT_COW_REUSE], BILL_COW, {COST_EXCEPTION, COST_FAULT_COW_REUSE}},
    {&c.os.faults[VM_FAULT_SWAP], BILL_SWAP, {COST_EXCEPTION, COST_FAULT_SWAP}},
    {&c.os.faults[VM_FAULT_SPURIOUS], BILL_SPURIOUS, {COST_EXCEPTION, COST_FAULT_SPURIOUS}},
    {&c.os.faults[VM_FAULT_MAPERR], BILL_SIGNALS, {COST_EXCEPTION, COST_SIGNAL}},
    {&c.os.faults[VM_FAULT_ACCERR], BILL_SIGNALS, {COST_EXCEPTION, COST_SIGNAL}},
    {&c.os.faults[VM_FAULT_PKUERR], BILL_SIGNALS, {COST_EXCEPTION, COST_SIGNAL}},
    {&c.os.faults[VM_FAULT_BUS], BILL_SIGNALS, {COST_EXCEPTION, COST_SIGNAL}},
    {&c.os.faults[VM_FAULT_NOMEM], BILL_SIGNALS, {COST_EXCEPTION, COST_SIGNAL}},
    {&c.os.populated[VM_FAULT_ZERO_WRITE], BILL_POPULATE, {COST_POPULATE, COST_NR}},
    {&c.os.populated[VM_FAULT_FILE], BILL_POPULATE, {COST_POPULATE, COST_NR}},
    {&c.os.huge_cleared[0], BILL_CLEAR, {COST_CLEAR_2M, COST_NR}},
    {&c.os.huge_cleared[1], BILL_CLEAR, {COST_CLEAR_1G, COST_NR}},
    {&c.os.huge_copied, BILL_COPY, {COST_COPY_2M, COST_NR}},
    {&c.os.tables_made, BILL_TABLES, {COST_TABLE, COST_NR}},
    {&c.mmu.host_walks, BILL_NESTED, {COST_NESTED_WALK, COST_NR}},
    {&c.mmu.invlpg, BILL_FLUSHES, {COST_INVLPG, COST_NR}},
    {&c.mmu.invpcid, BILL_FLUSHES, {COST_INVPCID, COST_NR}},
    {&c.os.shootdowns, BILL_SHOOTDOWNS, {COST_SHOOTDOWN, COST_NR}},
    {&c.os.ipis, BILL_SHOOTDOWNS, {COST_IPI, COST_NR}},
    {&c.map_calls[MAP_MMAP], BILL_MAPS, {COST_MAP_CALL, COST_NR}},
    {&c.map_calls[MAP_OTHER], BILL_MAPS, {COST_MAP_CALL, COST_NR}},
    {&c.os.entries[VM_ENTRIES_PROTECTED][0], BILL_MAPS, {COST_PROTECT_PAGE, COST_NR}},
    {&c.os.entries[VM_ENTRIES_PROTECTED][1], BILL_MAPS, {COST_PROTECT_PAGE, COST_NR}},
    {&c.forks, BILL_FORK, {COST_FORK, COST_NR}},
    {&c.os.entries[VM_ENTRIES_FORKED][0], BILL_FORK, {COST_FORK_4K, COST_NR}},
    {&c.os.entries[VM_ENTRIES_FORKED][1], BILL_FORK, {COST_FORK_2M, COST_NR}},
    {&c.kernel_entries[KERNEL_SYSCALL], BILL_SYSTEM_CALLS, {COST_SYSTEM_CALL, COST_NR}},
    {&c.kernel_entries[KERNEL_TICK], BILL_TICKS, {COST_TICK, COST_NR}},
    {&c.thread_switches, BILL_SWITCHES, {COST_THREAD_SWITCH, COST_NR}},
    {&c.os.thp_collapse, BILL_HUGE, {COST_COLLAPSE, COST_NR}},
    {&c.os.thp_split, BILL_HUGE, {COST_SPLIT, COST_NR}},
    {&c.os.pages_migrated, BILL_COMPACTION, {COST_MIGRATE, COST_NR}},
    {&c.os.reclaimed[0], BILL_RECLAIM, {COST_RECLAIM, COST_NR}},
    {&c.os.reclaimed[1], BILL_RECLAIM, {COST_RECLAIM, COST_NR}},
};

static u64 rng = 7;
static u64 some(u64 below)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return (rng >> 20) % below;
}

/* Costs that are all different, so that none can stand for another; a device's in ns, a clock of 2 .. 4 GHz. */
static void strange_costs(void)
{
	char err[MACHINE_ERR];

	memset(&c, 0, sizeof(c));
	assert_int_equal(machine_parse("4k", NULL, &cfg, err), 0);
	for (unsigned id = 0; id < COST_NR; id++)
		t.at[id] = (struct cost){1000 + 7 * id * id, 3000 + 11 * id * id, "-", "a test"};
	t.at[COST_CLOCK] = (struct cost){2000, 4000, "-", "a test"};
	t.at[COST_WALKS_AT_ONCE] = (struct cost){2, 4, "-", "a test"};
}

static void expect_bill(const struct cycles want[BILL_NR])
{
	struct bill got = bill_make(&c, &cfg, &t);
	u64 least = 0, most = 0;

	for (unsigned row = 0; row < BILL_NR; row++) {
		if (got.row[row].least != want[row].least || got.row[row].most != want[row].most)
			fail_msg("%s: %llu..%llu, not %llu..%llu", bill_kinds[row].label,
				 (unsigned long long)got.row[row].least, (unsigned long long)got.row[row].most,
				 (unsigned long long)want[row].least, (unsigned long long)want[row].most);
		least += got.row[row].least;
		most += got.row[row].most;
	}
	assert_int_equal(got.sum.least, least);
	assert_int_equal(got.sum.most, most);
}

static void pay(struct cycles *row, u64 n, enum cost_id id)
{
	if (id == COST_NR)
		return;
	row->least += n * t.at[id].least;
	row->most += n * t.at[id].most;
}

static void unpay(struct cycles *row, u64 n, enum cost_id id)
{
	row->least -= n * t.at[id].least;
	row->most -= n * t.at[id].most;
}

static void random_counters(void **state)
{
	for (unsigned round = 0; round < 2000; round++) {
		struct cycles want[BILL_NR] = {0};
		u64 small, switches, flushing, reads, pages, files;

		strange_costs();
		for (struct sentence *s = sentences; s < sentences + ARRAY_SIZE(sentences); s++) {
			if (some(3) == 0)
				continue;
			*s->counter = some(100000);
			pay(&want[s->row], *s->counter, s->cost[0]);
			pay(&want[s->row], *s->counter, s->cost[1]);
		}
		if (c.os.faults[VM_FAULT_COW_COPY]) { /* some of those are of the zero page */
			c.os.cow_zero = some(c.os.faults[VM_FAULT_COW_COPY]);
			unpay(&want[BILL_COW], c.os.cow_zero, COST_EXCEPTION);
			unpay(&want[BILL_COW], c.os.cow_zero, COST_FAULT_COW_COPY);
			pay(&want[BILL_ZERO], c.os.cow_zero, COST_EXCEPTION);
			pay(&want[BILL_ZERO], c.os.cow_zero, COST_FAULT_COW_COPY);
		}
		small = some(1000000);
		c.os.frames_cleared = small + 512 * c.os.huge_cleared[0] + 262144 * c.os.huge_cleared[1];
		pay(&want[BILL_CLEAR], small, COST_CLEAR_4K);
		c.os.frames_copied = small + 512 * c.os.huge_copied;
		pay(&want[BILL_COPY], small, COST_COPY_4K);
		for (unsigned place = 0; place < MMU_NPLACES; place++) {
			u64 near = some(1000000), far = some(1000000);

			c.mmu.read_from[place][MMU_NEAREST] = near;
			c.mmu.read_from[place][MMU_FARTHEST] = far;
			want[BILL_WALKS].least += near * t.at[COST_WALK_L2 + place].least;
			want[BILL_WALKS].most += far * t.at[COST_WALK_L2 + place].most;
			near = some(1000000), far = some(1000000);
			c.mmu.host_read_from[place][MMU_NEAREST] = near;
			c.mmu.host_read_from[place][MMU_FARTHEST] = far;
			want[BILL_NESTED].least += near * t.at[COST_WALK_L2 + place].least;
			want[BILL_NESTED].most += far * t.at[COST_WALK_L2 + place].most;
		}
		want[BILL_WALKS].least /= 4;
		want[BILL_NESTED].least /= 4;
		for (unsigned huge = 0; huge < 2; huge++) {
			u64 freed = some(1000), left = some(1000);

			c.os.entries[VM_ENTRIES_UNMAPPED][huge] = freed + left;
			c.os.entries[VM_ENTRIES_LEFT][huge] = left;
			pay(&want[BILL_MAPS], freed, huge ? COST_UNMAP_2M : COST_UNMAP_4K);
			pay(&want[BILL_MAPS], left, COST_UNMAP_LEFT);
		}
		c.mmu.l2_miss[0] = some(1000);
		c.mmu.l2_miss[1] = some(1000);
		c.mmu.l1_miss[0] = c.mmu.l2_miss[0] + 300;
		c.mmu.l1_miss[1] = c.mmu.l2_miss[1] + 5;
		pay(&want[BILL_L2_HITS], 305, COST_L2_TLB_HIT);
		switches = some(1000);
		flushing = some(1000);
		c.os.context_switches = switches;
		c.mmu.cr3_loads = switches + flushing;
		cfg.kpti = some(2);
		pay(&want[BILL_SWITCHES], switches, COST_CR3);
		pay(&want[cfg.kpti ? BILL_KPTI : BILL_FLUSHES], flushing, COST_CR3);
		reads = some(100);
		pages = some(1000);
		files = some(100);
		c.os.swap_requests = reads;
		c.os.swap_ins = pages;
		c.os.file_reads = files;
		cfg.swap_device = swap_device_find(some(2) ? "hdd" : "zram");
		if (strcmp(cfg.swap_device->name, "hdd") == 0) {
			pay(&want[BILL_IO], reads + files, COST_HDD_READ);
			pay(&want[BILL_IO], pages + files, COST_HDD_READ_PAGE);
		} else {
			pay(&want[BILL_IO], reads, COST_ZRAM_READ);
			pay(&want[BILL_IO], pages, COST_ZRAM_READ_PAGE);
			pay(&want[BILL_IO], files, COST_NVME_READ);
			pay(&want[BILL_IO], files, COST_NVME_READ_PAGE);
		}
		want[BILL_IO].least *= 2;
		want[BILL_IO].most *= 4;
		expect_bill(want);
	}
}

/* What other counters feed already: paid twice, it would be a defect. */
static void paid_once(void **state)
{
	static u64 *const others[] = {&c.kernel_entries[KERNEL_FAULT],
				      &c.kernel_entries[KERNEL_IPI],
				      &c.os.major_faults,
				      &c.os.kernel_faults,
				      &c.os.faults_by_order[0],
				      &c.os.faults_by_order[1],
				      &c.os.tlb_flushes,
				      &c.os.tlb_flush_pages,
				      &c.os.tlb_flush_all,
				      &c.os.thp_alloc,
				      &c.os.compactions,
				      &c.os.ipis_by[0],
				      &c.mmu.walks[0],
				      &c.mmu.walk_faults[0],
				      &c.mmu.rewalks[0],
				      &c.mmu.walk_steps[0],
				      &c.mmu.walk_steps[1],
				      &c.mmu.host_steps,
				      &c.mmu.cr3_flushes,
				      &c.kernel_walks[0],
				      &c.kernel_walk_steps,
				      &c.io_wait_ns,
				      &c.io_write_ns,
				      &c.os.swap_outs,
				      &c.minflt};
	struct cycles nothing[BILL_NR] = {0};

	strange_costs();
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
		*others[i] = 12345;
	expect_bill(nothing);
}

/* Figures that no run has: the bill says "as many as can be", and not a small number. */
static void nothing_wraps(void **state)
{
	struct bill b;

	strange_costs();
	c.os.faults[VM_FAULT_FILE] = ~0ull / 2000;
	c.forks = ~0ull;
	b = bill_make(&c, &cfg, &t);
	assert_true(b.row[BILL_FILE].most == ~0ull && b.row[BILL_FORK].least == ~0ull);
	assert_true(b.sum.least == ~0ull && b.sum.most == ~0ull);
}

/* A row says that a cost goes into it where, on some machine, another price of that gives another row. */
static void rows_say_what_is_paid(void **state)
{
	u64 paid[BILL_NR] = {0};
	struct bill before, after;

	for (unsigned k = 0; k < 8; k++) {
		strange_costs();
		for (u64 *p = (u64 *)&c; p < (u64 *)(&c + 1); p++)
			*p = 1000 + some(1000);
		c.os.frames_cleared = c.os.frames_copied = 1ull << 40;
		cfg.kpti = k & 1;
		cfg.swap_device = &swap_devices[k >> 1];
		before = bill_make(&c, &cfg, &t);
		for (unsigned id = 0; id < COST_NR; id++) {
			struct cost was = t.at[id];

			t.at[id].least += 1000, t.at[id].most += 1000;
			after = bill_make(&c, &cfg, &t);
			t.at[id] = was;
			for (unsigned row = 0; row < BILL_NR; row++)
				if (memcmp(&before.row[row], &after.row[row], sizeof(struct cycles)) != 0)
					paid[row] |= 1ull << id;
		}
	}
	for (unsigned row = 0; row < BILL_NR; row++)
		if (paid[row] != bill_kinds[row].paid)
			fail_msg("%s: %#llx, not %#llx", bill_kinds[row].label,
				 (unsigned long long)bill_kinds[row].paid, (unsigned long long)paid[row]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_counters),
	    cmocka_unit_test(paid_once),
	    cmocka_unit_test(nothing_wraps),
	    cmocka_unit_test(rows_say_what_is_paid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
