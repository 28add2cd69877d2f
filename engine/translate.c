/* SPDX-License-Identifier: MIT
 *
 * engine/translate.c - a block of the program, copied with what tells of it woven in.
 *
 *   the program            generated code                                              seldom reached (cold)
 *
 *                          outer: the page of this block is the last one? Then inner
 *                          changed: is it in the window?                   --no-->      the runtime: access_slow()
 *                          inner:
 *   cmp $9, %rcx           cmp $9, %rcx
 *   ja  elsewhere          ja                                              --yes-->      icount += 2; jmp elsewhere's
 *                          icount += 4                                                   code, as below
 *   mov 8(%rbx), %rax      address 8(%rbx): is its page in the window?     --no-->      the runtime: access_slow()
 *                          mov 8(%rbx), %rax
 *   jmp there              jmp  there's inner or changed                   --not yet--> why = link; dispatch
 *
 * A check borrows registers, of those that the program does not want soon, and keeps their values in shadow[]: they are
 * lent until an instruction reads them, or the block ends. Flags it keeps, in rax, only where they are live. Which are
 * live at a block's end is known from a look at where it leads; all are where that is not known.
 *
 * Exceptions to E1 (state.h):
 *   - an operand at an address relative to RIP that is out of reach: one register that the instruction does not use, or
 *     that it loads, holds the address meanwhile; the program's value is in scratch[0]
 *   - the load of an indirect jump's, call's or return's target: rcx receives it; the program's value is in scratch[0]
 */
#include "engine/translate.h"

#include "engine/block.h"
#include "engine/exits.h"
#include "engine/gather.h"
#include "engine/groups.h"

static struct block *current;

/* ---- registers to borrow ---- */

/* Lent: it holds something else, its value is in shadow[]. Kept: the value is there, too. */
static u32 lent, kept;

/* Of the mask; the low ones need the shortest code. */
static unsigned shortest(u32 mask)
{
	static const u8 order[] = {RCX, RDX, RSI, RDI, RAX, RBX, R8, R9, R10, R11, RBP, R13, R14, R15};
	unsigned n = 0;

	while (n < sizeof(order) - 1 && !(mask >> order[n] & 1))
		n++;
	return order[n];
}

/* One that is lent already, or else one whose value nobody wants from i on, or not for longest; none of the mask, never
 * rsp. All are looked at together: this is asked twice for each access of a program. */
static unsigned borrow(u32 not_these, const struct insn *i)
{
	u32 may = 0xffff & ~(not_these | 1u << RSP | 1u << R12), wanted = may & lent ? may & lent : may;

	for (; i < insns + nr_insns; i++) {
		u32 later = wanted & ~i->reads, never = later & i->kills;

		if (never)
			return shortest(never);
		if (!later)
			break;
		wanted = later;
	}
	return shortest(wanted);
}

static void lend(unsigned r)
{
	if (!((lent | kept) >> r & 1))
		emit_save(&hot, r, OFF(shadow) + 8 * (s32)r);
	lent |= 1u << r;
	kept &= ~(1u << r);
}

static void emit_loads(u8 **at, u32 registers)
{
	for (; registers; registers &= registers - 1) {
		unsigned r = (unsigned)__builtin_ctz(registers);

		emit_load(at, r, OFF(shadow) + 8 * (s32)r);
	}
}

/* Those of the mask hold the program's values again. */
static void give_back(u32 mask)
{
	emit_loads(&hot, lent & mask);
	kept |= lent & mask;
	lent &= ~mask;
}

static u32 operand_registers(const struct operand *o)
{
	return (o->base < 16 ? 1u << o->base : 0) | (o->index < 16 ? 1u << o->index : 0);
}

/* ---- counts ---- */

/* Of these instructions of the block. */
static s32 accesses_of(const struct insn *i, const struct insn *end)
{
	s32 n = 0;

	for (; i < end; i++)
		for (unsigned k = 0; k < i->nr_operands; k++)
			n += i->operand[k].times;
	return n;
}

/* All of a block is counted at once, at count_at: behind the last exit, where no flags are live. An exit counts what is
 * before it. So no way through a block counts twice: from one count to the next a value goes by way of memory, and
 * programs of short blocks took as long as these did. */
static const struct insn *count_at;
static bool counted;

