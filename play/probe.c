/* SPDX-License-Identifier: MIT
 *
 * play/probe.c - a row a probe. The child has a range of addresses to itself, AT and above; its calls are raw; areas
 * are counted in /proc/self/maps, faults by getrusage(2).
 */
#include "play/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/sys.h"
#include "x86/paging.h"

/* Not in every libc. */
#define ADVICE_DONTNEED_LOCKED     24
#define ADVICE_COLLAPSE            25
#define ADVICE_GUARD_INSTALL       102
#define THP_DISABLE_EXCEPT_ADVISED 2

#define AT                         0x200000000000ull /* a multiple of 2M */
#define ROOM                       (64ull << 20)     /* that a probe may use from there on */
#define RW                         (PROT_READ | PROT_WRITE)
#define ANON                       (MAP_PRIVATE | MAP_ANONYMOUS)
#define DROPPABLE                  8 /* MAP_DROPPABLE: not in every libc */
#define MOVE                       (MREMAP_MAYMOVE | MREMAP_FIXED)
#define PTE_SWAPPED                (1ull << 62) /* in /proc/self/pagemap */

#define UNCHECKED                  __attribute__((noinline, no_sanitize("address", "undefined")))

static _Noreturn void answer(enum probe_answer a)
{
	sys6(SYS_exit_group, a, 0, 0, 0, 0, 0);
	__builtin_unreachable();
}

static enum probe_answer yes_if(bool yes)
{
	return yes ? PROBE_YES : PROBE_NO;
}

/* ---- calls ---- */

/* Private anonymous memory at va. */
static void map(u64 va, u64 len, unsigned prot)
{
	if (sys6(SYS_mmap, va, len, prot, ANON | MAP_FIXED_NOREPLACE, (u64)-1, 0) != (long)va)
		answer(PROBE_UNKNOWN);
}

/* Private memory that nobody may use, or a file's. Ends the probe when there is none. */
static u64 map_somewhere(u64 len, int prot, int fd)
{
	unsigned flags = fd < 0 ? ANON | MAP_NORESERVE : MAP_PRIVATE;
	long va = sys6(SYS_mmap, 0, len, (u64)prot, flags, (u64)fd, 0);

	if (va < 0 && va >= -4095)
		answer(PROBE_UNKNOWN);
	return (u64)va;
}

static long mprotect_at(u64 va, u64 len, unsigned prot)
{
	return sys6(SYS_mprotect, va, len, prot, 0, 0, 0);
}

static long madvise_at(u64 va, u64 len, int advice)
{
	return sys6(SYS_madvise, va, len, (u64)advice, 0, 0, 0);
}

static long mremap_to(u64 va, u64 len, u64 to, unsigned flags)
{
	return sys6(SYS_mremap, va, len, len, flags, to, 0);
}

static long mlock_at(u64 va, u64 len)
{
	return sys6(SYS_mlock, va, len, 0, 0, 0, 0);
}

/* ---- looking ---- */

static u64 fault_count(void)
{
	struct rusage usage;

	sys6(SYS_getrusage, RUSAGE_SELF, (u64)&usage, 0, 0, 0, 0);
	return (u64)(usage.ru_minflt + usage.ru_majflt);
}

static u64 UNCHECKED count_access(u64 va, bool write)
{
	volatile u8 *p = (volatile u8 *)va;
	u64 before = fault_count();

	if (write)
		*p = 1;
	else
		(void)*p;
	return fault_count() - before;
}

/* The faults that an access takes. Our own code and stack come in at the first, on a page that is there already. */
static u64 faults_of(u64 va, bool write)
{
	static u8 own;

	count_access((u64)&own, true);
	count_access((u64)&own, false);
	return count_access(va, write);
}

static u64 read_at(u64 va)
{
	return faults_of(va, false);
}

static u64 write_at(u64 va)
{
	return faults_of(va, true);
}

