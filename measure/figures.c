/* SPDX-License-Identifier: MIT
 *
 * measure/figures.c - the rows: what is measured, in the order of the table.
 */
#include <sys/resource.h>

#include "measure/measure.h"

const struct figure_row figure_rows[FIG_NR] = {
    [FIG_SYSCALL] = {"syscall", "Kernel and memory", "a system call (getppid)"},
    [FIG_CLEAR_4K] = {"clear.4k", NULL, "clearing 4K (rep stosb, in the cache)"},
    [FIG_CLEAR_COLD] = {"clear.4k.cold", NULL, "clearing 4K, of 64M in turn"},
    [FIG_COPY_4K] = {"copy.4k", NULL, "copying 4K (rep movsb, in the cache)"},
    [FIG_COPY_COLD] = {"copy.4k.cold", NULL, "copying 4K, of 32M in turn"},
    [FIG_CLEAR_2M] = {"clear.2m", NULL, "clearing 2M"},
    [FIG_FAULT_READ] = {"fault.anon.read", "Page fault", "anonymous, read"},
    [FIG_FAULT_WRITE] = {"fault.anon.write", NULL, "anonymous, write: cleared 4K page"},
    [FIG_FAULT_WRITE_COLD] = {"fault.anon.write.cold", NULL, "the same, of 64M in turn, tables too"},
    [FIG_FAULT_ZERO_WRITE] = {"fault.zero.write", NULL, "write after a read mapped the zero page"},
    [FIG_FAULT_THP] = {"fault.thp.write", NULL, "anonymous, write: cleared 2M page, THP"},
    [FIG_FAULT_FILE] = {"fault.file", NULL, "file, minor: one page"},
    [FIG_FAULT_FILE_AROUND] = {"fault.file.around", NULL, "file, minor: 16 pages by fault-around"},
    [FIG_FAULT_COPY] = {"fault.cow.copy", NULL, "copy-on-write: 4K copied"},
    [FIG_FAULT_REUSE] = {"fault.cow.reuse", NULL, "copy-on-write: sole owner, page kept"},
    [FIG_POPULATE] = {"populate.page", NULL, "no fault: MAP_POPULATE, a 4K page"},
    [FIG_MMAP] = {"mmap", "Maps", "mmap of 4K"},
    [FIG_MUNMAP_4K] = {"munmap.4k", NULL, "munmap of 4K that was touched"},
    [FIG_MUNMAP_2M] = {"munmap.2m", NULL, "munmap of 2M in 4K pages"},
    [FIG_MUNMAP_64M] = {"munmap.64m", NULL, "munmap of 64M in 4K pages"},
    [FIG_MUNMAP_PAGE] = {"munmap.page", NULL, "  from these: a 4K page"},
    [FIG_MUNMAP_THP] = {"munmap.thp", NULL, "munmap of a 2M page"},
    [FIG_MPROTECT_4K] = {"mprotect.4k", NULL, "mprotect of 4K to read-only"},
    [FIG_MPROTECT_2M] = {"mprotect.2m", NULL, "mprotect of 2M in 4K pages"},
    [FIG_MPROTECT_64M] = {"mprotect.64m", NULL, "mprotect of 64M in 4K pages"},
    [FIG_MPROTECT_PAGE] = {"mprotect.page", NULL, "  from these: a 4K page"},
    [FIG_DONTNEED_4K] = {"dontneed.4k", NULL, "madvise(MADV_DONTNEED) of 4K"},
    [FIG_FORK_1M] = {"fork.1m", "Processes", "fork, 1M resident in 4K pages"},
    [FIG_FORK_16M] = {"fork.16m", NULL, "fork, 16M"},
    [FIG_FORK_64M] = {"fork.64m", NULL, "fork, 64M"},
    [FIG_FORK_256M] = {"fork.256m", NULL, "fork, 256M"},
    [FIG_FORK_1G] = {"fork.1g", NULL, "fork, 1G"},
    [FIG_FORK_PAGE] = {"fork.page", NULL, "  from these: a 4K page"},
    [FIG_FORK_THP_64M] = {"fork.thp.64m", NULL, "fork, 64M resident in 2M pages"},
    [FIG_FORK_THP_256M] = {"fork.thp.256m", NULL, "fork, 256M in 2M pages"},
    [FIG_FORK_THP_1G] = {"fork.thp.1g", NULL, "fork, 1G in 2M pages"},
    [FIG_FORK_THP_PAGE] = {"fork.thp.page", NULL, "  from these: a 2M page"},
    [FIG_EXIT_1M] = {"exit.1m", NULL, "exit, 1M resident (until wait returns)"},
    [FIG_EXIT_64M] = {"exit.64m", NULL, "exit, 64M resident"},
    [FIG_EXIT_SHARED_PAGE] = {"exit.shared.page", NULL, "  a 4K page that the parent has, too"},
    [FIG_SWITCH_PROCESS] = {"switch.process", "Switches and flushes", "switch to another process (a pipe)"},
    [FIG_SWITCH_THREAD] = {"switch.thread", NULL, "switch to another thread"},
    [FIG_SHOOT_MPROTECT] = {"shootdown.mprotect", NULL, "shootdown of one CPU by mprotect"},
    [FIG_SHOOT_MUNMAP] = {"shootdown.munmap", NULL, "shootdown of one CPU by munmap"},
    [FIG_SHOOT_DONTNEED] = {"shootdown.dontneed", NULL, "shootdown of one CPU by MADV_DONTNEED"},
    [FIG_SHOOT_ANSWER] = {"shootdown.answer", NULL, "to the CPU that is interrupted"},
};

void figure_add_ticks(struct measure *m, enum figure_id id, double ticks_each)
{
	series_add(&m->figure[id], ticks_each * m->clock.cycles_a_tick);
}

void figure_add(struct measure *m, enum figure_id id, double *took, unsigned n)
{
	figure_add_ticks(m, id, mean_of(took, n) - m->clock.overhead);
}

u64 faults_so_far(void)
{
	struct rusage r;

	getrusage(RUSAGE_THREAD, &r);
	return (u64)(r.ru_minflt + r.ru_majflt);
}
