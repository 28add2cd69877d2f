/* SPDX-License-Identifier: MIT
 *
 * play/computer.c - the steps of a script on a simulated computer.
 *
 *   access:  mmu_access --OK--> the byte at pa in RAM
 *               ^    \--#GP--> SIGSEGV, SI_KERNEL
 *               |     #PF
 *               `--0-- vm_fault --MAPERR, ACCERR, PKUERR--> SIGSEGV   --BUS--> SIGBUS   --NOMEM--> SIGKILL
 *
 * Source: Linux 6.12 arch/x86/mm/fault.c (bad_area, do_sigbus), arch/x86/kernel/traps.c (exc_general_protection).
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "play/computer.h"
#include "play/step.h"

#define MAX_RETRIES  8
#define PKRU_AT_EXEC 0x55555554u /* key 0 alone may be used (Linux: init_pkru_value) */

/* ---- disks ---- */

/* A disk of zeroes. Returns 0, or -1 with errno. Its memory is taken as it is written. */
static int disk_begin(struct play_disk *disk, struct hw_machine *hw, u64 bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		return -1;
	*disk = (struct play_disk){.hw = hw, .at = at, .bytes = bytes};
	return 0;
}

static void disk_end(struct play_disk *disk)
{
	if (disk->at)
		munmap(disk->at, disk->bytes);
}

/* A file loses what lies behind its end. */
static void disk_cut(struct play_disk *disk, u64 end)
{
	u64 whole = ALIGN_UP(end, PAGE_SIZE);

	if (!disk->at || whole > disk->bytes)
		return;
	memset(disk->at + end, 0, whole - end);
	madvise(disk->at + whole, disk->bytes - whole, MADV_DONTNEED);
}

static int disk_read(void *ctx, u64 index, u64 pfn)
{
	const struct play_disk *disk = ctx;

	memcpy((u8 *)hw_soft_ram(disk->hw) + (pfn << PAGE_SHIFT), disk->at + (index << PAGE_SHIFT), PAGE_SIZE);
	return 0;
}

static int disk_write(void *ctx, u64 index, u64 pfn)
{
	const struct play_disk *disk = ctx;

	memcpy(disk->at + (index << PAGE_SHIFT), (u8 *)hw_soft_ram(disk->hw) + (pfn << PAGE_SHIFT), PAGE_SIZE);
	return 0;
}

static bool zero_filled(void *ctx, u64 pfn)
{
	const struct play_disk *disk = ctx;
	const u8 *page = (u8 *)hw_soft_ram(disk->hw) + (pfn << PAGE_SHIFT);

	return !page[0] && memcmp(page, page + 1, PAGE_SIZE - 1) == 0;
}

static const struct backing_ops disk_ops = {
    .read_page = disk_read, .write_page = disk_write, .zero_filled = zero_filled};

/* ---- making one ---- */

static void observe(void *ctx, const struct vm_event *ev)
{
	struct computer *c = ctx;

	if (ev->type == VM_EV_FAULT)
		c->last_cause = ev->cause;
	if (ev->type == VM_EV_OOM_KILL)
		c->killed[c->nr_killed++] = ev->mm;
	if (c->step)
		step_event(c->step, ev);
}

/* Process i gets an empty address space and runs. Returns 0 or -ENOMEM. */
static int process_begin(struct computer *c, unsigned i, unsigned cpu)
{
	c->mm[i] = mm_create(c->vm);
	if (!c->mm[i])
		return -ENOMEM;
	vm_set_mmap_base(c->mm[i], PLAY_WINDOW_END);
	vm_set_brk(c->mm[i], c->brk);
	c->cpu_of[i] = (u8)cpu;
	c->pkru[i] = PKRU_AT_EXEC;
	return 0;
}