/* How many areas [start, end) has. */
static unsigned areas(u64 start, u64 end)
{
	static char text[1 << 16];
	size_t len = 0;
	unsigned n = 0;
	long fd = sys6(SYS_openat, (u64)AT_FDCWD, (u64) "/proc/self/maps", O_RDONLY, 0, 0, 0), got;

	if (fd < 0)
		answer(PROBE_UNKNOWN);
	while ((got = sys6(SYS_read, (u64)fd, (u64)text + len, sizeof(text) - 1 - len, 0, 0, 0)) > 0)
		len += (size_t)got;
	for (char *line = text; line && *line; line = strchr(line, '\n'), line += !!line) {
		u64 from = strtoull(line, NULL, 16);

		n += from >= start && from < end;
	}
	return n;
}

/* ---- zero page, merging ---- */

static enum probe_answer zero_page(void)
{
	map(AT, PAGE_SIZE, RW);
	read_at(AT);
	return yes_if(write_at(AT) == 1);
}

static enum probe_answer merge_unfaulted(void)
{
	map(AT, 2 * PAGE_SIZE, RW);
	madvise_at(AT, PAGE_SIZE, MADV_DONTFORK);
	write_at(AT);
	madvise_at(AT, PAGE_SIZE, MADV_DOFORK);
	return yes_if(areas(AT, AT + ROOM) == 1);
}

static enum probe_answer map_joins_prev(void)
{
	map(AT, PAGE_SIZE, RW);
	map(AT + 2 * PAGE_SIZE, PAGE_SIZE, RW);
	write_at(AT);
	write_at(AT + 2 * PAGE_SIZE);
	map(AT + PAGE_SIZE, PAGE_SIZE, RW);
	if (areas(AT, AT + ROOM) != 2)
		return PROBE_UNKNOWN;
	return yes_if(areas(AT + PAGE_SIZE, AT + 2 * PAGE_SIZE) == 0);
}

static enum probe_answer stack_nohuge(void)
{
	unsigned flags = ANON | MAP_FIXED_NOREPLACE | MAP_STACK;

	map(AT, PAGE_SIZE, RW);
	sys6(SYS_mmap, AT + PAGE_SIZE, PAGE_SIZE, RW, flags, (u64)-1, 0);
	return yes_if(areas(AT, AT + ROOM) == 2);
}

static enum probe_answer untouched_uncharged(void)
{
	map(AT, PAGE_SIZE, PROT_READ);
	map(AT + PAGE_SIZE, PAGE_SIZE, RW);
	mprotect_at(AT + PAGE_SIZE, PAGE_SIZE, PROT_READ);
	return yes_if(areas(AT, AT + ROOM) == 1);
}

/* ---- mremap ---- */

static enum probe_answer mremap_several(void)
{
	long moved;

	map(AT, 3 * PAGE_SIZE, RW);
	mprotect_at(AT + PAGE_SIZE, PAGE_SIZE, PROT_READ);
	moved = mremap_to(AT, 3 * PAGE_SIZE, AT + PMD_SIZE, MOVE);
	return moved == -EFAULT ? PROBE_NO : yes_if(moved == (long)(AT + PMD_SIZE));
}

static enum probe_answer mremap_checks_first(void)
{
	return yes_if(mremap_to(AT, 2 * PAGE_SIZE, AT + PAGE_SIZE, MOVE) == -EINVAL);
}

static enum probe_answer dontunmap_apart(void)
{
	u64 va = AT + PMD_SIZE;

	map(va, 4 * PAGE_SIZE, RW);
	if (mremap_to(va + 2 * PAGE_SIZE, 2 * PAGE_SIZE, va - 2 * PAGE_SIZE, MOVE | MREMAP_DONTUNMAP) < 0)
		return PROBE_UNKNOWN;
	return yes_if(areas(AT, AT + ROOM) == 2);
}

static enum probe_answer dontunmap_joins_other(void)
{
	map(AT, PAGE_SIZE, RW);
	map(AT + 2 * PAGE_SIZE, 2 * PAGE_SIZE, RW);
	mremap_to(AT + 3 * PAGE_SIZE, PAGE_SIZE, AT + PAGE_SIZE, MOVE | MREMAP_DONTUNMAP);
	return yes_if(areas(AT, AT + ROOM) == 2);
}