static void find_count_at(void)
{
	const struct insn *end = insns + nr_insns, *i = end - 1;

	while (i > insns && !insn_is_exit(i - 1))
		i--;
	for (count_at = i; i < end && i->flag_live; i++)
		;
	if (i < end)
		count_at = i;
}

/* Flags are kept on demand, by way of r. */
static void emit_counts(u8 **at, const struct insn *end, unsigned r, bool keeps_flags)
{
	emit_add(at, OFF(icount), (s32)(end - insns), r, keeps_flags);
	emit_add(at, OFF(accesses), accesses_of(insns, end), r, keeps_flags);
}

/* Before instruction i. */
static void count_here(const struct insn *i)
{
	unsigned r = borrow(0, i);

	if (i->flag_live)
		lend(r);
	emit_counts(&hot, insns + nr_insns, r, i->flag_live != 0);
	counted = true;
}

/* When the instruction is executed, beside icount as it is then. */
static s32 stamp_of(const struct insn *i)
{
	return (s32)(i - insns) - (counted ? (s32)nr_insns : 0);
}

/* ---- instructions as they are ---- */

/* What follows, at hot, executes the instruction; far: see struct copied. */
static void note_copied(const struct insn *i, int far)
{
	copied_add((struct copied){(u16)(hot - current->outer), (u16)(i->pc - current->pc), (u16)lent, (signed char)far,
				   (u8)(counted ? 0 : i - insns)});
	current->nr_insns++;
}

/* mov r, [...], and lea with 64 bits: what libraries begin most functions with. Nothing but the opcode, and REX. */
static bool loads_whole(const struct insn *i, u8 opcode)
{
	return i->bytes[i->modrm_at - 1] == opcode &&
	       (i->modrm_at == 1 || (i->modrm_at == 2 && (i->bytes[0] & 0xf8) == 0x48));
}

/* Its operand is relative to RIP and out of reach: [r + 0] instead, r the address. What a load overwrites may hold it. */
static void copy_far(const struct insn *i, u64 address)
{
	unsigned to = i->bytes[i->modrm_at] >> 3 & 7;
	bool own = loads_whole(i, 0x8b) && i->kills == 1u << to;
	unsigned r = own ? to : borrow(i->reads | i->kills | 0xff00, i);
	u8 *copy;

	if (loads_whole(i, 0x8d) && i->modrm_at == 2) {
		note_copied(i, -1);
		emit_constant(&hot, to | (i->bytes[0] & 4) << 1, address);
		return;
	}
	emit_save(&hot, r, OFF(scratch[0]));
	emit_constant(&hot, r, address);
	note_copied(i, lent >> r & 1 ? -1 : (int)r);
	copy = hot;
	put(&hot, (const char *)i->bytes, i->len);
	set_base(copy, i, r);
	memset(copy + i->disp_at, 0, 4);
	if (!own)
		emit_load(&hot, r, OFF(scratch[0]));
}

/* The engine's gs is the thread: [r + 0] instead, r the address by the program's. Not rbp, whose segment is the stack's,
 * if there is another. */
static void copy_by_gs(const struct insn *i)
{
	u32 used = i->reads | i->kills | 0xff00u | 1u << RSP;
	unsigned r = borrow((used | 1u << RBP) == 0xffff ? used : used | 1u << RBP, i);
	unsigned other = borrow(i->reads | i->kills | 1u << r, i);
	const struct operand *o = i->operand;
	u8 *copy;

	while (o->segment != SEGMENT_GS)
		o++;
	lend(r);
	lend(other);
	emit_address(&hot, r, other, o);
	note_copied(i, -1);
	copy = hot;
	put(&hot, (const char *)i->bytes, i->modrm_at + 1u);
	put4(&hot, 0);
	put(&hot, (const char *)i->bytes + i->tail_at, i->len - i->tail_at);
	clear_prefixes(copy);
	set_base(copy, i, r);
}

static void copy_insn(const struct insn *i)
{
	u64 address;
	s32 d;

	if (i->by_gs) {
		copy_by_gs(i);
		return;
	}
	if (!i->relative) {
		note_copied(i, -1);
		put(&hot, (const char *)i->bytes, i->len);
		return;
	}
	memcpy(&d, i->bytes + i->disp_at, 4);
	address = i->pc + i->len + (u64)(s64)d;
	d = (s32)(address - (u64)(hot + i->len));
	if ((u64)(hot + i->len) + (u64)(s64)d != address) {
		copy_far(i, address);
		return;
	}
	note_copied(i, -1);
	put(&hot, (const char *)i->bytes, i->len);
	memcpy(hot - i->len + i->disp_at, &d, 4);
}

