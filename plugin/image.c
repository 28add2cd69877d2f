/* SPDX-License-Identifier: MIT
 *
 * plugin/image.c - what exec mapped: the program's and its interpreter's segments and the stack, as Linux's ELF loader
 * maps them. QEMU has mapped the same at the same addresses, but for rights, sizes and order.
 *
 *   PT_LOAD:   file [offset, offset+filesz) ---> | file pages ........... |c| anonymous pages ... |
 *                                                vaddr            vaddr+filesz               vaddr+memsz
 *              c: the rest of the last file page, cleared by exec when memsz > filesz and the segment is writable
 *
 *   stack:     | 128 KiB of room | argc argv envp auxv | strings |
 *                                 sp                   argv[0]    top
 *
 * Source: Linux fs/binfmt_elf.c (load_elf_binary, elf_load), fs/exec.c (setup_arg_pages).
 */
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#undef EV_NONE /* <elf.h> has one, too */
#include "plugin/plugin.h"

#define MAX_PHDRS    64
#define STACK_EXPAND (128ull << 10)

struct elf {
	char path[4096];
	struct stat st;
	u16 type, nr;
	Elf64_Phdr ph[MAX_PHDRS];
	u64 clear_start, clear_len; /* of the last segment that has a rest of a file page to clear */
	u64 end;                    /* of the highest segment */
};

static struct elf program, interp;

