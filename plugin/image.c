/* SPDX-License-Identifier: MIT
 *
 * plugin/image.c - what exec mapped: the program's and its interpreter's segments and the stack, as Linux's ELF loader
 * maps them. QEMU has mapped the same at the same addresses, but for rights, sizes and order.
 *
 * It is told by trace/exec.c, which draws it.
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
#include "trace/exec.h"

#define MAX_PHDRS 64

struct elf {
	char path[4096];
	struct stat st;
	u16 type, nr;
	Elf64_Phdr ph[MAX_PHDRS];
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

/* at: base of an ET_DYN image (its lowest page's address), 0 for ET_EXEC. */
static u64 elf_bias(const struct elf *e, u64 at)
{
	for (unsigned i = 0; i < e->nr; i++)
		if (e->ph[i].p_type == PT_LOAD)
			return e->type == ET_DYN ? at - ALIGN_DOWN(e->ph[i].p_vaddr, 4096ull) : 0;
	return 0;
}

static void image_of(const struct elf *e, u64 at, struct exec_image *out)
{
	*out = (struct exec_image){.bias = elf_bias(e, at),
				   .dev = e->st.st_dev,
				   .ino = e->st.st_ino,
				   .size = (u64)e->st.st_size,
				   .path = e->path};
	for (unsigned i = 0; i < e->nr; i++) {
		const Elf64_Phdr *ph = &e->ph[i];

		if (ph->p_type == PT_LOAD)
			out->segment[out->nr++] = (struct exec_segment){
			    ph->p_vaddr, ph->p_filesz, ph->p_memsz, ph->p_offset,
			    (ph->p_flags & PF_R ? PROT_READ : 0) | (ph->p_flags & PF_W ? PROT_WRITE : 0) |
				(ph->p_flags & PF_X ? PROT_EXEC : 0)};
	}
}

static void told(void *thread, unsigned type, u64 arg, const void *payload, unsigned n, const char *name)
{
	emit(thread, type, arg, payload, n, name);
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

void image_announce(struct thread *t)
{
	static struct exec_image main_image, interp_image;
	struct exec_stack stack = {.top = start_maps.stack_end, .sp = stack_pointer()};
	struct rlimit limit = {.rlim_cur = 8 << 20};

	process.announced = true;
	if (!emit_begin(t))
		return;
	stack.strings = strings_start(stack.sp);
	getrlimit(RLIMIT_STACK, &limit);
	stack.rlimit = min((u64)limit.rlim_cur, start_maps.stack_end - start_maps.stack);
	image_of(&program, start_maps.main, &main_image);
	image_of(&interp, start_maps.interp, &interp_image);
	process.calls.brk_start = process.calls.brk =
	    exec_tell(t, told, process.name, &main_image, image_has_interp() ? &interp_image : NULL, &stack);
}