/* Process i is what its CPU runs from here on. */
static void process_run(struct computer *c, unsigned i)
{
	unsigned cpu = c->cpu_of[i];

	hw_soft_set_current(c->hw, hw_soft_cpu(c->hw, cpu));
	mmu_write_pkru(hw_soft_mmu(hw_soft_cpu(c->hw, cpu)), c->pkru[i]);
	if (c->loaded[cpu] == c->mm[i])
		return;
	vm_switch(hw_soft_cpu(c->hw, cpu), c->mm[i]);
	c->loaded[cpu] = c->mm[i];
}

int computer_init(struct computer *c, const struct machine_config *cfg, u64 brk, struct step *step)
{
	struct hw_soft_config hw = {
	    .preset = cfg->preset,
	    .ram_bytes = cfg->ram_bytes,
	    .pcid = cfg->pcid,
	    .contents = true,
	    .pku = true,
	    .oracle = 1,
	    .observe = observe,
	    .ctx = c,
	};
	struct vm_config vm = machine_vm_config(cfg);

	*c = (struct computer){.brk = brk, .step = step, .last_cause = -1};
	c->hw = hw_soft_create(&hw);
	if (!c->hw)
		return -1;
	if (cfg->swap_bytes && disk_begin(&c->swap, c->hw, cfg->swap_bytes)) {
		computer_destroy(c);
		errno = ENOMEM;
		return -1;
	}
	vm.ram_base = hw_soft_ram(c->hw);
	vm.check = 3;
	vm.swap_ops = &disk_ops;
	vm.swap_ctx = &c->swap;
	vm.swap_checksum = true;
	c->vm = vm_init(c->hw, &vm);
	if (!c->vm || process_begin(c, 0, 0)) {
		computer_destroy(c);
		errno = ENOMEM;
		return -1;
	}
	process_run(c, 0);
	return 0;
}

void computer_destroy(struct computer *c)
{
	hw_soft_destroy(c->hw);
	disk_end(&c->swap);
	for (unsigned i = 0; i < PLAY_FILES; i++)
		disk_end(&c->disk[i]);
}

/* ---- processes ---- */

static int do_spawn(struct computer *c, const struct play_call *call)
{
	int err = hw_soft_cpu(c->hw, call->cpu) ? process_begin(c, call->process, call->cpu) : -ENOMEM;

	if (!err)
		process_run(c, call->process);
	return err;
}

static int do_switch(struct computer *c, const struct play_call *call)
{
	if (call->cpu != PLAY_SAME_CPU) {
		if (!hw_soft_cpu(c->hw, call->cpu))
			return -ENOMEM;
		c->cpu_of[call->process] = call->cpu;
	}
	process_run(c, call->process);
	return 0;
}

static int do_fork(struct computer *c, const struct play_call *call)
{
	c->cpu_of[call->other] = c->cpu_of[call->process];
	c->pkru[call->other] = c->pkru[call->process];
	return mm_fork(computer_cpu(c, call->process), c->mm[call->process], &c->mm[call->other]);
}

static void do_exit(struct computer *c, unsigned process)
{
	struct mm_struct *mm = c->mm[process];

	for (unsigned cpu = 0; cpu < PLAY_CPUS; cpu++) {
		if (c->loaded[cpu] != mm)
			continue;
		hw_soft_set_current(c->hw, hw_soft_cpu(c->hw, cpu));
		vm_switch(hw_soft_cpu(c->hw, cpu), NULL);
		c->loaded[cpu] = NULL;
	}
	mm_put(mm);
	c->mm[process] = NULL;
}

/* ---- files ---- */

static int new_file(struct computer *c, const struct play_call *call)
{
	struct play_disk *disk = &c->disk[call->file];
	u64 bytes = call->value[PLAY_LEN];
	struct address_space *file;

	if (call->op == PLAY_FILE && disk_begin(disk, c->hw, PLAY_FILE_BYTES))
		return -ENOMEM;
	file = call->op == PLAY_MEMFD ? shmem_file_create(c->vm, bytes) : vm_file_create(c->vm, bytes, &disk_ops, disk);

	c->file[call->file] = file;
	return file ? 0 : -ENOMEM;
}

