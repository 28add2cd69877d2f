/* SPDX-License-Identifier: MIT
 *
 * engine/zydis.c - the decoder's shared library in the engine's memory: its segments are mapped and relocated here, and
 * what decode.c calls of it goes through pointers. The library wants memcpy, memset, strlen and two functions that
 * never return; it has no thread-local memory and nothing to initialise. Its stack protector reads fs:0x28. fs is the
 * program's, and may lead nowhere; so the library is made to read gs:0x28, a field of the thread: whatever is there will
 * do, as long as it stays the same during a call.
 */
#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#undef EV_NONE /* <elf.h> has one, too */

#include <Zydis/Zydis.h>

#include "engine/engine.h"
#include "lib/sys.h"

static __typeof__(&ZydisDecoderInit) decoder_init;
static __typeof__(&ZydisDecoderDecodeFull) decode_full;
static __typeof__(&ZydisRegisterGetClass) get_class;
static __typeof__(&ZydisRegisterGetLargestEnclosing) get_largest;
static __typeof__(&ZydisRegisterGetWidth) get_width;

ZyanStatus ZydisDecoderInit(ZydisDecoder *d, ZydisMachineMode mode, ZydisStackWidth width)
{
	return decoder_init(d, mode, width);
}

ZyanStatus ZydisDecoderDecodeFull(const ZydisDecoder *d, const void *bytes, ZyanUSize n, ZydisDecodedInstruction *insn,
				  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT])
{
	return decode_full(d, bytes, n, insn, operands);
}

ZydisRegisterClass ZydisRegisterGetClass(ZydisRegister reg)
{
	return get_class(reg);
}

ZydisRegister ZydisRegisterGetLargestEnclosing(ZydisMachineMode mode, ZydisRegister reg)
{
	return get_largest(mode, reg);
}

ZydisRegisterWidth ZydisRegisterGetWidth(ZydisMachineMode mode, ZydisRegister reg)
{
	return get_width(mode, reg);
}

static _Noreturn void gives_up(void)
{
	die("the decoder's library gave up", "", 0);
}

static const struct {
	const char *name;
	void *ours; /* what the library wants */
	void *slot; /* where what we want of it goes */
} names[] = {
    {"memcpy", memcpy, NULL},
    {"memset", memset, NULL},
    {"strlen", strlen, NULL},
    {"__assert_fail", gives_up, NULL},
    {"__stack_chk_fail", gives_up, NULL},
    {"ZydisDecoderInit", NULL, &decoder_init},
    {"ZydisDecoderDecodeFull", NULL, &decode_full},
    {"ZydisRegisterGetClass", NULL, &get_class},
    {"ZydisRegisterGetLargestEnclosing", NULL, &get_largest},
    {"ZydisRegisterGetWidth", NULL, &get_width},
};

/* ---- the file ---- */

struct library {
	u64 base;
	const Elf64_Sym *sym;
	const char *str;
	const Elf64_Rela *rela[2];
	u64 rela_bytes[2];
};

static u64 span(const Elf64_Phdr *ph, unsigned n)
{
	u64 end = 0;

	for (unsigned i = 0; i < n; i++)
		if (ph[i].p_type == PT_LOAD)
			end = max(end, ph[i].p_vaddr + ph[i].p_memsz);
	return ALIGN_UP(end, 4096ull);
}

/* All of it writable and executable: it is ours. What is not relocated stays the file's page. */
static bool map_segment(const struct library *l, int fd, const Elf64_Phdr *ph)
{
	u64 skew = ph->p_vaddr & 0xfff, start = l->base + ph->p_vaddr, end = start + ph->p_filesz;
	long got = sys6(SYS_mmap, start - skew, skew + ph->p_filesz, PROT_READ | PROT_WRITE | PROT_EXEC,
			MAP_PRIVATE | MAP_FIXED, (u64)fd, ph->p_offset - skew);

	if (got < 0)
		return false;
	if (ph->p_memsz > ph->p_filesz)
		memset((void *)end, 0, ALIGN_UP(end, 4096ull) - end);
	return true;
}