/* Sites of the accesses of a group, one behind the other; the last has MORE clear. Returns the first's. */
static unsigned add_sites(const struct group *g, u8 *back, s32 stamp)
{
	unsigned first = 0;

	for (unsigned n = 0; n < g->nr; n++) {
		unsigned site = site_add((struct site){back, stamp, g->access[n].len,
						       (u8)(g->access[n].rw | (n + 1 < g->nr ? SITE_MORE : 0)),
						       (u32)(g->access[n].lo - g->lo)});

		first = n ? first : site;
	}
	return first;
}

/* Cold: the flags come from rax, registers from shadow[]; then the runtime has the program's state at pc, and this
 * block's number. */
static void emit_leave_all(u32 borrowed, u64 pc, s32 why)
{
	PUT(&cold, "\x04\x7f\x9e"); /* add al, 127; sahf */
	emit_loads(&cold, borrowed);
	emit_set64(&cold, OFF(pc), pc);
	emit_set(&cold, OFF(site), (s32)block_number(current));
	emit_set(&cold, OFF(why), why);
	emit_jump_gs(&cold, OFF(enter[ENTER_DISPATCH]));
}

/* ---- checks ---- */

/* Code that may change (below) is written to: does the access of len bytes at r, for which tag and rax (flags) have been
 * borrowed as well, hit this block? Then it is left before the instruction, with all as it would be there; that is then
 * executed alone, and what is behind it is looked at again. */
static void emit_hit(const struct insn *i, unsigned r, unsigned tag, u16 len, s32 stamp)
{
	emit_constant(&hot, tag, len - 1u - code.pc);
	put1(&hot, 0x48 | (r >> 3) << 2 | tag >> 3); /* add tag, r */
	put1(&hot, 0x01);
	put1(&hot, 0xc0 | (r & 7) << 3 | (tag & 7));
	put1(&hot, 0x48 | tag >> 3); /* cmp tag, its bytes and len - 1 */
	put1(&hot, 0x81);
	put1(&hot, 0xf8 | (tag & 7));
	put4(&hot, code.len + len - 1u);
	PUT(&hot, "\x0f\x82"); /* jb */
	put4(&hot, 0);
	emit_patch(hot - 4, cold);
	emit_add(&cold, OFF(icount), stamp, RCX, false);
	emit_add(&cold, OFF(accesses), -accesses_of(i, insns + nr_insns), RCX, false);
	emit_leave_all(lent, i->pc, WHY_HIT);
}

/* To the runtime, which works out what the instruction touches and goes on at back; from hot or cold code. */
static void emit_gather(u8 **at, const struct insn *i, s32 stamp, const u8 *back)
{
	struct gather g = gather_make(i, stamp);
	u8 *begin = *at;
	u64 place = 0;

	for (unsigned again = 0; again < 2; again++) { /* its place is known when the code's end is */
		*at = begin;
		emit_set64(at, OFF(site), place);
		emit_jump_gs(at, OFF(enter[ENTER_GATHER]));
		place = ALIGN_UP((u64)cold, 8ull);
	}
	g.back = back ? back : hot;
	memcpy((void *)place, &g, sizeof(g));
	cold = (u8 *)place + sizeof(g);
}

/* The masked operand's mask, if it is one of k0..k7, goes to scratch[1], by way of r. */
static void emit_mask(unsigned r, const struct insn *i)
{
	struct gather g = gather_make(i, 0);

	if (g.mask >= GATHER_IN_VECTOR)
		return;
	put1(&cold, 0xc4);
	put1(&cold, 0x61 | (r < 8 ? 0x80 : 0));
	put1(&cold, g.mask_bits <= 16 ? 0x78 : 0xfb); /* kmovw, kmovq r, k */
	put1(&cold, 0x93);
	put1(&cold, 0xc0 | (r & 7) << 3 | g.mask);
	emit_save(&cold, r, OFF(scratch[1]));
}

/* Jumps to cold code, where page `page` is not in its place in the window. Flags are changed. */
static void emit_window_page(s32 tag, unsigned write, u64 page)
{
	PUT(&hot, "\x65\x81\x3c\x25"); /* cmp gs:[tag's page], 32 bits: 16..47; the place says the rest */
	put4(&hot, tag + (s32)offsetof(struct window_tag, page) + 8 * (s32)write + 2);
	put4(&hot, (s32)(page >> 16));
	PUT(&hot, "\x0f\x85"); /* jne */
	put4(&hot, 0);
	emit_patch(hot - 4, cold);
}

