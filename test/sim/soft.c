/* SPDX-License-Identifier: MIT
 *
 * test/sim/soft.c - the software machine keeps the contracts of hw/hw.h; who breaks them is stopped.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hw/soft/soft.h"
#include "mm/vm.h"

static struct hw_machine *create(const char *cpu, bool pcid, bool contents)
{
	struct hw_soft_config cfg = {
	    .preset = cpu_preset_find(cpu), .ram_bytes = (8 << 20) + 5, .pcid = pcid, .contents = contents};
	struct hw_machine *m = hw_soft_create(&cfg);

	assert_non_null(m);
	return m;
}

static void ram_and_cpus(void **state)
{
	struct hw_machine *m = create("zen3", true, false);
	struct hw_cpu *two;
	u64 start = 1, end;

	assert_int_equal(hw_ram(m, 0, &start, &end), 0);
	assert_int_equal(start, 0);
	assert_int_equal(end, 8 << 20);
	assert_int_equal(hw_ram(m, 1, &start, &end), -ENOENT);
	assert_int_equal(hw_cpu_id(hw_this_cpu(m)), 0);
	two = hw_soft_cpu(m, 2);
	assert_ptr_equal(hw_soft_cpu(m, 2), two);
	hw_soft_set_current(m, two);
	assert_int_equal(hw_cpu_id(hw_this_cpu(m)), 2);
	assert_null(*hw_percpu(two));
	*hw_percpu(two) = m;
	assert_ptr_equal(*hw_percpu(two), m);
	hw_soft_destroy(m);
}

/* PCIDs where the CPU has them and they are wanted; without them MOV to CR3 flushes. */
static void features(void **state)
{
	static const struct {
		const char *cpu;
		bool pcid, has;
	} cases[] = {{"zen3", true, true}, {"zen3", false, false}, {"zen2", true, false}, {"skylake", true, true}};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct hw_machine *m = create(cases[i].cpu, cases[i].pcid, false);
		struct hw_cpu *cpu = hw_this_cpu(m);
		unsigned f = hw_features(cpu);

		assert_true((f & (HW_NX | HW_PGE | HW_GBPAGES | HW_SMEP | HW_SMAP)) ==
			    (HW_NX | HW_PGE | HW_GBPAGES | HW_SMEP | HW_SMAP));
		assert_int_equal(!!(f & HW_PCID), cases[i].has);
		assert_int_equal(!!(f & HW_INVPCID), cases[i].has);
		if (cases[i].has) {
			hw_write_cr3(cpu, 0x5000 | 0x123 | X86_CR3_NOFLUSH);
			assert_int_equal(hw_read_cr3(cpu), 0x5123);
			hw_invpcid(cpu, X86_INVPCID_ALL, 0, 0);
			assert_int_equal(mmu_counters(hw_soft_mmu(cpu))->invpcid, 1);
		}
		hw_soft_destroy(m);
	}
}

static void frames(void **state)
{
	for (unsigned contents = 0; contents < 2; contents++) {
		struct hw_machine *m = create("zen3", true, contents);
		u8 *ram = hw_soft_ram(m);

		memset(ram + 16 * PAGE_SIZE, 7, 16 * PAGE_SIZE);
		hw_clear_frames(m, 16, 2);
		hw_copy_frames(m, 32, 18, 2);
		assert_int_equal(ram[16 * PAGE_SIZE], contents ? 0 : 7);
		assert_int_equal(ram[20 * PAGE_SIZE - 1], contents ? 0 : 7);
		assert_int_equal(ram[20 * PAGE_SIZE], 7);
		assert_int_equal(ram[34 * PAGE_SIZE - 1], 0);
		assert_int_equal(ram[36 * PAGE_SIZE - 1], contents ? 7 : 0);
		assert_int_equal(hw_soft_counters(m)->frames_cleared, 4);
		assert_int_equal(hw_soft_counters(m)->frames_copied, 4);
		hw_soft_destroy(m);
	}
}