/* ---- protection keys ---- */

static void do_wrpkru(struct computer *c, unsigned process, u32 pkru)
{
	c->pkru[process] = pkru;
	process_run(c, process);
}

/* The new key's rights go into PKRU at once. */
static s64 do_pkey_alloc(struct computer *c, unsigned process, unsigned rights)
{
	s64 key = vm_pkey_alloc(c->mm[process], 0, rights);

	if (key >= 0)
		do_wrpkru(c, process, (c->pkru[process] & ~(3u << 2 * key)) | rights << 2 * key);
	return key;
}

/* ---- calls on memory ---- */

static s64 memory_call(struct computer *c, const struct play_call *call)
{
	struct mm_struct *mm = c->mm[call->process];
	struct hw_cpu *cpu = computer_cpu(c, call->process);
	const u64 *v = call->value;
	u64 offset = v[PLAY_OFFSET];

	switch (call->op) {
	case PLAY_MMAP:
		if (!IS_ALIGNED(offset, PAGE_SIZE))
			return -EINVAL;
		return vm_mmap(cpu, mm, v[PLAY_ADDR], v[PLAY_LEN], call->prot, call->flags,
			       call->file < 0 ? NULL : c->file[call->file], offset >> PAGE_SHIFT);
	case PLAY_MUNMAP:
		return vm_munmap(cpu, mm, v[PLAY_ADDR], v[PLAY_LEN]);
	case PLAY_MPROTECT:
		return vm_mprotect(cpu, mm, v[PLAY_ADDR], v[PLAY_LEN], call->prot);
	case PLAY_PKEY_MPROTECT:
		return vm_pkey_mprotect(cpu, mm, v[PLAY_ADDR], v[PLAY_LEN], call->prot, (int)v[PLAY_NEW_ADDR]);
	case PLAY_PKEY_ALLOC:
		return do_pkey_alloc(c, call->process, (unsigned)v[PLAY_ADDR]);
	case PLAY_PKEY_FREE:
		return vm_pkey_free(mm, (int)v[PLAY_ADDR]);
	case PLAY_MREMAP:
		return vm_mremap(cpu, mm, v[PLAY_ADDR], v[PLAY_LEN], v[PLAY_NEW_LEN], call->flags, v[PLAY_NEW_ADDR]);
	case PLAY_BRK:
		return vm_brk(cpu, mm, v[PLAY_ADDR]);
	case PLAY_MLOCK:
		return vm_mlock(cpu, mm, v[PLAY_ADDR], v[PLAY_LEN], call->flags);
	case PLAY_MUNLOCK:
		return vm_munlock(cpu, mm, v[PLAY_ADDR], v[PLAY_LEN]);
	case PLAY_MLOCKALL:
		return vm_mlockall(cpu, mm, call->flags);
	case PLAY_MUNLOCKALL:
		return vm_munlockall(cpu, mm);
	case PLAY_MSYNC:
		return vm_msync(cpu, mm, v[PLAY_ADDR], v[PLAY_LEN], call->flags);
	case PLAY_RLIMIT:
		vm_set_rlimit(mm, call->flags, v[PLAY_LEN]);
		return 0;
	case PLAY_THP_DISABLE:
		return vm_set_thp_disable(mm, v[PLAY_ADDR], call->flags);
	default:
		return vm_madvise(cpu, mm, v[PLAY_ADDR], v[PLAY_LEN], call->advice);
	}
}

/* ---- pages that others hold ---- */

/* [addr, addr + len), a page after the other, as far as there is room. Returns the bytes, or -errno. */
static long hold_range(struct computer *c, const struct play_call *call, enum vm_hold how, struct play_hold *list,
		       unsigned *nr)
{
	u64 va = call->value[PLAY_ADDR], end = va + call->value[PLAY_LEN], done = 0;

	for (; va < end && *nr < PLAY_PIPE; done += list[(*nr)++].len) {
		struct play_hold *h = &list[*nr];
		int err =
		    vm_hold(computer_cpu(c, call->process), c->mm[call->process], va, how, how == VM_HOLD_PIN, &h->pfn);

		if (err)
			return done ? (long)done : err;
		h->offset = (u32)(va % PAGE_SIZE);
		h->len = (u32)min(end - va, PAGE_SIZE - h->offset);
		va += h->len;
	}
	return done || va == end ? (long)done : -EAGAIN;
}

