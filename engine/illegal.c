/* SPDX-License-Identifier: MIT
 *
 * engine/illegal.c - bytes that the decoder does not know: are they no instruction to the CPU either? It is asked. They are
 * executed a byte more at a time, at the end of a page that nothing follows: while they are part of an instruction, the
 * CPU wants to fetch from there.
 *
 *   | .. b0 b1 b2 | nothing        #UD: no instruction    #PF at b0, of `nothing`: more is wanted    else: it is one
 *
 * One that is executed may have done anything to the runtime; nothing goes on after it but die().
 */
#include "engine/illegal.h"

#include <sys/mman.h>

#include "engine/areas.h"
#include "engine/engine.h"
#include "engine/threads.h"
#include "engine/translate.h"
#include "lib/sys.h"

#define INSN_MOST 15

static u8 *page, *first;
static enum illegal answer;

void illegal_try(const u8 *code);
extern const u8 illegal_tried[];

__asm__(".globl illegal_try, illegal_tried\n"
	"illegal_try:\n\t"
	"push %rbx\n\tpush %rbp\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n\t"
	"mov %rsp, illegal_stack(%rip)\n\t"
	"jmp *%rdi\n"
	"illegal_tried:\n\t"
	"mov illegal_stack(%rip), %rsp\n\t"
	"pop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbp\n\tpop %rbx\n\t"
	"ret\n\t"
	".local illegal_stack\n\t"
	".comm illegal_stack, 8\n");

bool illegal_fault(struct sigcontext *c)
{
	if (!page || c->rip < (u64)first || c->rip > (u64)page + 4096)
		return false;
	if (c->rip == (u64)first && c->trapno == INVALID)
		answer = ILLEGAL;
	else if (c->rip == (u64)first && c->trapno == PAGE_FAULT && c->err & ERR_FETCH)
		answer = ILLEGAL_CUT;
	else if (c->rip == (u64)first && c->trapno == PROTECTION && first == page + 4096 - INSN_MOST)
		answer = ILLEGAL_LONG;
	else
		answer = ILLEGAL_NOT;
	c->rip = (u64)illegal_tried;
	return true;
}

static void page_begin(void)
{
	u8 *new = memory_get(4096);

	sys3(SYS_mprotect, (u64) new, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	page = new;
}

/* What is static here is the cache's lock's. */
enum illegal illegal_at(u64 pc, u64 *missing)
{
	unsigned in_page = min(4096 - (unsigned)(pc & 4095), (unsigned)INSN_MOST), have;
	u8 bytes[INSN_MOST];
	enum illegal ret;
	bool changes;

	if (!page)
		page_begin();
	cache_lock();
	have = code_read(pc, bytes, in_page, &changes);
	if (have == in_page && have < INSN_MOST)
		have += code_read(pc + have, bytes + have, INSN_MOST - have, &changes);
	*missing = pc + have;
	answer = ILLEGAL_CUT;
	for (unsigned n = 1; n <= have && answer == ILLEGAL_CUT; n++) {
		first = page + 4096 - n;
		memcpy(first, bytes, n);
		illegal_try(first);
	}
	ret = answer;
	cache_unlock();
	return ret;
}