static enum probe_answer dontunmap_as_new(void)
{
	u64 first = AT + PMD_SIZE, second = AT + 2 * PMD_SIZE;

	map(AT, PAGE_SIZE, RW);
	write_at(AT);
	if (mremap_to(AT, PAGE_SIZE, first, MOVE) < 0 ||
	    mremap_to(first, PAGE_SIZE, second, MOVE | MREMAP_DONTUNMAP) < 0)
		return PROBE_UNKNOWN;
	map(first + PAGE_SIZE, PAGE_SIZE, RW);
	return yes_if(areas(first, second) == 1);
}

static enum probe_answer dontunmap_cuts_locked(void)
{
	u64 to = AT + PMD_SIZE;

	map(AT, 4 * PAGE_SIZE, RW);
	if (mlock_at(AT, 4 * PAGE_SIZE) < 0 || mremap_to(AT + PAGE_SIZE, PAGE_SIZE, to, MOVE | MREMAP_DONTUNMAP) < 0)
		return PROBE_UNKNOWN;
	return yes_if(areas(AT, to) == 3);
}

static enum probe_answer knows_advice(int advice)
{
	map(AT, PAGE_SIZE, RW);
	return yes_if(madvise_at(AT, PAGE_SIZE, advice) == 0);
}

/* ---- huge pages ---- */

/* One page of 2M is written before its area is that large: so it is no huge page, whatever the system's setting. */
static enum probe_answer collapse_read_only(void)
{
	long ret;

	map(AT, PAGE_SIZE, RW);
	write_at(AT);
	if (sys6(SYS_mremap, AT, PAGE_SIZE, PMD_SIZE, 0, 0, 0) < 0 || mprotect_at(AT, PMD_SIZE, PROT_READ) < 0)
		return PROBE_UNKNOWN;
	ret = madvise_at(AT, PMD_SIZE, ADVICE_COLLAPSE);
	return ret == 0 ? PROBE_YES : ret == -EINVAL ? PROBE_NO : PROBE_UNKNOWN;
}

static enum probe_answer collapse_part_refused(void)
{
	long ret;

	map(AT, 2 * PMD_SIZE, RW);
	write_at(AT);
	ret = madvise_at(AT + PAGE_SIZE, PAGE_SIZE, ADVICE_COLLAPSE);
	return ret == -EINVAL ? PROBE_YES : ret == 0 ? PROBE_NO : PROBE_UNKNOWN;
}

/* The halves of a huge page come together. A folio that is smaller is at most 1M. */
static bool is_huge(u64 va)
{
	return write_at(va) == 1 && write_at(va + PMD_SIZE / 2) == 0;
}

/* None may be free at one moment, and one at the next. */
static bool gives_huge(bool advised)
{
	for (unsigned i = 0; i < 4; i++) {
		u64 va = AT + i * 2 * PMD_SIZE;

		map(va, PMD_SIZE, RW);
		if (advised)
			madvise_at(va, PMD_SIZE, MADV_HUGEPAGE);
		if (is_huge(va))
			return true;
	}
	return false;
}

static enum probe_answer huge_unasked(void)
{
	return yes_if(gives_huge(false));
}

static enum probe_answer huge_advised(void)
{
	return yes_if(gives_huge(true));
}

static enum probe_answer thp_except_advised(void)
{
	return yes_if(sys6(SYS_prctl, PR_SET_THP_DISABLE, 1, THP_DISABLE_EXCEPT_ADVISED, 0, 0, 0) == 0);
}

static enum probe_answer huge_zero_write(void)
{
	u64 half = AT + PMD_SIZE / 2;

	map(AT, PMD_SIZE, RW);
	madvise_at(AT, PMD_SIZE, MADV_HUGEPAGE);
	if (read_at(AT) != 1 || read_at(half) != 0 || write_at(AT) != 1)
		return PROBE_UNKNOWN; /* no huge zero page */
	return yes_if(write_at(half) == 0);
}