/* Reads from the pipe; a page that was read is let go. */
static void do_drain(struct computer *c, const struct play_call *call, struct play_outcome *out)
{
	u64 left = call->value[PLAY_LEN];

	out->result = c->nr_pipe ? 0 : -EAGAIN;
	while (left && c->nr_pipe) {
		struct play_hold *h = &c->pipe[0];
		u64 n = min(left, (u64)h->len);
		u32 copied = (u32)min(n, (u64)PLAY_DATA - out->nr_data);

		if (h->pfn)
			memcpy(out->data + out->nr_data, (u8 *)hw_soft_ram(c->hw) + (h->pfn << PAGE_SHIFT) + h->offset,
			       copied);
		out->nr_data += copied;
		out->result += (s64)n;
		h->offset += (u32)n;
		h->len -= (u32)n;
		left -= n;
		if (h->len)
			break;
		vm_release(c->vm, h->pfn, VM_HOLD_GET);
		memmove(h, h + 1, --c->nr_pipe * sizeof(*h));
	}
}

static void do_unpin(struct computer *c)
{
	while (c->nr_pin)
		vm_release(c->vm, c->pin[--c->nr_pin].pfn, VM_HOLD_PIN);
}

static void do_mincore(struct computer *c, const struct play_call *call, struct play_outcome *out)
{
	const u64 *v = call->value;

	out->result = vm_mincore(c->mm[call->process], v[PLAY_ADDR], v[PLAY_LEN], out->data);
	play_mincore_text(call, out);
}

/* ---- accesses ---- */

static void refuse(struct play_outcome *out, int signal, int code, u64 at)
{
	out->signal = signal;
	out->code = code;
	out->at = at;
}

static void refuse_fault(struct play_outcome *out, int cause, u64 va)
{
	switch (cause) {
	case VM_FAULT_MAPERR:
		refuse(out, SIGSEGV, SEGV_MAPERR, va);
		break;
	case VM_FAULT_ACCERR:
		refuse(out, SIGSEGV, SEGV_ACCERR, va);
		break;
	case VM_FAULT_PKUERR:
		refuse(out, SIGSEGV, SEGV_PKUERR, va);
		break;
	case VM_FAULT_BUS:
		refuse(out, SIGBUS, BUS_ADRERR, va);
		break;
	default:
		refuse(out, SIGKILL, 0, 0);
		break;
	}
}

/* Translates va as the CPU does, faults and all. Returns true with *pa, or false with the signal in out. */
static bool translate(struct computer *c, unsigned process, u64 va, unsigned access, struct play_outcome *out, u64 *pa)
{
	struct hw_cpu *cpu = computer_cpu(c, process);
	struct mmu_result r;

	for (unsigned i = 0; i < MAX_RETRIES; i++) {
		int cause;

		if (c->step)
			step_before_access(c->step, hw_soft_mmu(cpu), va, access);
		vm_exit_to_user(cpu);
		mmu_access(hw_soft_mmu(cpu), va, access, -1, &r);
		vm_enter_kernel(cpu);
		if (c->step)
			step_after_access(c->step, va, access, &r);
		*pa = r.pa;
		if (r.outcome == MMU_OK)
			return true;
		if (r.outcome == MMU_GP) {
			refuse(out, SIGSEGV, SI_KERNEL, 0);
			return false;
		}
		cause = vm_fault(cpu, c->mm[process], va, r.error_code);
		if (cause) {
			refuse_fault(out, cause, va);
			return false;
		}
	}
	hw_panic("a fault that was handled comes again and again");
}