static int elf_read(struct elf *e, const char *path, char interp_path[PATH_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret = -1;
	Elf64_Ehdr h;

	if (fd < 0)
		return -1;
	if (realpath(path, e->path) && fstat(fd, &e->st) == 0 && pread(fd, &h, sizeof(h), 0) == sizeof(h) &&
	    h.e_phentsize == sizeof(Elf64_Phdr) && h.e_phnum <= MAX_PHDRS &&
	    pread(fd, e->ph, h.e_phnum * sizeof(Elf64_Phdr), (off_t)h.e_phoff) ==
		(ssize_t)(h.e_phnum * sizeof(Elf64_Phdr))) {
		e->type = h.e_type;
		e->nr = h.e_phnum;
		ret = 0;
	}
	for (unsigned i = 0; ret == 0 && interp_path && i < e->nr; i++)
		if (e->ph[i].p_type == PT_INTERP && e->ph[i].p_filesz < PATH_MAX)
			pread(fd, interp_path, e->ph[i].p_filesz, (off_t)e->ph[i].p_offset);
	close(fd);
	return ret;
}

int image_load(const char *path)
{
	char interp_path[PATH_MAX] = "";

	if (elf_read(&program, path, interp_path) != 0)
		return -1;
	return interp_path[0] ? elf_read(&interp, interp_path, NULL) : 0;
}

bool image_is_pie(void)
{
	return program.type == ET_DYN;
}

bool image_has_interp(void)
{
	return interp.nr > 0;
}

/* ---- segments ---- */

static u64 page_down(u64 va)
{
	return ALIGN_DOWN(va, 4096ull);
}

static u64 page_up(u64 va)
{
	return ALIGN_UP(va, 4096ull);
}

static u64 phdr_prot(const Elf64_Phdr *ph)
{
	return (ph->p_flags & PF_R ? PROT_READ : 0) | (ph->p_flags & PF_W ? PROT_WRITE : 0) |
	       (ph->p_flags & PF_X ? PROT_EXEC : 0);
}

/* at: base of an ET_DYN image (its lowest page's address), 0 for ET_EXEC. */
static u64 elf_bias(const struct elf *e, u64 at)
{
	for (unsigned i = 0; i < e->nr; i++)
		if (e->ph[i].p_type == PT_LOAD)
			return e->type == ET_DYN ? at - page_down(e->ph[i].p_vaddr) : 0;
	return 0;
}

static void emit_map(struct thread *t, const struct ev_map *m, u64 arg, const char *name)
{
	if (m->len)
		emit(t, EV_MAP, EVM_EXEC | arg, m, EV_PAYLOAD_WORDS(*m), name);
}

static void announce_segment(struct thread *t, struct elf *e, const Elf64_Phdr *ph, u64 bias, u64 arg)
{
	u64 start = bias + ph->p_vaddr, file_end = start + ph->p_filesz, end = start + ph->p_memsz;
	struct ev_map m = {
	    .start = page_down(start),
	    .len = ph->p_filesz ? page_up(file_end) - page_down(start) : 0,
	    .prot = phdr_prot(ph),
	    .flags = MAP_PRIVATE | MAP_FIXED,
	    .dev = e->st.st_dev,
	    .ino = e->st.st_ino,
	    .offset = page_down(ph->p_offset),
	    .size = (u64)e->st.st_size,
	};
	struct ev_map zero = {
	    .start = m.start + m.len, .prot = m.prot, .flags = MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS};

	emit_map(t, &m, arg, e->path);
	if (end > zero.start)
		zero.len = page_up(end) - zero.start;
	emit_map(t, &zero, arg, "");
	if (ph->p_memsz > ph->p_filesz && m.len && (ph->p_flags & PF_W)) {
		e->clear_start = file_end;
		e->clear_len = page_up(file_end) - file_end;
	}
	e->end = max(e->end, end);
}

static void announce_elf(struct thread *t, struct elf *e, u64 at, u64 arg)
{
	u64 bias = elf_bias(e, at);

	for (unsigned i = 0; i < e->nr; i++)
		if (e->ph[i].p_type == PT_LOAD)
			announce_segment(t, e, &e->ph[i], bias, arg);
}

/* ---- the stack ---- */

static bool all_zero(u64 page)
{
	const u64 *w = (const u64 *)page;

	for (unsigned i = 0; i < 512; i++)
		if (w[i])
			return false;
	return true;
}

/* QEMU has filled the stack from its top downwards, and argc, which is not 0, is the lowest word: below it the memory
 * was never written. Returns the stack pointer of the start. */
static u64 stack_pointer(void)
{
	u64 page = start_maps.stack_end - 4096;
	const u64 *w;

	while (page - 4096 > start_maps.stack + 4096 && !all_zero(page - 4096))
		page -= 4096;
	for (w = (const u64 *)page; *w == 0; w++)
		;
	return (u64)w;
}

/* The lowest argument string: strings fill the stack from there to its top. */
static u64 strings_start(u64 sp)
{
	u64 argc = *(const u64 *)sp, lowest = start_maps.stack_end;
	const u64 *argv = (const u64 *)sp + 1;

	for (u64 i = 0; i < argc; i++)
		if (argv[i] > sp)
			lowest = min(lowest, argv[i]);
	return lowest;
}

static void announce_stack(struct thread *t, u64 strings)
{
	struct rlimit limit = {.rlim_cur = 8 << 20};
	u64 size = start_maps.stack_end - page_down(strings) + STACK_EXPAND;
	struct ev_map m = {.prot = PROT_READ | PROT_WRITE, .flags = MAP_PRIVATE | MAP_ANONYMOUS};

	getrlimit(RLIMIT_STACK, &limit);
	m.stack_rlimit = min((u64)limit.rlim_cur, start_maps.stack_end - start_maps.stack);
	m.len = min(size, page_down(m.stack_rlimit));
	m.start = start_maps.stack_end - m.len;
	emit_map(t, &m, EVM_STACK, "[stack]");
}

void image_announce(struct thread *t)
{
	u64 sp = stack_pointer(), strings = strings_start(sp);
	struct ev_exec exec = {start_maps.stack_end};
	struct ev_exec_done done = {.sp = sp, .strings_start = strings, .strings_len = exec.stack_top - strings};

	process.announced = true;
	if (!emit_begin(t))
		return;
	emit(t, EV_EXEC, 0, &exec, EV_PAYLOAD_WORDS(exec), program.path);
	announce_stack(t, strings);
	announce_elf(t, &program, start_maps.main, 0);
	if (image_has_interp())
		announce_elf(t, &interp, start_maps.interp, EVM_INTERP);
	done.bss_clear_start = program.clear_start;
	done.bss_clear_len = program.clear_len;
	done.interp_clear_start = interp.clear_start;
	done.interp_clear_len = interp.clear_len;
	done.brk_start = process.calls.brk_start = process.calls.brk = page_up(program.end);
	emit(t, EV_EXEC_DONE, 0, &done, EV_PAYLOAD_WORDS(done), NULL);
}
