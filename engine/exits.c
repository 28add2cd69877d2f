/* SPDX-License-Identifier: MIT
 *
 * engine/exits.c - the ways out of a block: to another one, to one that is looked for, to the runtime.
 */
#include "engine/exits.h"

#include "engine/cache.h"

u8 *hot, *cold;

void align_link(u8 **at, unsigned opcode)
{
	static const char nop[4][4] = {"", "\x90", "\x66\x90", "\x0f\x1f\0"};
	unsigned field = (unsigned)(u64)(*at + opcode) & 7, n = field > 4 ? 8 - field : 0;

	put(at, nop[n], n);
}

void emit_link(u8 **at, u64 from, u64 target)
{
	bool inner = !((from ^ target) & ~0xfffull);
	struct block *b = block_find(target);
	u8 *field = *at;
	unsigned link;

	*at += 4;
	link = link_add((struct link){.target = target, .field = field, .stub = cold, .inner = inner});
	if (b)
		link_set(link, b);
	else
		emit_patch(field, cold);
	emit_set(&cold, OFF(why), (s32)link);
	emit_jump_gs(&cold, OFF(enter[ENTER_DISPATCH]));
}

void emit_link_jump(u8 **at, u64 from, u64 target)
{
	align_link(at, 1);
	put1(at, 0xe9);
	emit_link(at, from, target);
}

void emit_leave(u64 pc, s32 why)
{
	emit_set64(&hot, OFF(pc), pc);
	emit_set(&hot, OFF(why), why);
	emit_jump_gs(&hot, OFF(enter[ENTER_DISPATCH]));
}

/* Every instruction here counts: a call and its return are two of these, and the flags are the program's. */
void emit_indirect(unsigned pops)
{
	emit_save(&hot, RAX, OFF(scratch[1]));
	PUT(&hot, "\x0f\xb7\xc1"); /* movzx eax, cx */
	emit_gs_index(&hot, 0x8b, RAX, RAX, OFF(indirect.negated));
	PUT(&hot, "\x48\x8d\x0c\x01\xe3\x05\xe9"); /* lea rcx, [rcx+rax]; jrcxz found; jmp cold */
	put4(&hot, 0);
	emit_patch(hot - 4, cold);
	PUT(&hot, "\x0f\xb7\xc0"); /* movzx eax, ax */
	emit_gs_index(&hot, 0x8b, RCX, RAX, OFF(indirect.code));
	emit_save(&hot, RCX, OFF(jump));
	emit_load(&hot, RAX, OFF(scratch[1]));
	emit_load(&hot, RCX, OFF(scratch[0]));
	if (pops)
		emit_lea(&hot, RSP, RSP, (s32)pops);
	emit_jump_gs(&hot, OFF(jump));
	PUT(&cold, "\x48\xf7\xd0\x48\x8d\x4c\x01\x01"); /* not rax; lea rcx, [rcx+rax+1]: the target */
	emit_save(&cold, RCX, OFF(pc));
	emit_load(&cold, RAX, OFF(scratch[1]));
	emit_load(&cold, RCX, OFF(scratch[0]));
	if (pops)
		emit_lea(&cold, RSP, RSP, (s32)pops);
	emit_set(&cold, OFF(why), WHY_INDIRECT);
	emit_jump_gs(&cold, OFF(enter[ENTER_DISPATCH]));
}