/* The check of accesses at an address that is known, in one page, where no flags are live. */
static void emit_fixed_check(const struct insn *i, const struct group *g, u64 address, s32 stamp)
{
	s32 tag = tag_of(OFF(data.tag[0]), address);
	unsigned r = borrow(0, i);

	lend(r);
	emit_window_page(tag, g->rw == SITE_WRITE, address);
	emit_use(&hot, tag, r, stamp);
	emit_constant(&cold, r, address);
	emit_save(&cold, r, OFF(address));
	emit_set(&cold, OFF(site), (s32)add_sites(g, hot, stamp));
	emit_jump_gs(&cold, OFF(enter[ENTER_ACCESS]));
}

/* A check of what g's accesses have in common: bytes [lo, hi) from the address of its first. */
static void emit_check(const struct insn *i, const struct group *g, s32 stamp)
{
	struct operand o = i->operand[g->operand];
	u32 used = operand_registers(&o);
	bool hits_code = nr_insns > 1 && g->rw == SITE_WRITE && may_hit_code(&o),
	     keeps_flags = i->flag_live || hits_code;
	unsigned r = borrow(used | (keeps_flags ? 1u << RAX : 0), i);
	unsigned tag = borrow(used | (keeps_flags ? 1u << RAX : 0) | 1u << r, i);
	s32 page = (s32)(OFF(data.tag[0].page[0]) + (g->rw == SITE_WRITE ? 8 : 0));
	u16 len = (u16)(g->hi - g->lo);
	u8 *field, *back;

	o.disp += g->lo;
	if (o.base == BASE_RIP && !o.segment && !keeps_flags && (u64)o.disp % 4096 + len <= 4096 && !g->masked) {
		emit_fixed_check(i, g, (u64)o.disp, stamp);
		return;
	}
	give_back(used);
	lend(r);
	lend(tag);
	emit_address(&hot, r, tag, &o);
	if (keeps_flags) {
		lend(RAX);
		PUT(&hot, "\x9f\x0f\x90\xc0"); /* lahf; seto al */
	}
	if (hits_code)
		emit_hit(i, r, tag, len, stamp);
	emit_tag(&hot, tag, r);
	emit_gs_base(&hot, 0x2b, r, tag, page);
	put1(&hot, 0x48 | r >> 3); /* cmp r, 4096 - len */
	put1(&hot, 0x81);
	put1(&hot, 0xf8 | (r & 7));
	put4(&hot, 4096 - min(len, (u16)4096));
	PUT(&hot, "\x0f\x87"); /* ja */
	field = hot;
	put4(&hot, 0);
	emit_load(&hot, r, OFF(icount));
	emit_lea(&hot, r, r, stamp);
	emit_gs_base(&hot, 0x89, r, tag, OFF(data.tag[0].used));
	back = hot;
	if (i->flag_live)
		PUT(&hot, "\x04\x7f\x9e"); /* add al, 127; sahf */
	emit_patch(field, cold);
	emit_gs_base(&cold, 0x03, r, tag, page);
	emit_save(&cold, r, OFF(address));
	if (g->masked) {
		emit_mask(r, i);
		emit_gather(&cold, i, stamp, back);
		return;
	}
	emit_set(&cold, OFF(site), (s32)add_sites(g, back, stamp));
	emit_jump_gs(&cold, OFF(enter[ENTER_ACCESS]));
}

/* Instructions come from page `number` from here on, which was not the last one. Returns where the code begins. At its
 * end, and where the runtime goes on, `borrowed` rcx is in scratch[0]. */
