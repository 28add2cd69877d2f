/* SPDX-License-Identifier: MIT
 *
 * engine/load.c - what exec would have done: the program and its interpreter are mapped, the vdso moved where it would
 * be, the stack filled byte for byte, brk set. Everything where the kernel puts it without randomisation.
 *
 *   stack   | argc | argv | 0 | envp | 0 | auxv | .. | random | platform | .. | argv's, envp's strings | path | 0 | top
 *
 * The engine's own arguments are on the same pages; they are copied away first.
 *
 * Source: Linux 6.12 fs/binfmt_elf.c (load_elf_binary, create_elf_tables), fs/exec.c (copy_strings),
 * arch/x86/entry/vdso/vma.c (map_vdso).
 */
#include <asm/stat.h>
#include <elf.h>
#include <errno.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <asm/resource.h>
#include <sys/mman.h>

#undef EV_NONE /* <elf.h> has one, too */
#include "engine/areas.h"
#include "engine/engine.h"
#include "engine/paths.h"
#include "engine/signals.h"
#include "lib/sys.h"

#define MAX_PHDRS    64
#define PIE_BASE     0x555555554000ull /* ELF_ET_DYN_BASE: 2/3 of 47 bits */
#define MAX_AUX      64
#define KERNEL_INODE (1ull << 62) /* of the vdso, on device 0: no file has it */

struct span {
	u64 start, end;
};

struct image {
	const char *path;
	u64 dev, ino, size;
	Elf64_Ehdr h;
	Elf64_Phdr ph[MAX_PHDRS];
	long fd;
	u64 bias, end;
	u64 code_start, code_end, data_start, data_end;
	char interp[4096], file[4096];
};

static struct image program, interp;
static struct exec_stack stack;
static const char *executed; /* as exec was given it */
static struct span areas[4]; /* the kernel's: [vvar]..., [vdso] */
static unsigned nr_areas;

static long sys_mmap(u64 at, u64 len, int prot, int flags, long fd, u64 offset)
{
	return sys6(SYS_mmap, at, len, (u64)prot, (u64)flags, (u64)fd, offset);
}

/* ---- ELF ---- */

static void image_read(struct image *m, const char *path)
{
	struct stat st = {0};
	char link[32];
	long got;

	m->path = path;
	m->fd = sys6(SYS_openat, (u64)AT_FDCWD, (u64)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
	if (m->fd < 0 || sys6(SYS_pread64, (u64)m->fd, (u64)&m->h, sizeof(m->h), 0, 0, 0) != sizeof(m->h) ||
	    memcmp(m->h.e_ident, ELFMAG, SELFMAG) != 0 || m->h.e_machine != EM_X86_64 || m->h.e_phnum > MAX_PHDRS ||
	    sys6(SYS_pread64, (u64)m->fd, (u64)m->ph, m->h.e_phnum * sizeof(m->ph[0]), m->h.e_phoff, 0, 0) < 0)
		die("is no x86-64 program:", path, 0);
	link_of((int)m->fd, link);
	got = sys3(SYS_readlink, (u64)link, (u64)m->file, sizeof(m->file) - 1);
	m->file[got > 0 ? got : 0] = 0;
	sys3(SYS_fstat, (u64)m->fd, (u64)&st, 0);
	m->dev = st.st_dev;
	m->ino = st.st_ino;
	m->size = (u64)st.st_size;
	for (unsigned i = 0; i < m->h.e_phnum; i++)
		if (m->ph[i].p_type == PT_INTERP && m->ph[i].p_filesz < sizeof(m->interp))
			sys6(SYS_pread64, (u64)m->fd, (u64)m->interp, m->ph[i].p_filesz, m->ph[i].p_offset, 0, 0);
}

/* First and last address of all segments, page aligned, and the largest alignment. */
static void image_span(const struct image *m, u64 *start, u64 *end, u64 *align)
{
	*start = ~0ull;
	*end = 0;
	*align = 4096;
	for (unsigned i = 0; i < m->h.e_phnum; i++) {
		if (m->ph[i].p_type != PT_LOAD)
			continue;
		*start = min(*start, ALIGN_DOWN(m->ph[i].p_vaddr, 4096ull));
		*end = max(*end, ALIGN_UP(m->ph[i].p_vaddr + m->ph[i].p_memsz, 4096ull));
		*align = max(*align, m->ph[i].p_align);
	}
}

/* Of exec no way leads back to the old program: the kernel ends the process. */
static _Noreturn void cannot_map(const char *path, long err)
{
	if (err == -ENOMEM)
		die_of(SIGSEGV, &(siginfo_t){.si_signo = SIGSEGV, .si_code = SI_KERNEL});
	die("cannot map", path, (u64)-err);
}

/* at: where the first byte goes, 0: the kernel chooses. */
static void image_place(struct image *m, u64 at, const char *path)
{
	u64 start, end, align;
	long got;

	image_span(m, &start, &end, &align);
	if (m->h.e_type == ET_EXEC)
		return;
	at = ALIGN_DOWN(at, align);
	got = sys_mmap(at, end - start, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED_NOREPLACE : 0), -1, 0);
	if (sys_failed(got))
		cannot_map(path, got);
	sys3(SYS_munmap, (u64)got, end - start, 0);
	m->bias = (u64)got - start;
}