static enum probe_answer thp(void)
{
	return knows_advice(MADV_HUGEPAGE);
}

/* Where the kernel chooses, again and again: an address is a multiple of 2M by chance once in 512 times. */
static bool always_at_2m(u64 len)
{
	bool all = true;

	for (unsigned i = 0; i < 4; i++) {
		all = all && IS_ALIGNED(map_somewhere(len, PROT_NONE, -1), PMD_SIZE);
		sys6(SYS_mmap, 0, 3 * PAGE_SIZE, PROT_READ, ANON, (u64)-1, 0);
	}
	return all;
}

static enum probe_answer place_2m(void)
{
	return yes_if(always_at_2m(2 * PMD_SIZE));
}

static enum probe_answer place_2m_any(void)
{
	return yes_if(always_at_2m(2 * PMD_SIZE + PAGE_SIZE));
}

/* ---- the processor ---- */

static enum probe_answer la57(void)
{
	return yes_if(sys6(SYS_mmap, 0x7ffffffff000, PAGE_SIZE, RW, ANON | MAP_FIXED_NOREPLACE, (u64)-1, 0) ==
		      0x7ffffffff000);
}

static enum probe_answer exec_only_key(void)
{
	long ret;

	map(AT, PAGE_SIZE, PROT_EXEC);
	ret = mlock_at(AT, PAGE_SIZE);
	if (ret == 0)
		return PROBE_NO;
	map(AT + PMD_SIZE, PAGE_SIZE, PROT_READ);
	return mlock_at(AT + PMD_SIZE, PAGE_SIZE) == 0 ? PROBE_YES : PROBE_UNKNOWN;
}

/* ---- files ---- */

/* A file's page that was read is written: a fault, since the file is to learn of it. Shared memory wants none. */
static bool is_disk_folder(const char *folder)
{
	u64 byte = 0;
	long fd = sys6(SYS_openat, (u64)AT_FDCWD, (u64)folder, O_TMPFILE | O_RDWR, 0600, 0, 0);

	if (fd < 0 || sys6(SYS_pwrite64, (u64)fd, (u64)&byte, 1, PAGE_SIZE - 1, 0, 0) != 1 ||
	    sys6(SYS_mmap, AT, PAGE_SIZE, RW, MAP_SHARED | MAP_FIXED, (u64)fd, 0) != (long)AT)
		return false;
	read_at(AT);
	return write_at(AT) == 1;
}

#define FOLDERS 4
static const char *folder_at(unsigned i)
{
	const char *tmpdir = getenv("TMPDIR");
	const char *const folder[FOLDERS] = {tmpdir ? tmpdir : "/tmp", "/tmp", "/var/tmp", "."};

	return folder[i];
}

/* The child's exit status can tell a folder, too. */
static enum probe_answer disk_folder(void)
{
	for (unsigned i = 0; i < FOLDERS; i++)
		if (is_disk_folder(folder_at(i)))
			return i;
	return FOLDERS;
}

/* Only the hole below all maps has room for so long a map of a file. Its end is made a multiple of 2M first. */
static enum probe_answer place_2m_top(void)
{
	u64 len = 1ull << 30, first = map_somewhere(len + PAGE_SIZE, PROT_NONE, -1), top = ALIGN_DOWN(first, PMD_SIZE),
	    end;
	unsigned folder = disk_folder();

	if (folder == FOLDERS)
		return PROBE_UNKNOWN;
	if (first > top)
		map(top, first - top, PROT_NONE);
	end = len + map_somewhere(
			len, PROT_READ,
			(int)sys6(SYS_openat, (u64)AT_FDCWD, (u64)folder_at(folder), O_TMPFILE | O_RDWR, 0600, 0, 0));
	return end == top ? PROBE_YES : end + PMD_SIZE == top ? PROBE_NO : PROBE_UNKNOWN;
}

static enum probe_answer disk_file(void)
{
	return yes_if(disk_folder() < FOLDERS);
}

/* ---- swap ---- */