/* One access of nr_data bytes, a translation for each page that it lies in. */
static bool access_once(struct computer *c, const struct play_call *call, u64 va, struct play_outcome *out)
{
	static const u8 kind[] = {[PLAY_READ] = MMU_READ, [PLAY_WRITE] = MMU_WRITE, [PLAY_EXEC] = MMU_FETCH};
	u8 *ram = hw_soft_ram(c->hw);

	for (u64 done = 0, n; done < call->nr_data; done += n) {
		u64 pa;

		n = min(call->nr_data - done, PAGE_SIZE - ((va + done) & (PAGE_SIZE - 1)));
		if (!translate(c, call->process, va + done, kind[call->op] | MMU_USER, out, &pa))
			return false;
		if (call->op == PLAY_WRITE)
			memcpy(ram + pa, call->data + done, n);
		else
			memcpy(out->data + done, ram + pa, n);
	}
	return true;
}

static void do_access(struct computer *c, const struct play_call *call, struct play_outcome *out)
{
	u64 va = call->value[PLAY_ADDR], end = va + max(call->value[PLAY_OVER], 1ull);

	c->last_cause = -1;
	for (; va < end; va += PAGE_SIZE)
		if (!access_once(c, call, va, out))
			return;
	out->nr_data = call->op == PLAY_READ ? call->nr_data : 0;
}

/* ---- a step ---- */

void computer_call(struct computer *c, const struct play_call *call, struct play_outcome *out)
{
	struct machine_counters now;

	*out = (struct play_outcome){0};
	c->nr_killed = 0;
	machine_counters_read(c->hw, &c->before);
	if (call->op != PLAY_SPAWN && call->op != PLAY_SWITCH)
		process_run(c, call->process);
	switch (call->op) {
	case PLAY_SPAWN:
		out->result = do_spawn(c, call);
		break;
	case PLAY_SWITCH:
		out->result = do_switch(c, call);
		break;
	case PLAY_FORK:
		out->result = do_fork(c, call);
		break;
	case PLAY_EXIT:
		do_exit(c, call->process);
		break;
	case PLAY_MEMFD:
	case PLAY_FILE:
		out->result = new_file(c, call);
		break;
	case PLAY_RESIZE:
		vm_file_resize(c->file[call->file], call->value[PLAY_LEN]);
		disk_cut(&c->disk[call->file], call->value[PLAY_LEN]);
		break;
	case PLAY_RECLAIM:
		vm_reclaim(c->vm, computer_cpu(c, call->process),
			   call->value[PLAY_LEN] ? call->value[PLAY_LEN] >> PAGE_SHIFT : ~0ull);
		break;
	case PLAY_WRPKRU:
		do_wrpkru(c, call->process, (u32)call->value[PLAY_ADDR]);
		break;
	case PLAY_WAIT:
		for (u64 second = 0; second < call->value[PLAY_LEN]; second++)
			vm_tick(c->vm, 1000000);
		break;
	case PLAY_MINCORE:
		do_mincore(c, call, out);
		break;
	case PLAY_VMSPLICE:
		out->result = hold_range(c, call, VM_HOLD_GET, c->pipe, &c->nr_pipe);
		break;
	case PLAY_DRAIN:
		do_drain(c, call, out);
		break;
	case PLAY_PIN:
		out->result = min(0L, hold_range(c, call, VM_HOLD_PIN, c->pin, &c->nr_pin));
		break;
	case PLAY_UNPIN:
		do_unpin(c);
		break;
	case PLAY_READ:
	case PLAY_WRITE:
	case PLAY_EXEC:
		do_access(c, call, out);
		break;
	default:
		out->result = memory_call(c, call);
		break;
	}
	machine_counters_read(c->hw, &now);
	for (unsigned cause = 0; cause < VM_FAULT_NR; cause++)
		if (!hw_soft_fault_failed(cause))
			out->faults += now.os.faults[cause] - c->before.os.faults[cause];
}