static u8 *emit_change(u32 number, s32 stamp, bool borrowed)
{
	u64 page = page_of_number(number);
	s32 tag = tag_of(OFF(fetch.tag[0]), page);
	u8 *begin = hot;

	if (borrowed) {
		emit_save(&hot, RCX, OFF(scratch[0]));
		emit_load32(&hot, RCX, tag + (s32)offsetof(struct window_tag, page) + 2);
		emit_lea(&hot, RCX, RCX, -(s32)(page >> 16));
		PUT(&hot, "\xe3\x05\xe9"); /* jrcxz over; jmp cold */
		put4(&hot, 0);
		emit_patch(hot - 4, cold);
	} else {
		emit_window_page(tag, false, page);
		emit_save(&hot, RCX, OFF(scratch[0]));
	}
	emit_use(&hot, tag, RCX, stamp);
	if (!borrowed)
		emit_load(&hot, RCX, OFF(scratch[0]));
	emit_add(&hot, OFF(fetch_changes), 1, RCX, borrowed);
	emit_set(&hot, OFF(fetch_page), (s32)number);
	emit_set(&cold, OFF(site), (s32)site_add((struct site){hot, stamp, 0, SITE_FETCH, number}));
	emit_jump_gs(&cold, borrowed ? OFF(enter[ENTER_FLAGS]) : OFF(enter[ENTER_ACCESS]));
	return begin;
}

/* Instructions come from page `number` from here on. Returns where who comes from another page may begin. What a change
 * takes is some 100 bytes, so the jump over it is a short one. */
static u8 *emit_fetch(u32 number, s32 stamp, bool keeps_flags)
{
	u8 *over, *change;

	if (keeps_flags) {
		emit_save(&hot, RCX, OFF(scratch[0]));
		emit_load(&hot, RCX, OFF(fetch_page));
		emit_lea(&hot, RCX, RCX, -(s32)number);
		PUT(&hot, "\xe3\x00\x65\x48\x8b\x0c\x25"); /* jrcxz over; mov rcx, gs:[scratch[0]] */
		over = hot - 6;
		put4(&hot, OFF(scratch[0]));
	} else {
		PUT(&hot, "\x65\x48\x81\x3c\x25"); /* cmp gs:[fetch_page], number; je over */
		put4(&hot, OFF(fetch_page));
		put4(&hot, (s32)number);
		PUT(&hot, "\x74\x00");
		over = hot - 1;
	}
	change = emit_change(number, stamp, keeps_flags);
	*over = (u8)(hot - (over + 1));
	if (keeps_flags)
		emit_load(&hot, RCX, OFF(scratch[0]));
	return change;
}

/* ---- the bases of fs and gs ---- */

static void emit_base(const struct insn *i)
{
	if (i->kind == INSN_FS_BASE) { /* it may fault */
		copy_insn(i);
		emit_keep_base(&hot, i, OFF(fs_base));
	} else if (i->writes) {
		emit_gs_sized(&hot, 0x8b, i->base_in, OFF(gs_base), i->element == 8);
	} else {
		emit_keep_base(&hot, i, OFF(gs_base));
	}
}

/* ---- strings ---- */

/* With rep: how many elements it takes is known behind it. The runtime finds its begin in scratch[]. */
static void emit_string(const struct insn *i, s32 stamp)
{
	unsigned site;

	emit_save(&hot, RSI, OFF(scratch[0]));
	emit_save(&hot, RDI, OFF(scratch[1]));
	emit_save(&hot, RCX, OFF(scratch[2]));
	note_copied(i, -1);
	put(&hot, (const char *)i->bytes, i->len);
	site = site_add((struct site){NULL, stamp, i->element, i->string, 0});
	emit_set(&hot, OFF(site), (s32)site);
	emit_jump_gs(&hot, OFF(enter[ENTER_STRING]));
	site_get(site)->back = hot;
}

/* ---- ends of blocks ---- */

/* The program's return address goes to its stack. */
static void emit_push_return(const struct insn *i, int far)
{
	u64 next = i->pc + i->len;

	note_copied(i, far);
	if (next < 1ull << 31) {
		put1(&hot, 0x68);
		put4(&hot, (s32)next);
		return;
	}
	cold = (u8 *)ALIGN_UP((u64)cold, 8ull); /* the program may have AC set */
	PUT(&hot, "\xff\x35");                  /* push [rip + cold] */
	put4(&hot, 0);
	emit_patch(hot - 4, cold);
	put8(&cold, next);
}

/* The target of an indirect jump or call goes to rcx. */
static void emit_target(const struct insn *i)
{
	const struct operand *o = &i->operand[0];

	emit_save(&hot, RCX, OFF(scratch[0]));
	note_copied(i, RCX);
	if (i->target_in != BASE_NONE) {
		unsigned r = i->target_in;

		put1(&hot, 0x48 | (r >> 3) << 2); /* mov rcx, r */
		put1(&hot, 0x89);
		put1(&hot, 0xc1 | (r & 7) << 3);
		return;
	}
	if (o->base == BASE_RIP) {
		emit_constant(&hot, RCX, (u64)o->disp);
		PUT(&hot, "\x48\x8b\x09"); /* mov rcx, [rcx] */
		return;
	}
	if (o->segment == SEGMENT_FS)
		put1(&hot, 0x64);
	emit_operand(&hot, 0x8b, RCX, o, true);
}