/* The entry of /proc/self/pagemap. */
static u64 pagemap(u64 va)
{
	long fd = sys6(SYS_openat, (u64)AT_FDCWD, (u64) "/proc/self/pagemap", O_RDONLY, 0, 0, 0);
	u64 entry = 0;

	if (fd < 0 || sys6(SYS_pread64, (u64)fd, (u64)&entry, 8, (va >> PAGE_SHIFT) * 8, 0, 0) != 8)
		answer(PROBE_UNKNOWN);
	return entry;
}

static bool goes_to_swap(u64 va)
{
	madvise_at(va, PAGE_SIZE, MADV_PAGEOUT);
	return pagemap(va) & PTE_SWAPPED;
}

/* A written page does, the one at AT. */
static bool swaps_out(void)
{
	map(AT, PAGE_SIZE, RW);
	write_at(AT);
	return goes_to_swap(AT);
}

/* And is in memory still: the swap cache has it. */
static enum probe_answer in_swap_cache(u64 va)
{
	u8 resident = 0;

	if (sys6(SYS_mincore, va, PAGE_SIZE, (u64)&resident, 0, 0, 0) < 0)
		return PROBE_UNKNOWN;
	return yes_if(resident & 1);
}

static enum probe_answer swap(void)
{
	return yes_if(swaps_out());
}

static enum probe_answer swap_cached(void)
{
	return swaps_out() ? in_swap_cache(AT) : PROBE_UNKNOWN;
}

/* Where every page is out of memory at once nobody can tell. */
static enum probe_answer zeromap(void)
{
	const u64 zeroes = AT + PMD_SIZE;

	if (!swaps_out() || in_swap_cache(AT) != PROBE_YES)
		return PROBE_UNKNOWN;
	map(zeroes, PAGE_SIZE, RW);
	*(volatile char *)zeroes = 0;
	return goes_to_swap(zeroes) ? yes_if(in_swap_cache(zeroes) == PROBE_NO) : PROBE_UNKNOWN;
}

static enum probe_answer swapin_writable(void)
{
	if (!swaps_out() || read_at(AT) != 1)
		return PROBE_UNKNOWN;
	return yes_if(write_at(AT) == 0);
}

/* ---- limits, advice, devices ---- */

/* vm.overcommit_memory is 0: what reserves memory is refused when no machine has that much, and the rest is not. */
static enum probe_answer overcommit_guess(void)
{
	const u64 len = 8ull << 40;
	long refused = sys6(SYS_mmap, AT, len, RW, ANON | MAP_FIXED, (u64)-1, 0);
	long given = sys6(SYS_mmap, AT, len, RW, ANON | MAP_FIXED | MAP_NORESERVE, (u64)-1, 0);

	return yes_if(refused == -ENOMEM && given == (long)AT);
}

static enum probe_answer lock_all(void)
{
	return yes_if(sys6(SYS_mlockall, MCL_CURRENT | MCL_ONFAULT, 0, 0, 0, 0, 0) == 0);
}

static enum probe_answer populate_stops(void)
{
	map(AT + PAGE_SIZE, PAGE_SIZE, RW);
	if (madvise_at(AT, 2 * PAGE_SIZE, MADV_POPULATE_WRITE) != -ENOMEM)
		return PROBE_UNKNOWN;
	return yes_if(write_at(AT + PAGE_SIZE) == 1);
}

static enum probe_answer advice_populate(void)
{
	return knows_advice(MADV_POPULATE_WRITE);
}

static enum probe_answer advice_dontneed_locked(void)
{
	return knows_advice(ADVICE_DONTNEED_LOCKED);
}

static enum probe_answer advice_guard(void)
{
	return knows_advice(ADVICE_GUARD_INSTALL);
}

static enum probe_answer advice_collapse(void)
{
	map(AT, PMD_SIZE, RW);
	write_at(AT);
	return yes_if(madvise_at(AT, PMD_SIZE, ADVICE_COLLAPSE) == 0);
}

