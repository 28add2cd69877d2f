/* SPDX-License-Identifier: MIT
 *
 * test/mm/swap_disk.c - see swap_disk.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mm/vmscan.h"
#include "test/mm/swap_disk.h"

struct hw_machine *m;
struct vm *vm;
struct hw_cpu *cpu;
struct mm_struct *mm;

u8 (*disk)[PAGE_SIZE];
bool fail_reads, fail_writes;
u64 reads, writes;

static u8 *frame(u64 pfn)
{
	return vm->ram + (pfn << PAGE_SHIFT);
}

static int disk_read(void *ctx, u64 slot, u64 pfn)
{
	if (fail_reads)
		return -EIO;
	memcpy(frame(pfn), disk[slot], PAGE_SIZE);
	reads++;
	return 0;
}

static int disk_write(void *ctx, u64 slot, u64 pfn)
{
	if (fail_writes)
		return -EIO;
	memcpy(disk[slot], frame(pfn), PAGE_SIZE);
	writes++;
	return 0;
}

static bool zero_filled(void *ctx, u64 pfn)
{
	static const u8 zeroes[PAGE_SIZE];

	return memcmp(frame(pfn), zeroes, PAGE_SIZE) == 0;
}

static const struct backing_ops disk_ops = {.read_page = disk_read, .write_page = disk_write};
static const struct backing_ops zeromap_ops = {
    .read_page = disk_read, .write_page = disk_write, .zero_filled = zero_filled};

static void begin_with(u64 ram_bytes, struct vm_config cfg, const struct backing_ops *ops)
{
	disk = calloc(SLOTS, PAGE_SIZE);
	fail_reads = fail_writes = false;
	reads = writes = 0;
	cfg.swap_ops = ops;
	cfg.pcid = true;
	m = flat_create(&(struct flat_config){.ram_bytes = ram_bytes, .vm = cfg});
	vm = flat_vm(m);
	cpu = flat_cpu(m, 0);
	mm = mm_create(vm);
	flat_run(cpu, mm);
}

void begin(u64 ram_bytes, struct vm_config cfg)
{
	begin_with(ram_bytes, cfg, &disk_ops);
}

void begin_zeromap(u64 ram_bytes, struct vm_config cfg)
{
	begin_with(ram_bytes, cfg, &zeromap_ops);
}

void end(void)
{
	struct vm_meminfo info;

	if (mm)
		mm_put(mm);
	vm_check(vm);
	vm_meminfo(vm, &info);
	assert_int_equal(info.swap_used + info.anon_frames + info.file_frames, 0);
	flat_destroy(m);
	free(disk);
}

void map(struct mm_struct *in, u64 pages, unsigned flags)
{
	assert_int_equal(vm_mmap(cpu, in, BASE, pages * PAGE_SIZE, RW, flags, NULL, 0), BASE);
}

void write_pages(u64 pages, u8 add)
{
	for (u64 i = 0; i < pages; i++) {
		u8 byte = (u8)(i + add);

		assert_int_equal(flat_access(cpu, BASE + i * PAGE_SIZE, 'w', &byte), 0);
	}
}

void expect_pages(u64 pages, u8 add)
{
	for (u64 i = 0; i < pages; i++) {
		u8 byte;

		assert_int_equal(flat_access(cpu, BASE + i * PAGE_SIZE, 'r', &byte), 0);
		assert_int_equal(byte, (u8)(i + add));
	}
}

void swap_out_all(void)
{
	while (reclaim_pages(vm, cpu, 32, true))
		;
}

u64 events(enum vm_event_type type)
{
	return flat_events(m)->type[type];
}