static void emit_jcc(const struct insn *i, u64 next)
{
	align_link(&hot, 2);
	put1(&hot, 0x0f);
	put1(&hot, 0x80 | i->condition);
	emit_link(&hot, next - 1, i->target);
	emit_link_jump(&hot, next - 1, next);
}

/* A conditional jump in the middle: what is lent goes back on the way. */
static void emit_exit(const struct insn *i)
{
	u64 next = i->pc + i->len;
	u32 back = lent;

	put1(&hot, 0x0f);
	put1(&hot, 0x80 | i->condition);
	put4(&hot, 0);
	emit_patch(hot - 4, cold);
	if (i->flag_taken && !lent) {
		emit_save(&cold, RCX, OFF(shadow) + 8 * RCX);
		back = 1u << RCX;
	}
	emit_counts(&cold, i + 1, shortest(back), i->flag_taken != 0);
	emit_loads(&cold, back);
	emit_link_jump(&cold, next - 1, i->target);
}

/* jrcxz, loop: their distance is one byte, so they jump over a jump. */
static void emit_jrcx(const struct insn *i, u64 next)
{
	u8 *distance;

	put(&hot, (const char *)i->bytes, i->len);
	distance = hot - 1;
	emit_link_jump(&hot, next - 1, next);
	*distance = (u8)(hot - (distance + 1));
	emit_link_jump(&hot, next - 1, i->target);
}

static void emit_end(const struct insn *i)
{
	u64 next = i->pc + i->len;

	switch (i->kind) {
	case INSN_JCC:
		emit_jcc(i, next);
		return;
	case INSN_JRCX:
		emit_jrcx(i, next);
		return;
	case INSN_CALL:
		emit_push_return(i, -1);
		/* fallthrough */
	case INSN_JUMP:
		emit_link_jump(&hot, next - 1, i->target);
		return;
	case INSN_CALL_IND:
		emit_target(i);
		emit_push_return(i, RCX);
		emit_indirect(0);
		return;
	case INSN_JUMP_IND:
		emit_target(i);
		emit_indirect(0);
		return;
	case INSN_RET:
		emit_save(&hot, RCX, OFF(scratch[0]));
		note_copied(i, RCX);
		PUT(&hot, "\x48\x8b\x0c\x24"); /* mov rcx, [rsp] */
		emit_indirect(8 + i->pops);
		return;
	case INSN_SYSCALL:
		emit_leave(next, WHY_SYSCALL);
		return;
	case INSN_XBEGIN: /* a transaction would not see the checks' memory; the CPU may always abort one */
		PUT(&hot, "\xb8\0\0\0"); /* mov eax, 0 */
		put1(&hot, 0);
		emit_link_jump(&hot, next - 1, i->target);
		return;
	case INSN_MODES:
		copy_insn(i);
		emit_set8(&hot, OFF(modes), 1);
		emit_link_jump(&hot, next - 1, next);
		return;
	case INSN_TRAP:
		note_copied(i, -1);
		put(&hot, (const char *)i->bytes, i->len);
		return;
	case INSN_IRET:
		emit_leave(i->pc, WHY_IRET);
		return;
	case INSN_REFUSED:
		emit_leave(i->pc, WHY_REFUSED);
		return;
	default:
		emit_link_jump(&hot, next - 1, next);
	}
}

/* ---- code that may change ---- */

/* Where a block's code may change without a call (engine/areas.c), its bytes are compared with what was translated each
 * time it is entered; if they are others the block is forgotten and translated anew.
 *
 *   inner: lahf; seto %al; mov %rax, scratch[1]                          cold: the bytes that were translated;
 *          mov its bytes, %rax; cmp %rax, those in cold; jne cold              all as it was before;
 *          ... eight at a time ...                                             why = WHY_STALE, site = block;
 *          icount += ...; rax and the flags are given back                     jmp dispatch
 *
 * What was live at the old code tells nothing about the new: so all is put back there. */

