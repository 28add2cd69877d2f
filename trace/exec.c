/* SPDX-License-Identifier: MIT
 *
 * trace/exec.c - exec as events. exec.h draws what it maps.
 */
#include "trace/exec.h"

#define MAP_PRIVATE   2u
#define MAP_FIXED     0x10u
#define MAP_ANONYMOUS 0x20u
#define PROT_READ     1u
#define PROT_WRITE    2u
#define STACK_EXPAND  (128ull << 10)

/* Who listens; and of the image at hand what exec clears, and where it ends. */
struct teller {
	void *thread;
	exec_emit *emit;
	u64 clear_start, clear_len, end;
};

static u64 page_down(u64 va)
{
	return ALIGN_DOWN(va, 4096ull);
}

static u64 page_up(u64 va)
{
	return ALIGN_UP(va, 4096ull);
}

static void tell_map(const struct teller *t, const struct ev_map *m, u64 arg, const char *name)
{
	if (m->len)
		t->emit(t->thread, EV_MAP, EVM_EXEC | arg, m, EV_PAYLOAD_WORDS(*m), name);
}

static void tell_segment(struct teller *t, const struct exec_image *image, const struct exec_segment *s, u64 arg)
{
	u64 start = image->bias + s->vaddr, file_end = start + s->filesz, end = start + s->memsz;
	struct ev_map m = {
	    .start = page_down(start),
	    .len = s->filesz ? page_up(file_end) - page_down(start) : 0,
	    .prot = s->prot,
	    .flags = MAP_PRIVATE | MAP_FIXED,
	    .dev = image->dev,
	    .ino = image->ino,
	    .offset = page_down(s->offset),
	    .size = image->size,
	};
	struct ev_map zero = {
	    .start = m.start + m.len, .prot = m.prot, .flags = MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS};

	tell_map(t, &m, arg, image->path);
	if (end > zero.start)
		zero.len = page_up(end) - zero.start;
	tell_map(t, &zero, arg, "");
	if (s->memsz > s->filesz && m.len && s->prot & PROT_WRITE) {
		t->clear_start = file_end;
		t->clear_len = page_up(file_end) - file_end;
	}
	t->end = max(t->end, end);
}

static void tell_image(struct teller *t, const struct exec_image *image, u64 arg)
{
	t->clear_start = t->clear_len = t->end = 0;
	for (unsigned i = 0; i < image->nr; i++)
		tell_segment(t, image, &image->segment[i], arg);
}

static void tell_stack(const struct teller *t, const struct exec_stack *s)
{
	u64 size = s->top - page_down(s->strings) + STACK_EXPAND;
	struct ev_map m = {.prot = PROT_READ | PROT_WRITE, .flags = MAP_PRIVATE | MAP_ANONYMOUS};

	m.stack_rlimit = s->rlimit;
	m.len = min(size, page_down(m.stack_rlimit));
	m.start = s->top - m.len;
	tell_map(t, &m, EVM_STACK, "[stack]");
}

u64 exec_tell(void *thread, exec_emit *emit, const char *name, const struct exec_image *program,
	      const struct exec_image *interp, const struct exec_stack *stack)
{
	struct ev_exec_done done = {
	    .sp = stack->sp, .strings_start = stack->strings, .strings_len = stack->top - stack->strings};
	struct teller t = {.thread = thread, .emit = emit};
	struct ev_exec exec = {stack->top, program->dev, program->ino};

	emit(thread, EV_EXEC, 0, &exec, EV_PAYLOAD_WORDS(exec), name);
	tell_stack(&t, stack);
	tell_image(&t, program, 0);
	done.bss_clear_start = t.clear_start;
	done.bss_clear_len = t.clear_len;
	done.brk_start = page_up(t.end);
	if (interp) {
		tell_image(&t, interp, EVM_INTERP);
		done.interp_clear_start = t.clear_start;
		done.interp_clear_len = t.clear_len;
	}
	emit(thread, EV_EXEC_DONE, 0, &done, EV_PAYLOAD_WORDS(done), NULL);
	return done.brk_start;
}