static enum probe_answer map_droppable(void)
{
	return yes_if(sys6(SYS_mmap, AT, PAGE_SIZE, RW, DROPPABLE | MAP_ANONYMOUS | MAP_FIXED, -1ull, 0) == AT);
}

static enum probe_answer pty(void)
{
	return yes_if(sys6(SYS_openat, (u64)AT_FDCWD, (u64) "/dev/ptmx", O_RDWR | O_NOCTTY, 0, 0, 0) >= 0);
}

/* ---- the table ---- */

const struct probe probe_table[PROBE_NR] = {
    {"zero_page", "a read of untouched memory maps the zero page, and the first write is a fault more", zero_page},
    {"merge_unfaulted", "a touched area that becomes like an untouched neighbour merges with it", merge_unfaulted},
    {"map_joins_prev", "a map between two areas that do not go together joins the lower", map_joins_prev},
    {"mremap_several", "one mremap moves several areas", mremap_several},
    {"mremap_checks_first", "mremap checks its arguments before it looks for an area", mremap_checks_first},
    {"dontunmap_apart", "what MREMAP_DONTUNMAP moves does not merge with where it came from", dontunmap_apart},
    {"dontunmap_joins_other", "but merges with what lies on its other side", dontunmap_joins_other},
    {"dontunmap_as_new", "what MREMAP_DONTUNMAP leaves behind merges as if it were new", dontunmap_as_new},
    {"dontunmap_cuts_locked", "MREMAP_DONTUNMAP unlocks of an area what it moved, no more", dontunmap_cuts_locked},
    {"collapse_read_only", "MADV_COLLAPSE collapses memory that may not be written", collapse_read_only},
    {"collapse_part_refused", "MADV_COLLAPSE of a part of 2M that meets no bound of it is refused",
     collapse_part_refused},
    {"huge_zero_write", "a write to the huge zero page gives a huge page", huge_zero_write},
    {"thp", "MADV_HUGEPAGE is known: there are transparent huge pages, and file systems may align maps for them", thp},
    {"place_2m", "anonymous maps of whole 2M are placed at multiples of 2M", place_2m},
    {"place_2m_any", "and so are longer ones that are no multiple", place_2m_any},
    {"place_2m_top", "where a hole for an aligned map ends at a multiple of 2M, the map does so, too", place_2m_top},
    {"stack_nohuge", "memory of MAP_STACK gets no huge pages, and merges with none that may", stack_nohuge},
    {"untouched_uncharged", "untouched memory that mprotect makes read-only is promised no longer",
     untouched_uncharged},
    {"populate_stops", "MADV_POPULATE_READ and _WRITE end at the first hole", populate_stops},
    {"huge_unasked", "huge pages come unasked (transparent_hugepage/enabled is always)", huge_unasked},
    {"huge_advised", "huge pages come where MADV_HUGEPAGE asks (madvise, always)", huge_advised},
    {"thp_except_advised", "PR_SET_THP_DISABLE can except what MADV_HUGEPAGE asks for", thp_except_advised},
    {"la57", "user addresses go beyond 2^47 (5-level paging)", la57},
    {"exec_only_key", "execute-only memory has a protection key, and mlock refuses it", exec_only_key},
    {"disk_file", "TMPDIR, /tmp, /var/tmp or the current folder is on a disk, not in shared memory", disk_file},
    {"swap", "MADV_PAGEOUT puts a page into swap", swap},
    {"swap_cached", "and it is still in memory then (swap cache)", swap_cached},
    {"swapin_writable", "a read that swaps a page in leaves it writable", swapin_writable},
    {"zeromap", "a page full of zeroes is not written to swap, so it is out of memory at once", zeromap},
    {"overcommit_guess", "vm.overcommit_memory is 0", overcommit_guess},
    {"lock_all", "this process may lock all of its memory", lock_all},
    {"advice_populate", "MADV_POPULATE_READ and _WRITE are known", advice_populate},
    {"advice_dontneed_locked", "MADV_DONTNEED_LOCKED is known", advice_dontneed_locked},
    {"advice_collapse", "MADV_COLLAPSE is known", advice_collapse},
    {"advice_guard", "MADV_GUARD_INSTALL is known", advice_guard},
    {"map_droppable", "MAP_DROPPABLE is known", map_droppable},
    {"pty", "there are pseudoterminals", pty},
};

