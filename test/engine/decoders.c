/* SPDX-License-Identifier: MIT
 *
 * test/engine/decoders.c - the instructions that engine/opcodes.c decodes by its tables, against Zydis: all opcodes of one
 * and two bytes, with every ModRM, every one or two prefixes, and SIBs; then random bytes. What translation is told must
 * be the same.
 *
 * usage: decoders [SEED [RANDOM [FILE]]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/decoder.h"
#include "engine/runtime.h"
#include "engine/translate.h"
#include "test/engine/random.h"

#define PC 0x7ffff7a42b10ull

static u64 rng, known, all;
static unsigned differences;

static u64 next(void)
{
	return rng = random_after(rng);
}

/* ---- what the engine's other files want; nothing is translated here ---- */

void *memory_get(u64 bytes)
{
	abort();
}

unsigned code_read(u64 pc, void *to, unsigned most, bool *changes)
{
	abort();
}

bool code_same_area(u64 a, u64 b)
{
	abort();
}

bool runtime_ready(struct thread *t)
{
	abort();
}

void runtime_entered(struct thread *t, const struct window *w, u64 page, int slot, unsigned rwx)
{
	abort();
}

/* ---- */

static bool same_operand(const struct operand *a, const struct operand *b)
{
	return a->base == b->base && a->index == b->index && a->scale == b->scale && a->segment == b->segment &&
	       a->addr32 == b->addr32 && a->masked == b->masked && a->rw == b->rw && a->times == b->times &&
	       a->len == b->len && a->disp == b->disp;
}

static bool same(const struct insn *a, const struct insn *b)
{
	for (unsigned n = 0; n < a->nr_operands; n++)
		if (!same_operand(&a->operand[n], &b->operand[n]))
			return false;
	return a->pc == b->pc && a->target == b->target && a->bytes == b->bytes && a->len == b->len &&
	       a->kind == b->kind && a->nr_operands == b->nr_operands && a->relative == b->relative &&
	       a->reads == b->reads && a->kills == b->kills && a->writes == b->writes &&
	       a->flag_reads == b->flag_reads && a->flag_kills == b->flag_kills && a->flag_live == b->flag_live &&
	       a->pops == b->pops && a->condition == b->condition && a->target_in == b->target_in &&
	       a->string == b->string && a->element == b->element && a->steps == b->steps && a->step == b->step &&
	       a->modrm_at == b->modrm_at && a->disp_at == b->disp_at && a->base_at == b->base_at &&
	       a->base_clear == b->base_clear && a->base_set == b->base_set && a->refusal == b->refusal;
}

static void print(const char *name, const struct insn *i)
{
	printf("#   %s: len %u kind %u reads %x kills %x writes %x flags read %x killed %x target %llx in %u pops %u "
	       "steps %u by %d relative %d %u %u %u %u %u\n",
	       name, i->len, i->kind, i->reads, i->kills, i->writes, i->flag_reads, i->flag_kills,
	       (unsigned long long)i->target, i->target_in, i->pops, i->steps, i->step, i->relative, i->modrm_at,
	       i->disp_at, i->base_at, i->base_clear, i->base_set);
	for (unsigned n = 0; n < i->nr_operands; n++)
		printf("#     [%u + %u * %u + %llx] segment %u rw %u len %u times %u\n", i->operand[n].base,
		       i->operand[n].index, i->operand[n].scale, (unsigned long long)i->operand[n].disp,
		       i->operand[n].segment, i->operand[n].rw, i->operand[n].len, i->operand[n].times);
}

static void try(const u8 *bytes)
{
	struct insn ours, zydis;

	all++;
	if (!decode_by_table(PC, bytes, 15, &ours))
		return;
	known++;
	decode_by_zydis(PC, bytes, 15, &zydis);
	if (same(&ours, &zydis) || ++differences > 20)
		return;
	printf("# ");
	for (unsigned n = 0; n < 15; n++)
		printf(" %02x", bytes[n]);
	printf("\n");
	print("table", &ours);
	print("zydis", &zydis);
}

/* Prefixes, then 0F or not, then each opcode with each ModRM; what is behind them is random. */
static void try_all(const char *prefixes)
{
	u8 bytes[15];
	unsigned n = (unsigned)strlen(prefixes);

	for (unsigned two = 0; two < 2; two++) {
		for (unsigned op = 0; op < 0x10000; op++) {
			for (unsigned k = 0; k < sizeof(bytes); k++)
				bytes[k] = (u8)next();
			memcpy(bytes, prefixes, n);
			bytes[n] = 0x0f;
			bytes[n + two] = (u8)(op >> 8);
			bytes[n + two + 1] = (u8)op;
			try(bytes);
			bytes[n + two + 2] = 0; /* a constant, or a SIB, of zeroes */
			try(bytes);
			bytes[n + two + 2] = 0x25; /* a SIB without base and index */
			try(bytes);
		}
	}
}

/* A file's bytes, one instruction behind the other: how many the tables know, and what that takes. */
static void try_file(const char *path)
{
	static u8 bytes[32 << 20];
	static u32 place[8 << 20];
	FILE *f = fopen(path, "r");
	size_t size = f ? fread(bytes, 1, sizeof(bytes), f) : 0;
	unsigned n = 0;
	struct insn i;
	clock_t start;
	double ns[2];

	if (!size)
		perror(path), exit(2);
	known = all = 0;
	for (u32 at = 0; at + 15 <= size && n < ARRAY_SIZE(place); at += max(i.len, (u8)1)) {
		decode_by_zydis(PC, bytes + at, 15, &i);
		place[n++] = at;
		try(bytes + at);
	}
	for (unsigned way = 0; way < 2; way++) {
		start = clock();
		for (unsigned k = 0; k < n; k++)
			if (way)
				decode_by_zydis(PC, bytes + place[k], 15, &i);
			else
				decode_by_table(PC, bytes + place[k], 15, &i);
		ns[way] = (double)(clock() - start) / CLOCKS_PER_SEC / n * 1e9;
	}
	printf("# %s: %.2f %% by the tables; an instruction takes them %.0f ns, and Zydis %.0f\n", path,
	       100.0 * (double)known / (double)all, ns[0], ns[1]);
}

static void try_random(unsigned count)
{
	u8 bytes[15];

	for (unsigned i = 0; i < count; i++) {
		for (unsigned k = 0; k < sizeof(bytes); k++)
			bytes[k] = (u8)next();
		try(bytes);
	}
}

int main(int argc, char **argv)
{
	static const char first[] = "\x66\xf2\xf3\x2e\x3e\x64\x65\x67\xf0\x40\x41\x42\x44\x48\x4f";
	static const char second[] = "\x66\xf2\xf3\x64\x40\x41\x48\x4d";

	rng = (argc > 1 ? strtoull(argv[1], NULL, 0) : 1) * 0x9e3779b97f4a7c15ull | 1;
	decode_init();
	try_all("");
	for (const char *a = first; *a; a++) {
		try_all((char[]){*a, 0});
		for (const char *b = second; *b; b++)
			try_all((char[]){*a, *b, 0});
	}
	try_random(argc > 2 ? (unsigned)atoi(argv[2]) : 1000000);
	printf("# %llu of %llu by the tables\n", (unsigned long long)known, (unsigned long long)all);
	if (argc > 3)
		try_file(argv[3]);
	printf("%s 1 - the tables of opcodes against Zydis\n1..1\n", differences ? "not ok" : "ok");
	return differences != 0;
}