static void map_segments(struct library *l, const char *path, int fd, const Elf64_Phdr *ph, unsigned n)
{
	u64 dynamic = 0;

	l->base = (u64)memory_get(span(ph, n));
	for (unsigned i = 0; i < n; i++) {
		if (ph[i].p_type == PT_DYNAMIC)
			dynamic = l->base + ph[i].p_vaddr;
		if (ph[i].p_type == PT_LOAD && !map_segment(l, fd, &ph[i]))
			die("cannot read the decoder's library", path, 0);
	}
	for (const Elf64_Dyn *d = (const Elf64_Dyn *)dynamic; d && d->d_tag != DT_NULL; d++) {
		u64 at = l->base + d->d_un.d_ptr;

		switch (d->d_tag) {
		case DT_SYMTAB:
			l->sym = (const Elf64_Sym *)at;
			break;
		case DT_STRTAB:
			l->str = (const char *)at;
			break;
		case DT_RELA:
			l->rela[0] = (const Elf64_Rela *)at;
			break;
		case DT_JMPREL:
			l->rela[1] = (const Elf64_Rela *)at;
			break;
		case DT_RELASZ:
			l->rela_bytes[0] = d->d_un.d_val;
			break;
		case DT_PLTRELSZ:
			l->rela_bytes[1] = d->d_un.d_val;
			break;
		}
	}
}

/* The library's own symbol's address, or ours for one that it wants; 0: weak, and not here. */
static u64 symbol(const struct library *l, u32 index)
{
	const Elf64_Sym *s = &l->sym[index];
	const char *name = l->str + s->st_name;

	if (s->st_shndx != SHN_UNDEF)
		return l->base + s->st_value;
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].ours && strcmp(name, names[i].ours ? names[i].name : "") == 0)
			return (u64)names[i].ours;
	if (ELF64_ST_BIND(s->st_info) != STB_WEAK)
		die("the decoder's library wants what is not here:", name, 0);
	return 0;
}

static void relocate(const struct library *l)
{
	for (unsigned k = 0; k < 2; k++) {
		for (u64 i = 0; i < l->rela_bytes[k] / sizeof(Elf64_Rela); i++) {
			const Elf64_Rela *r = &l->rela[k][i];
			u64 *at = (u64 *)(l->base + r->r_offset);

			switch (ELF64_R_TYPE(r->r_info)) {
			case R_X86_64_RELATIVE:
				*at = l->base + (u64)r->r_addend;
				break;
			case R_X86_64_64:
				*at = symbol(l, ELF64_R_SYM(r->r_info)) + (u64)r->r_addend;
				break;
			case R_X86_64_GLOB_DAT:
			case R_X86_64_JUMP_SLOT:
				*at = symbol(l, ELF64_R_SYM(r->r_info));
				break;
			default:
				die("the decoder's library has a relocation of another kind:", "",
				    ELF64_R_TYPE(r->r_info));
			}
		}
	}
}

/* What we want of it: the symbol table ends where the strings begin. */
static void find(const struct library *l, const char *path)
{
	unsigned found = 0;

	for (const Elf64_Sym *s = l->sym; (u64)s < (u64)l->str; s++) {
		for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			if (!names[i].slot || s->st_shndx == SHN_UNDEF ||
			    strcmp(l->str + s->st_name, names[i].name) != 0)
				continue;
			*(u64 *)names[i].slot = l->base + s->st_value;
			found++;
		}
	}
	if (found != 5)
		die("this is no library of the decoder Zydis:", path, 0);
}

/* In a segment of code, each 64-bit load, xor, sub or cmp of fs:0x28 with a register. */
static void canaries(const struct library *l, const Elf64_Phdr *ph)
{
	static const u8 operand[] = {0x25, 0x28, 0, 0, 0};
	u8 *at = (u8 *)(l->base + ph->p_vaddr);

	for (u8 *end = at + ph->p_filesz - 9; at < end; at++)
		if (at[0] == 0x64 && (at[1] & 0xfb) == 0x48 && (at[3] & 0xc7) == 4 && memcmp(at + 4, operand, 5) == 0)
			at[0] = 0x65;
}

void zydis_load(const char *path)
{
	long fd = sys6(SYS_openat, (u64)AT_FDCWD, (u64)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
	struct library l = {0};
	Elf64_Phdr ph[32];
	Elf64_Ehdr h;

	if (fd < 0 || sys3(SYS_read, (u64)fd, (u64)&h, sizeof(h)) != sizeof(h) ||
	    memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 || h.e_phnum > 32 ||
	    sys6(SYS_pread64, (u64)fd, (u64)ph, h.e_phnum * sizeof(ph[0]), h.e_phoff, 0, 0) < 0)
		die("cannot read the decoder's library", path, 0);
	map_segments(&l, path, (int)fd, ph, h.e_phnum);
	sys3(SYS_close, (u64)fd, 0, 0);
	for (unsigned i = 0; i < h.e_phnum; i++)
		if (ph[i].p_type == PT_LOAD && ph[i].p_flags & PF_X)
			canaries(&l, &ph[i]);
	relocate(&l);
	find(&l, path);
}