static int prot_of(const Elf64_Phdr *ph)
{
	return (ph->p_flags & PF_R ? PROT_READ : 0) | (ph->p_flags & PF_W ? PROT_WRITE : 0) |
	       (ph->p_flags & PF_X ? PROT_EXEC : 0);
}

static void map_segment(struct image *m, const Elf64_Phdr *ph, const char *path)
{
	u64 start = m->bias + ph->p_vaddr, page = ALIGN_DOWN(start, 4096ull), file_end = start + ph->p_filesz;
	u64 zero = ph->p_filesz ? ALIGN_UP(file_end, 4096ull) : page, end = start + ph->p_memsz;
	int prot = prot_of(ph);
	long got = 0;

	if (ph->p_filesz)
		got = sys_mmap(page, zero - page, prot, MAP_PRIVATE | MAP_FIXED_NOREPLACE, m->fd,
			       ALIGN_DOWN(ph->p_offset, 4096ull));
	if (sys_failed(got))
		cannot_map(path, got);
	if (ph->p_memsz > ph->p_filesz && ph->p_filesz && prot & PROT_WRITE)
		memset((void *)file_end, 0, zero - file_end);
	if (end > zero)
		got = sys_mmap(zero, ALIGN_UP(end, 4096ull) - zero, prot,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (sys_failed(got))
		cannot_map(path, got);
	if (ph->p_flags & PF_X) {
		m->code_start = m->code_start ? m->code_start : start;
		m->code_end = max(m->code_end, file_end);
	}
	m->data_start = max(m->data_start, start);
	m->data_end = max(m->data_end, file_end);
	m->end = max(m->end, end);
}

static void image_map(struct image *m, u64 at, const char *path)
{
	image_place(m, at, path);
	for (unsigned i = 0; i < m->h.e_phnum; i++)
		if (m->ph[i].p_type == PT_LOAD)
			map_segment(m, &m->ph[i], path);
	sys3(SYS_close, (u64)m->fd, 0, 0);
}

/* Where the program headers are in memory. */
static u64 image_phdr(const struct image *m)
{
	for (unsigned i = 0; i < m->h.e_phnum; i++)
		if (m->ph[i].p_type == PT_LOAD && m->ph[i].p_offset <= m->h.e_phoff &&
		    m->h.e_phoff < m->ph[i].p_offset + m->ph[i].p_filesz)
			return m->bias + m->h.e_phoff - m->ph[i].p_offset + m->ph[i].p_vaddr;
	return 0;
}

/* ---- the vdso ---- */

/* The kernel's own areas of this process, in their order: [vvar]..., [vdso]. */
static void add_kernel_area(const struct maps_line *line)
{
	if (nr_areas < ARRAY_SIZE(areas) &&
	    (maps_named(line, "[vvar]") || maps_named(line, "[vvar_vclock]") || maps_named(line, "[vdso]")))
		areas[nr_areas++] = (struct span){line->start, line->end};
}

/* Out of the way, or to where the kernel would have mapped it. Returns the vdso's new address: the last area's. */
static u64 move_areas(struct span *area, unsigned n, u64 to)
{
	for (unsigned i = 0; i < n; i++) {
		u64 len = area[i].end - area[i].start;
		long got = sys6(SYS_mremap, area[i].start, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to, 0);

		if (got != (long)to)
			die("the vdso cannot be moved", "", (u64)-got);
		area[i] = (struct span){to, to + len};
		to += len;
	}
	return n ? area[n - 1].start : 0;
}

static u64 place_areas(struct span *area, unsigned n)
{
	u64 len = 0;
	long got;

	for (unsigned i = 0; i < n; i++)
		len += area[i].end - area[i].start;
	if (!n)
		return 0;
	got = sys_mmap(0, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sys_failed(got))
		die("no room for the vdso", "", 0);
	sys3(SYS_munmap, (u64)got, len, 0);
	return move_areas(area, n, (u64)got);
}

/* ---- the stack ---- */

/* argv's and then envp's: away from the stack, and where they come to be on it. */
struct strings {
	const char **text;
	u64 *at;
	unsigned argc, nr;
};

static u64 strings_count(char **list, u64 *bytes)
{
	u64 n = 0;

	for (; list[n]; n++)
		*bytes += strlen(list[n]) + 1;
	return n;
}

static void strings_take(struct strings *s, char **argv, char **envp)
{
	u64 bytes = 0, argc = strings_count(argv, &bytes), n = argc + strings_count(envp, &bytes);
	char *to = memory_get(bytes + n * (sizeof(*s->text) + sizeof(*s->at)) + 1);

	*s = (struct strings){(const char **)to, (u64 *)to + n, (unsigned)argc, (unsigned)n};
	to += n * (sizeof(*s->text) + sizeof(*s->at));
	for (unsigned i = 0; i < n; i++) {
		const char *text = i < argc ? argv[i] : envp[i - argc];

		bytes = strlen(text) + 1;
		s->text[i] = memcpy(to, text, bytes);
		to += bytes;
	}
}

static void set_aux(u64 *aux, u64 type, u64 value)
{
	for (; aux[0] != AT_NULL; aux += 2)
		if (aux[0] == type)
			aux[1] = value;
}

/* The highest address of the stack's area. */
static u64 stack_top(u64 inside)
{
	u64 page = ALIGN_UP(inside, 4096ull);
	u8 there;

	while (sys3(SYS_mincore, page, 4096, (u64)&there) == 0)
		page += 4096;
	return page;
}

/* Returns the stack pointer. */
static u64 fill_stack(const char *exec_name, char **argv, char **envp, u64 *auxv, u64 vdso)
{
	struct strings s;
	u64 aux[2 * MAX_AUX], nr_aux = 0, top = stack_top((u64)auxv), old = (u64)argv, sp, random[2], *w;
	unsigned argc, n;
	char *name;

	strings_take(&s, argv, envp);
	argc = s.argc;
	n = s.nr;
	while (auxv[2 * nr_aux] != AT_NULL && nr_aux < MAX_AUX - 1)
		nr_aux++;
	memcpy(aux, auxv, 16 * (nr_aux + 1));
	for (u64 *a = aux; a[0] != AT_NULL; a += 2)
		if (a[0] == AT_RANDOM)
			memcpy(random, (void *)a[1], 16);
	name = memcpy(memory_get(strlen(exec_name) + 1), exec_name, strlen(exec_name) + 1);
	memset((void *)(ALIGN_DOWN(old, 4096ull)), 0, top - ALIGN_DOWN(old, 4096ull));
	sp = top - 8;
	sp -= strlen(name) + 1;
	memcpy((void *)sp, name, strlen(name) + 1);
	set_aux(aux, AT_EXECFN, sp);
	for (unsigned i = n; i-- > 0;) {
		sp -= strlen(s.text[i]) + 1;
		s.at[i] = (u64)memcpy((void *)sp, s.text[i], strlen(s.text[i]) + 1);
	}
	sp = ALIGN_DOWN(sp, 16ull) - 7;
	memcpy((void *)sp, "x86_64", 7);
	set_aux(aux, AT_PLATFORM, sp);
	sp -= 16;
	memcpy((void *)sp, random, 16);
	set_aux(aux, AT_RANDOM, sp);
	set_aux(aux, AT_PHDR, image_phdr(&program));
	set_aux(aux, AT_PHNUM, program.h.e_phnum);
	set_aux(aux, AT_ENTRY, program.bias + program.h.e_entry);
	set_aux(aux, AT_BASE, interp.bias);
	set_aux(aux, AT_SYSINFO_EHDR, vdso);
	sp = ALIGN_DOWN(sp, 16ull) - 16 * (nr_aux + 1);
	sp = ALIGN_DOWN(sp - 8ull * (n + 3), 16ull);
	stack = (struct exec_stack){top, sp, n ? s.at[0] : top, 8ull << 20};
	w = (u64 *)sp;
	*w++ = argc;
	for (unsigned i = 0; i < argc; i++)
		*w++ = s.at[i];
	*w++ = 0;
	for (unsigned i = argc; i < n; i++)
		*w++ = s.at[i];
	*w++ = 0;
	memcpy(w, aux, 16 * (nr_aux + 1));
	return sp;
}

/* The kernel's own idea of the process: where brk begins, what /proc/PID/cmdline and the like show. */
static u64 set_mm(u64 sp, u64 auxv)
{
	u64 brk = ALIGN_UP(program.end, 4096ull), argc = *(u64 *)sp, *argv = (u64 *)sp + 1, *envp = argv + argc + 1,
	    *last = envp;
	struct prctl_mm_map map = {.start_code = program.code_start,
				   .end_code = program.code_end,
				   .start_data = program.data_start,
				   .end_data = program.data_end,
				   .start_brk = brk,
				   .brk = brk,
				   .start_stack = sp,
				   .exe_fd = (u32)-1};
	u64 aux_bytes = 16;

	while (last[0])
		last++;
	map.arg_start = argc ? argv[0] : stack.strings;
	map.arg_end = argc ? argv[argc - 1] + strlen((char *)argv[argc - 1]) + 1 : map.arg_start;
	map.env_start = map.arg_end;
	map.env_end = last > envp ? last[-1] + strlen((char *)last[-1]) + 1 : map.env_start;
	for (u64 *a = (u64 *)auxv; a[0] != AT_NULL; a += 2)
		aux_bytes += 16;
	map.auxv = (void *)auxv;
	map.auxv_size = (u32)aux_bytes;
	return sys_failed(sys6(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, (u64)&map, sizeof(map), 0, 0)) ? 0 : brk;
}

static const char *base_name(const char *path)
{
	const char *name = path;

	for (; *path; path++)
		if (*path == '/')
			name = path + 1;
	return name;
}

void program_load(const char *name, const char *path, char **argv, char **envp, u64 *auxv, struct program *out)
{
	u64 vdso;

	if (!maps_read(add_kernel_area))
		die("/proc is not mounted, and the engine needs it", "", 0);
	move_areas(areas, nr_areas, ENGINE_MEMORY_END - (1ull << 30));
	image_read(&program, path);
	if (program.interp[0])
		image_read(&interp, program.interp);
	image_map(&program, program.interp[0] ? PIE_BASE : 0, path);
	if (program.interp[0])
		image_map(&interp, 0, program.interp);
	vdso = place_areas(areas, nr_areas);
	executed = name;
	out->stack = fill_stack(name, argv, envp, auxv, vdso);
	auxv = (u64 *)out->stack + 1 + *(u64 *)out->stack + 1;
	while (*auxv++)
		;
	for (unsigned i = 0; i < program.h.e_phnum; i++)
		if (program.ph[i].p_type == PT_GNU_STACK && program.ph[i].p_flags & PF_X)
			sys3(SYS_mprotect, ALIGN_DOWN(out->stack, 4096ull), 4096,
			     PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN);
	out->brk = set_mm(out->stack, (u64)auxv);
	out->data_bytes = program.data_end - program.data_start;
	out->file = program.file;
	out->entry = program.interp[0] ? interp.bias + interp.h.e_entry : program.bias + program.h.e_entry;
	sys3(SYS_prctl, PR_SET_NAME, (u64)base_name(name), 0);
}

static void image_tell(const struct image *m, struct exec_image *out)
{
	*out = (struct exec_image){.bias = m->bias, .dev = m->dev, .ino = m->ino, .size = m->size, .path = m->path};
	for (unsigned i = 0; i < m->h.e_phnum; i++) {
		const Elf64_Phdr *ph = &m->ph[i];

		if (ph->p_type == PT_LOAD)
			out->segment[out->nr++] = (struct exec_segment){ph->p_vaddr, ph->p_filesz, ph->p_memsz,
									ph->p_offset, (u32)prot_of(ph)};
	}
}

static bool begins(const char *text, const char *with)
{
	while (*with && *text == *with)
		text++, with++;
	return !*with;
}

/* "/proc/self/exe" and "/dev/fd/3" say nothing to a reader. */
static const char *name_told(void)
{
	return begins(executed, "/proc/") || begins(executed, "/dev/fd/") ? program.path : executed;
}

u64 program_tell(void *thread, exec_emit *emit)
{
	static struct exec_image main_image, interp_image;
	u64 limit[2]; /* soft, hard */
	u64 brk;

	if (sys3(SYS_getrlimit, RLIMIT_STACK, (u64)limit, 0) == 0)
		stack.rlimit = limit[0];
	image_tell(&program, &main_image);
	image_tell(&interp, &interp_image);
	brk = exec_tell(thread, emit, name_told(), &main_image, program.interp[0] ? &interp_image : NULL, &stack);
	for (unsigned i = 0; i < nr_areas; i++) {
		struct ev_map m = {.start = areas[i].start,
				   .len = areas[i].end - areas[i].start,
				   .size = areas[i].end - areas[i].start,
				   .prot = i + 1 < nr_areas ? PROT_READ : PROT_READ | PROT_EXEC,
				   .flags = MAP_PRIVATE,
				   .ino = KERNEL_INODE + i};

		emit(thread, EV_MAP, EVM_EXEC, &m, EV_PAYLOAD_WORDS(m), i + 1 < nr_areas ? "[vvar]" : "[vdso]");
	}
	return brk;
}