/* ---- asking ---- */

/* Returns the child's exit status, or PROBE_UNKNOWN when it did not come to its end. */
static unsigned ask_in_child(enum probe_answer (*ask)(void))
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		alarm(PROBE_SECONDS);
		sys6(SYS_munmap, AT, ROOM, 0, 0, 0, 0); /* who asks may use the same addresses */
		answer(ask());
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return PROBE_UNKNOWN;
	return (unsigned)WEXITSTATUS(status);
}

enum probe_answer probe_ask(enum probe_id id)
{
	return ask_in_child(probe_table[id].ask);
}

enum probe_answer host_answer(enum probe_id id)
{
	static bool asked[PROBE_NR];
	static enum probe_answer found[PROBE_NR];

	if (!asked[id]) {
		found[id] = probe_ask(id);
		asked[id] = true;
	}
	return found[id];
}

bool host_has(enum probe_id id)
{
	return host_answer(id) == PROBE_YES;
}

/* ---- the simulated kernel ---- */

const struct variant_row variant_rows[VARIANT_ROWS] = {
    {"zero-page", offsetof(struct vm_variant, zero_page), PROBE_ZERO_PAGE},
    {"merge-unfaulted", offsetof(struct vm_variant, merge_unfaulted), PROBE_MERGE_UNFAULTED},
    {"map-joins-prev", offsetof(struct vm_variant, map_joins_prev), PROBE_MAP_JOINS_PREV},
    {"place-2m", offsetof(struct vm_variant, place_2m), PROBE_PLACE_2M},
    {"place-2m-top", offsetof(struct vm_variant, place_2m_top), PROBE_PLACE_2M_TOP},
    {"huge-zero-write", offsetof(struct vm_variant, huge_zero_write), PROBE_HUGE_ZERO_WRITE},
    {"stack-nohuge", offsetof(struct vm_variant, stack_nohuge), PROBE_STACK_NOHUGE},
    {"untouched-uncharged", offsetof(struct vm_variant, untouched_uncharged), PROBE_UNTOUCHED_UNCHARGED},
    {"populate-stops", offsetof(struct vm_variant, populate_stops), PROBE_POPULATE_STOPS},
    {"swapin-writable", offsetof(struct vm_variant, swapin_writable), PROBE_SWAPIN_WRITABLE},
    {"zeromap", offsetof(struct vm_variant, zeromap), PROBE_ZEROMAP},
};

bool *variant_at(struct vm_variant *v, unsigned row)
{
	return (bool *)((u8 *)v + variant_rows[row].offset);
}

u16 variant_bit(const char *key)
{
	for (unsigned i = 0; i < VARIANT_ROWS; i++)
		if (strcmp(variant_rows[i].key, key) == 0)
			return (u16)(1u << i);
	return 0;
}

void host_variant(struct vm_variant *v, u16 keep)
{
	for (unsigned i = 0; i < VARIANT_ROWS; i++) {
		enum probe_answer a = keep >> i & 1 ? PROBE_UNKNOWN : host_answer(variant_rows[i].probe);

		if (a != PROBE_UNKNOWN)
			*variant_at(v, i) = a == PROBE_YES;
	}
}

/* ---- files ---- */

const char *host_file_folder(void)
{
	static const char *folder;

	if (!folder) {
		unsigned i = ask_in_child(disk_folder);

		folder = folder_at(i < FOLDERS ? i : 0);
	}
	return folder;
}

const char *probe_answer_name(enum probe_answer answer)
{
	return answer == PROBE_NO ? "no" : answer == PROBE_YES ? "yes" : "unknown";
}

int probe_find(const char *name)
{
	for (int i = 0; i < PROBE_NR; i++)
		if (strcmp(probe_table[i].name, name) == 0)
			return i;
	return -1;
}