static unsigned heard;
static void hear(void *ctx, const struct vm_event *ev)
{
	heard += ev->type == VM_EV_TLB_FLUSH;
}

static void events(void **state)
{
	struct hw_soft_config cfg = {.preset = cpu_preset_find("zen3"), .ram_bytes = 1 << 20, .observe = hear};
	struct hw_machine *m = hw_soft_create(&cfg);
	const struct hw_soft_counters *c = hw_soft_counters(m);
	static const struct vm_event told[] = {
	    {.type = VM_EV_FAULT, .cause = VM_FAULT_ZERO_WRITE, .order = 9},
	    {.type = VM_EV_FAULT, .cause = VM_FAULT_FILE, .flags = VM_EVF_MAJOR | VM_EVF_KERNEL},
	    {.type = VM_EV_FAULT, .cause = VM_FAULT_MAPERR},
	    {.type = VM_EV_POPULATE, .cause = VM_FAULT_FILE, .flags = VM_EVF_MAJOR},
	    {.type = VM_EV_TLB_FLUSH, .n = VM_FLUSH_ALL},
	    {.type = VM_EV_TLB_FLUSH, .n = 33},
	    {.type = VM_EV_SHOOTDOWN, .n = 3},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(told); i++)
		hw_event(m, &told[i]);
	assert_int_equal(c->faults[VM_FAULT_ZERO_WRITE], 1);
	assert_int_equal(c->faults[VM_FAULT_FILE], 1);
	assert_int_equal(c->faults[VM_FAULT_MAPERR], 1);
	assert_int_equal(c->populated[VM_FAULT_FILE], 1);
	assert_int_equal(c->faults_by_order[0], 1);
	assert_int_equal(c->faults_by_order[1], 1);
	assert_int_equal(c->major_faults, 2);
	assert_int_equal(c->kernel_faults, 1);
	assert_int_equal(c->tlb_flushes, 2);
	assert_int_equal(c->tlb_flush_all, 1);
	assert_int_equal(c->tlb_flush_pages, 33);
	assert_int_equal(c->shootdowns, 1);
	assert_int_equal(c->ipis, 3);
	assert_int_equal(heard, 2);
	hw_soft_destroy(m);
}

/* ---- contracts broken on purpose: each must end the process with hw_panic (SIGABRT) ---- */

static void restore_twice(struct hw_machine *m)
{
	u64 flags = hw_irq_save(m);

	hw_irq_restore(m, flags);
	hw_irq_restore(m, flags);
}

static void restore_out_of_order(struct hw_machine *m)
{
	u64 outer = hw_irq_save(m);

	hw_irq_save(m);
	hw_irq_restore(m, outer);
}

static void shoot_with_irqs_off(struct hw_machine *m)
{
	hw_irq_save(m);
	hw_shootdown(m, 0, NULL);
}

static void shoot_a_missing_cpu(struct hw_machine *m)
{
	hw_shootdown(m, 2, NULL);
}

static void frame_beyond_ram(struct hw_machine *m)
{
	hw_clear_frames(m, (8 << 20) / PAGE_SIZE - 1, 1);
}

static void invpcid_without_pcids(struct hw_machine *m)
{
	hw_invpcid(hw_this_cpu(m), 99, 0, 0);
}

static void dies(void (*wrong)(struct hw_machine *m))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		close(STDERR_FILENO);
		wrong(create("zen3", false, false));
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void contracts(void **state)
{
	struct hw_machine *m = create("zen3", true, false);
	u64 outer = hw_irq_save(m), inner = hw_irq_save(m);

	hw_irq_restore(m, inner);
	hw_irq_restore(m, outer);
	hw_shootdown(m, 0, NULL);
	hw_soft_destroy(m);
	dies(restore_twice);
	dies(restore_out_of_order);
	dies(shoot_with_irqs_off);
	dies(shoot_a_missing_cpu);
	dies(frame_beyond_ram);
	dies(invpcid_without_pcids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ram_and_cpus), cmocka_unit_test(features),  cmocka_unit_test(frames),
	    cmocka_unit_test(events),       cmocka_unit_test(contracts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
