/* SPDX-License-Identifier: MIT
 *
 * engine/decode.c - Zydis's view of an instruction, brought into ours; for those that opcodes.c does not know.
 *
 * What Zydis does not say, or says otherwise than the hardware does:
 *   - a shift or rotation by CL changes no flag when CL is 0: it kills none; nor does one by a constant that is 0 modulo
 *     32 (64)
 *   - a flag that is undefined behind an instruction may be what it was before: it is not killed, but see flags.c
 *   - sbb defines AF
 *   - syscall changes no flag: the kernel gives back what it had in r11
 *   - pause with REX.B exchanges rax and r8
 *   - BSF and BSR of zero leave their destination: they read it
 *   - a 32-bit write clears the upper half: it kills the register; an 8- or 16-bit write reads it
 *   - xor r,r and sub r,r read nothing
 *   - prefetches, cldemote and multi-byte nops access no memory that a page fault could tell of; clflush and its like
 *     take faults as a load of a byte does
 */
#include "engine/cache.h"
#include "engine/gather.h"
#include "engine/state.h"
#include "lib/cpuid.h"

static ZydisDecoder decoder;
static bool has_rtm;
static signed char gpr_number[ZYDIS_REGISTER_MAX_VALUE + 1];
static u8 gpr_bits[ZYDIS_REGISTER_MAX_VALUE + 1];

void decode_init(void)
{
	flags_init();
	has_rtm = cpuid(7, 0).ebx >> 11 & 1;
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (unsigned r = 0; r <= ZYDIS_REGISTER_MAX_VALUE; r++) {
		ZydisRegisterClass c = ZydisRegisterGetClass((ZydisRegister)r);

		gpr_number[r] = -1;
		if (c != ZYDIS_REGCLASS_GPR8 && c != ZYDIS_REGCLASS_GPR16 && c != ZYDIS_REGCLASS_GPR32 &&
		    c != ZYDIS_REGCLASS_GPR64)
			continue;
		gpr_number[r] =
		    (signed char)(ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, (ZydisRegister)r) -
				  ZYDIS_REGISTER_RAX);
		gpr_bits[r] = (u8)ZydisRegisterGetWidth(ZYDIS_MACHINE_MODE_LONG_64, (ZydisRegister)r);
	}
}

int decoder_gpr(ZydisRegister reg, unsigned *bits)
{
	if (bits)
		*bits = gpr_bits[reg];
	return gpr_number[reg];
}

ZyanStatus decoder_run(const u8 *bytes, unsigned most, struct decoded *d)
{
	static u8 kept[XSAVE_MAX] __attribute__((aligned(64)));
	ZyanStatus status;

	if (!most)
		return ZYDIS_STATUS_NO_MORE_DATA;
	__asm__ volatile("xsave64 %0" : "=m"(kept) : "a"(~0u), "d"(~0u));
	status = ZydisDecoderDecodeFull(&decoder, bytes, most, &d->z, d->op);
	__asm__ volatile("xrstor64 %0" : : "m"(kept), "a"(~0u), "d"(~0u) : "memory");
	return status;
}

/* ---- kinds ---- */

static bool has_rep(const ZydisDecodedInstruction *z)
{
	return z->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
}