static void emit_compare_parts(const u8 *copy, const u8 *mismatch)
{
	for (unsigned at = 0, len = 8; at < code.len; at += len) {
		while (len > code.len - at)
			len /= 2;
		emit_load_absolute(&hot, code.pc + at, len);
		emit_sized(&hot, 0x3b, len); /* cmp rax, [rip + copy] */
		put1(&hot, 0x05);
		put4(&hot, 0);
		emit_patch(hot - 4, copy + at);
		PUT(&hot, "\x0f\x85"); /* jne */
		put4(&hot, 0);
		emit_patch(hot - 4, mismatch);
	}
}

static void emit_compare(void)
{
	bool crosses = (code.pc ^ (code.pc + code.len - 1)) & ~0xfffull;
	u8 *copy = (u8 *)ALIGN_UP((u64)cold, 8ull);

	cold = copy;
	put(&cold, (const char *)code.byte, code.len);
	lend(RAX);
	note_copied(&insns[0], FAR_COMPARES);
	if (crosses) /* its last page may not be there: a fault while the flags are whole */
		emit_load_absolute(&hot, code.pc + code.len - 1, 1);
	PUT(&hot, "\x9f\x0f\x90\xc0"); /* lahf; seto al */
	emit_save(&hot, RAX, OFF(scratch[1]));
	emit_compare_parts(copy, cold);
	emit_counts(&hot, insns + nr_insns, RAX, false);
	counted = true;
	if (insns[0].flag_live) {
		emit_load(&hot, RAX, OFF(scratch[1]));
		PUT(&hot, "\x04\x7f\x9e"); /* add al, 127; sahf */
	}
	emit_load(&cold, RAX, OFF(scratch[1]));
	emit_leave_all(lent, code.pc, WHY_STALE);
}

/* ---- a block ---- */

/* An instruction that reaches into the next page is fetched from there, too; then this page is the last one again. */
static void emit_crossing(const struct insn *i, s32 stamp)
{
	u64 last = i->pc + i->len - 1;

	if (i->len && (last ^ i->pc) & ~0xfffull)
		emit_fetch(page_number(last), stamp, i->flag_live);
}

static unsigned next_group;

static void emit_insn(const struct insn *i)
{
	s32 stamp;

	if (i == count_at && !counted)
		count_here(i);
	stamp = stamp_of(i);
	emit_crossing(i, stamp);
	if (insn_is_exit(i)) {
		emit_exit(i);
		return;
	}
	if (i->kind == INSN_REFUSED) {
		give_back(~0u);
		emit_end(i);
		return;
	}
	for (; next_group < nr_groups && &insns[groups[next_group].insn] == i; next_group++)
		emit_check(i, &groups[next_group], stamp);
	give_back(insn_ends_block(i) ? ~0u : i->reads);
	if (i->kind == INSN_GATHER)
		emit_gather(&hot, i, stamp, NULL);
	if (i->kind == INSN_STRING)
		emit_string(i, stamp);
	else if (i->kind == INSN_FS_BASE || i->kind == INSN_GS_BASE)
		emit_base(i);
	else if (!insn_ends_block(i))
		copy_insn(i);
	else
		emit_end(i);
	lent &= ~(u32)i->kills;
	kept &= ~(u32)i->writes;
}

struct block *translate(u64 pc, u64 sp, unsigned most, u64 *missing)
{
	struct block *b;
	u64 next;

	if (!block_read(pc, sp, most, missing))
		return NULL;
	find_groups();
	hot = (u8 *)ALIGN_UP((u64)cache.hot, 16ull);
	cold = cache.cold;
	b = current = block_add(pc);
	b->first_insn = copied_next();
	lent = kept = next_group = 0;
	page_needs(page_number(pc), page_number(pc + code.len - 1));
	b->outer = hot;
	b->changed = emit_fetch(page_number(pc), 0, insns[0].flag_live || code.changes); /* new code may want them */
	b->inner = hot;
	find_count_at();
	counted = false;
	if (code.changes)
		emit_compare();
	for (unsigned n = 0; n < nr_insns; n++)
		emit_insn(&insns[n]);
	next = insns[nr_insns - 1].pc + insns[nr_insns - 1].len;
	if (!insn_ends_block(&insns[nr_insns - 1])) {
		give_back(~0u);
		emit_link_jump(&hot, next - 1, next);
	}
	b->end = hot;
	cache.hot = hot;
	cache.cold = cold;
	return b;
}