static u8 branch_kind(const struct decoded *d, u8 direct, u8 indirect)
{
	if (d->z.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
		return INSN_REFUSED;
	return d->op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE ? direct : indirect;
}

static u8 conditional_kind(ZydisMnemonic m)
{
	switch (m) {
	case ZYDIS_MNEMONIC_JRCXZ:
	case ZYDIS_MNEMONIC_JECXZ:
	case ZYDIS_MNEMONIC_LOOP:
	case ZYDIS_MNEMONIC_LOOPE:
	case ZYDIS_MNEMONIC_LOOPNE:
		return INSN_JRCX;
	case ZYDIS_MNEMONIC_XBEGIN:
		return has_rtm ? INSN_XBEGIN : INSN_BAD;
	default:
		return INSN_JCC;
	}
}

static u8 return_kind(const struct decoded *d)
{
	switch (d->z.mnemonic) {
	case ZYDIS_MNEMONIC_IRET:
	case ZYDIS_MNEMONIC_IRETD:
		return INSN_REFUSED;
	case ZYDIS_MNEMONIC_IRETQ:
		return INSN_IRET;
	default:
		return branch_kind(d, INSN_RET, INSN_RET);
	}
}

static u8 other_kind(const struct decoded *d)
{
	switch (d->z.mnemonic) {
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_INT3:
	case ZYDIS_MNEMONIC_INT1:
	case ZYDIS_MNEMONIC_HLT:
		return INSN_TRAP;
	case ZYDIS_MNEMONIC_POPF:
	case ZYDIS_MNEMONIC_POPFQ:
	case ZYDIS_MNEMONIC_STD:
		return INSN_MODES;
	case ZYDIS_MNEMONIC_INT: /* 128 is a system call of 32-bit programs */
		return d->op[0].imm.value.u == 0x80 ? INSN_REFUSED : INSN_TRAP;
	case ZYDIS_MNEMONIC_WRFSBASE:
		return INSN_FS_BASE;
	case ZYDIS_MNEMONIC_WRGSBASE:
	case ZYDIS_MNEMONIC_RDGSBASE:
		return INSN_GS_BASE;
	case ZYDIS_MNEMONIC_SYSENTER:
		return INSN_REFUSED;
	default:
		return INSN_COPY;
	}
}

static u8 kind_of(const struct decoded *d)
{
	switch (d->z.meta.category) {
	case ZYDIS_CATEGORY_COND_BR:
		return conditional_kind(d->z.mnemonic);
	case ZYDIS_CATEGORY_UNCOND_BR:
		return branch_kind(d, INSN_JUMP, INSN_JUMP_IND);
	case ZYDIS_CATEGORY_CALL:
		return branch_kind(d, INSN_CALL, INSN_CALL_IND);
	case ZYDIS_CATEGORY_RET:
		return return_kind(d);
	case ZYDIS_CATEGORY_SYSCALL:
		return d->z.mnemonic == ZYDIS_MNEMONIC_SYSCALL ? INSN_SYSCALL : INSN_REFUSED;
	case ZYDIS_CATEGORY_STRINGOP:
	case ZYDIS_CATEGORY_IOSTRINGOP:
		return has_rep(&d->z) ? INSN_STRING : INSN_COPY;
	default:
		return other_kind(d);
	}
}

/* ---- memory ---- */

static bool tells_no_access(const ZydisDecodedInstruction *z)
{
	switch (z->meta.category) {
	case ZYDIS_CATEGORY_PREFETCH:
	case ZYDIS_CATEGORY_NOP:
	case ZYDIS_CATEGORY_WIDENOP:
	case ZYDIS_CATEGORY_MPX: /* Linux has it no longer, so these are nops */
		return true;
	default:
		break;
	}
	return z->mnemonic == ZYDIS_MNEMONIC_PREFETCHW || z->mnemonic == ZYDIS_MNEMONIC_PREFETCHWT1 ||
	       z->mnemonic == ZYDIS_MNEMONIC_CLDEMOTE;
}

static void add_operand(struct insn *i, struct operand o)
{
	if (i->nr_operands < MAX_OPERANDS)
		i->operand[i->nr_operands++] = o;
}

/* The stack's: Zydis gives [rsp] as it is before or after the instruction, so these are made here. */
static void add_stack(struct insn *i, const struct decoded *d)
{
	u16 len = d->z.operand_width == 16 ? 2 : 8;
	struct operand o = {.base = 4, .index = BASE_NONE, .scale = 1, .times = 1, .len = len};

	switch (d->z.mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
	case ZYDIS_MNEMONIC_PUSHFQ:
	case ZYDIS_MNEMONIC_PUSHF:
	case ZYDIS_MNEMONIC_CALL:
		o.disp = -(s64)len;
		o.rw = 2;
		break;
	case ZYDIS_MNEMONIC_POP:
	case ZYDIS_MNEMONIC_POPFQ:
	case ZYDIS_MNEMONIC_POPF:
	case ZYDIS_MNEMONIC_RET:
		o.rw = 1;
		break;
	case ZYDIS_MNEMONIC_LEAVE:
		o.base = 5;
		o.rw = 1;
		break;
	case ZYDIS_MNEMONIC_ENTER:
		if (d->op[1].imm.value.u & 31) {
			i->kind = INSN_REFUSED;
			i->refusal = "enter with a level";
			return;
		}
		o.disp = -(s64)len;
		o.rw = 2;
		add_operand(i, o);
		o.disp -= (s64)d->op[0].imm.value.u; /* the new top, too, must be such that it could be written */
		o.times = 0;
		break;
	default:
		return;
	}
	add_operand(i, o);
}

static unsigned access_bits(ZydisOperandActions actions)
{
	return (actions & ZYDIS_OPERAND_ACTION_MASK_READ ? 1 : 0) | (actions & ZYDIS_OPERAND_ACTION_MASK_WRITE ? 2 : 0);
}

unsigned decoder_base(ZydisRegister reg)
{
	if (reg == ZYDIS_REGISTER_NONE)
		return BASE_NONE;
	return reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP ? BASE_RIP : (unsigned)gpr_number[reg];
}

/* In bytes. A cache line's flush is a load of a byte. */
static u16 memory_len(const struct decoded *d, const ZydisDecodedOperand *o)
{
	switch (d->z.mnemonic) {
	case ZYDIS_MNEMONIC_CLFLUSH:
	case ZYDIS_MNEMONIC_CLFLUSHOPT:
	case ZYDIS_MNEMONIC_CLWB:
		return 1;
	default:
		return o->size >= 8 ? (u16)(o->size / 8) : 8;
	}
}

static u8 segment_of(const ZydisDecodedOperand *o)
{
	return o->mem.segment == ZYDIS_REGISTER_FS   ? SEGMENT_FS
	       : o->mem.segment == ZYDIS_REGISTER_GS ? SEGMENT_GS
						     : SEGMENT_NONE;
}

static void add_memory(struct insn *i, const struct decoded *d, const ZydisDecodedOperand *o)
{
	struct operand out = {
	    .base = (u8)decoder_base(o->mem.base),
	    .scale = o->mem.scale ? o->mem.scale : 1,
	    .segment = segment_of(o),
	    .addr32 = d->z.address_width == 32,
	    .masked = gather_is_masked(d, o),
	    .rw = (u8)access_bits(o->actions),
	    .len = memory_len(d, o),
	    .disp = o->mem.disp.has_displacement ? o->mem.disp.value : 0,
	};

	if (o->mem.base == ZYDIS_REGISTER_EIP) {
		i->kind = INSN_REFUSED;
		i->refusal = "an address relative to EIP";
		return;
	}
	if (gather_is(d, o)) {
		i->kind = INSN_GATHER;
		return;
	}
	out.index = o->mem.index == ZYDIS_REGISTER_NONE ? BASE_NONE : (u8)gpr_number[o->mem.index];
	if (out.base == BASE_RIP)
		out.disp += (s64)(i->pc + i->len);
	if (d->z.mnemonic == ZYDIS_MNEMONIC_POP && out.base == RSP) /* which is what it is behind the pop */
		out.disp += out.len;
	out.times = out.rw == 3 ? 2 : 1;
	if (out.rw & 2)
		out.rw = 2; /* a read-modify-write is a write: x86 takes it as one */
	add_operand(i, out);
}

/* mov, pop, lgs: the thread's (state.h) would be lost. */
static bool sets_gs(const struct decoded *d)
{
	for (unsigned n = 0; n < d->z.operand_count; n++)
		if (d->op[n].type == ZYDIS_OPERAND_TYPE_REGISTER && d->op[n].reg.value == ZYDIS_REGISTER_GS &&
		    d->op[n].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
			return true;
	return false;
}

static bool accesses_by_gs(const struct insn *i)
{
	for (unsigned n = 0; n < i->nr_operands; n++)
		if (i->operand[n].segment == SEGMENT_GS)
			return true;
	return false;
}

/* Memory by a segment with a base that cannot be had by another ModRM. */
static bool in_no_operand(const struct insn *i, const struct decoded *d)
{
	bool by_modrm = d->z.attributes & ZYDIS_ATTRIB_HAS_MODRM && d->z.raw.modrm.mod != 3;

	if (i->kind == INSN_STRING)
		return d->z.attributes & (ZYDIS_ATTRIB_HAS_SEGMENT_FS | ZYDIS_ATTRIB_HAS_SEGMENT_GS);
	if (i->kind == INSN_GATHER)
		return d->z.attributes & ZYDIS_ATTRIB_HAS_SEGMENT_GS;
	return i->by_gs && (i->kind != INSN_COPY || !by_modrm);
}

/* ---- registers and flags ---- */

static void use_register(struct insn *i, const ZydisDecodedOperand *o)
{
	int n = gpr_number[o->reg.value];

	if (n < 0)
		return;
	if (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
		i->writes |= (u16)(1u << n);
	if (o->actions == ZYDIS_OPERAND_ACTION_WRITE && gpr_bits[o->reg.value] >= 32)
		i->kills |= (u16)(1u << n);
	else
		i->reads |= (u16)(1u << n);
}

static void use_memory_registers(struct insn *i, const ZydisDecodedOperand *o)
{
	int base = gpr_number[o->mem.base], index = gpr_number[o->mem.index];

	i->relative |= o->mem.base == ZYDIS_REGISTER_RIP;
	if (base >= 0)
		i->reads |= (u16)(1u << base);
	if (index >= 0)
		i->reads |= (u16)(1u << index);
}

/* Its count, of which 5 bits count (6 of a 64-bit operand), is or may be 0: then the flags stay. */
static bool may_shift_by_0(const struct decoded *d)
{
	u64 mask = d->z.operand_width == 64 ? 63 : 31;

	switch (d->z.mnemonic) {
	case ZYDIS_MNEMONIC_SHL:
	case ZYDIS_MNEMONIC_SHR:
	case ZYDIS_MNEMONIC_SAR:
	case ZYDIS_MNEMONIC_ROL:
	case ZYDIS_MNEMONIC_ROR:
	case ZYDIS_MNEMONIC_RCL:
	case ZYDIS_MNEMONIC_RCR:
	case ZYDIS_MNEMONIC_SHLD:
	case ZYDIS_MNEMONIC_SHRD:
		break;
	default:
		return false;
	}
	for (unsigned n = 1; n < d->z.operand_count; n++) {
		if (d->op[n].type == ZYDIS_OPERAND_TYPE_REGISTER && d->op[n].reg.value == ZYDIS_REGISTER_CL)
			return true;
		if (d->op[n].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && !(d->op[n].imm.value.u & mask))
			return true;
	}
	return false;
}

static bool clears_register(const struct decoded *d)
{
	return (d->z.mnemonic == ZYDIS_MNEMONIC_XOR || d->z.mnemonic == ZYDIS_MNEMONIC_SUB) &&
	       d->op[0].type == ZYDIS_OPERAND_TYPE_REGISTER && d->op[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       d->op[0].reg.value == d->op[1].reg.value && gpr_bits[d->op[0].reg.value] >= 32;
}

static void use_flags(struct insn *i, const struct decoded *d)
{
	const ZydisAccessedFlags *f = d->z.cpu_flags;

	if (!f)
		return;
	i->flag_reads = (u16)(f->tested & FLAG_ARITH);
	i->flag_kills = (u16)((f->modified | f->set_0 | f->set_1) & ~f->undefined & FLAG_ARITH);
	if (d->z.mnemonic == ZYDIS_MNEMONIC_SBB)
		i->flag_kills = FLAG_ARITH;
	if (may_shift_by_0(d) || has_rep(&d->z) || d->z.mnemonic == ZYDIS_MNEMONIC_SYSCALL)
		i->flag_kills = 0;
}

static void use_registers(struct insn *i, const struct decoded *d)
{
	for (unsigned n = 0; n < d->z.operand_count; n++) {
		if (d->op[n].type == ZYDIS_OPERAND_TYPE_REGISTER)
			use_register(i, &d->op[n]);
		else if (d->op[n].type == ZYDIS_OPERAND_TYPE_MEMORY)
			use_memory_registers(i, &d->op[n]);
	}
	if (clears_register(d)) {
		i->reads = 0;
		i->kills |= (u16)(1u << gpr_number[d->op[0].reg.value]);
	}
	if (d->z.mnemonic == ZYDIS_MNEMONIC_BSF || d->z.mnemonic == ZYDIS_MNEMONIC_BSR)
		i->reads |= i->kills;
	if (d->z.mnemonic == ZYDIS_MNEMONIC_PAUSE && d->z.raw.rex.B) {
		i->reads |= 1u << 0 | 1u << 8;
		i->writes |= 1u << 0 | 1u << 8;
	}
	if (i->kind == INSN_SYSCALL || i->kind == INSN_TRAP)
		i->reads = 0xffff;
	i->reads |= 1u << 4;
	i->kills &= (u16)~i->reads;
}

/* ---- for the translator ---- */

static unsigned string_rw(ZydisMnemonic m)
{
	switch (m) {
	case ZYDIS_MNEMONIC_MOVSB:
	case ZYDIS_MNEMONIC_MOVSW:
	case ZYDIS_MNEMONIC_MOVSD:
	case ZYDIS_MNEMONIC_MOVSQ:
		return SITE_SOURCE | SITE_WRITE;
	case ZYDIS_MNEMONIC_CMPSB:
	case ZYDIS_MNEMONIC_CMPSW:
	case ZYDIS_MNEMONIC_CMPSD:
	case ZYDIS_MNEMONIC_CMPSQ:
		return SITE_SOURCE | SITE_READ;
	case ZYDIS_MNEMONIC_SCASB:
	case ZYDIS_MNEMONIC_SCASW:
	case ZYDIS_MNEMONIC_SCASD:
	case ZYDIS_MNEMONIC_SCASQ:
		return SITE_READ;
	case ZYDIS_MNEMONIC_LODSB:
	case ZYDIS_MNEMONIC_LODSW:
	case ZYDIS_MNEMONIC_LODSD:
	case ZYDIS_MNEMONIC_LODSQ:
		return SITE_SOURCE;
	default:
		return SITE_WRITE; /* stos */
	}
}

/* Where a register is only added to: block.c's groups follow it. */
static void find_step(struct insn *i, const struct decoded *d)
{
	unsigned bits = 0;
	int to = d->op[0].type == ZYDIS_OPERAND_TYPE_REGISTER ? decoder_gpr(d->op[0].reg.value, &bits) : -1;
	s32 word = d->z.operand_width == 16 ? 2 : 8;

	switch (d->z.mnemonic) {
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_SUB:
		if (to < 0 || bits != 64 || d->op[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
			return;
		i->steps = (u8)to;
		i->step = (s32)d->op[1].imm.value.s * (d->z.mnemonic == ZYDIS_MNEMONIC_ADD ? 1 : -1);
		return;
	case ZYDIS_MNEMONIC_PUSH:
		i->steps = RSP;
		i->step = -word;
		return;
	case ZYDIS_MNEMONIC_POP:
		if (to == RSP)
			return;
		i->steps = RSP;
		i->step = word;
		return;
	default:
		return;
	}
}

/* The bit that would make the base register one of r8..r15. */
static void find_base_bit(struct insn *i, const ZydisDecodedInstruction *z)
{
	if (z->attributes & ZYDIS_ATTRIB_HAS_REX) {
		i->base_at = z->raw.rex.offset;
		i->base_clear = 1;
		return;
	}
	if (z->attributes & ZYDIS_ATTRIB_HAS_EVEX)
		i->base_at = z->raw.evex.offset + 1;
	else if (z->attributes & ZYDIS_ATTRIB_HAS_VEX && z->raw.vex.size == 3)
		i->base_at = z->raw.vex.offset + 1;
	else if (z->attributes & ZYDIS_ATTRIB_HAS_XOP)
		i->base_at = z->raw.xop.offset + 1;
	else
		return;
	i->base_set = 0x20;
}

/* Where the immediate is, or would be. */
static u8 tail_at(const ZydisDecodedInstruction *z)
{
	bool sib = z->raw.modrm.mod != 3 && z->raw.modrm.rm == 4;

	return (u8)(z->raw.modrm.offset + 1 + sib + z->raw.disp.size / 8);
}

static void find_details(struct insn *i, const struct decoded *d)
{
	const ZydisDecodedOperand *first = &d->op[0];

	if (i->kind == INSN_JUMP_IND || i->kind == INSN_CALL_IND)
		i->target_in =
		    first->type == ZYDIS_OPERAND_TYPE_REGISTER ? (u8)decoder_gpr(first->reg.value, NULL) : BASE_NONE;
	if (i->kind == INSN_JCC)
		i->condition = d->z.opcode & 15;
	if (i->kind == INSN_RET && first->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		i->pops = (u16)first->imm.value.u;
	if (i->kind == INSN_STRING) {
		i->string = (u8)(string_rw(d->z.mnemonic) | (d->z.address_width == 32 ? SITE_ADDR32 : 0));
		i->element = (u8)(d->z.operand_width / 8);
	}
	if (i->kind == INSN_FS_BASE || i->kind == INSN_GS_BASE) {
		i->base_in = (u8)decoder_gpr(first->reg.value, NULL);
		i->element = (u8)(first->size / 8);
	}
	if (i->relative || i->by_gs) {
		i->modrm_at = d->z.raw.modrm.offset;
		i->disp_at = d->z.raw.disp.offset;
		find_base_bit(i, &d->z);
	}
	if (i->by_gs)
		i->tail_at = tail_at(&d->z);
	find_step(i, d);
}

/* ---- */

void decode_by_zydis(u64 pc, const u8 *bytes, unsigned most, struct insn *i)
{
	static struct decoded decoded;
	struct decoded *d = &decoded;
	bool stack = false;
	ZyanStatus status = decoder_run(bytes, most, d);

	*i = (struct insn){.pc = pc, .bytes = bytes, .steps = BASE_NONE};
	i->kind = status == ZYDIS_STATUS_NO_MORE_DATA ? INSN_CUT : INSN_BAD;
	if (!ZYAN_SUCCESS(status))
		return;
	i->len = d->z.length;
	i->kind = kind_of(d);
	if (i->kind == INSN_JCC || i->kind == INSN_JRCX || i->kind == INSN_JUMP || i->kind == INSN_CALL ||
	    i->kind == INSN_XBEGIN)
		i->target = pc + i->len + (u64)d->op[0].imm.value.s;
	for (unsigned n = 0; n < d->z.operand_count && i->kind != INSN_STRING && !tells_no_access(&d->z); n++) {
		if (d->op[n].type != ZYDIS_OPERAND_TYPE_MEMORY || d->op[n].mem.type == ZYDIS_MEMOP_TYPE_AGEN)
			continue;
		if (d->op[n].visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
		    (d->op[n].mem.base == ZYDIS_REGISTER_RSP || d->op[n].mem.base == ZYDIS_REGISTER_RBP))
			stack = true;
		else
			add_memory(i, d, &d->op[n]);
	}
	if (stack)
		add_stack(i, d);
	i->by_gs = accesses_by_gs(i);
	use_flags(i, d);
	use_registers(i, d);
	find_details(i, d);
	if (in_no_operand(i, d)) {
		i->kind = INSN_REFUSED;
		i->refusal = "a string, a gather, a jump or an absolute address by gs, or a string by fs";
	}
	if (sets_gs(d)) {
		i->kind = INSN_REFUSED;
		i->refusal = "an instruction that sets gs";
	}
	if (i->kind == INSN_IRET)
		i->refusal = "iretq to other segments, or without its frame,";
	if (i->kind == INSN_REFUSED && !i->refusal)
		i->refusal = "an instruction that only the system uses, or a far jump";
}

void decode(u64 pc, const u8 *bytes, unsigned most, struct insn *i)
{
	if (!decode_by_table(pc, bytes, most, i))
		decode_by_zydis(pc, bytes, most, i);
	i->flag_kills = (u16)flags_killed(i->flag_kills);
}
