/* SPDX-License-Identifier: MIT
 *
 * test/torture/write.c - calls as lines of a script (docs/scripts.md), with what the model says must come of them.
 */
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "play/names.h"
#include "test/torture/torture.h"

static const char *const file_name[MODEL_FILES] = {"$m", "$f"};

/* The rest of the first line's text. */
static const char *first_line(const char *text, char line[120])
{
	snprintf(line, 120, "%.*s", (int)strcspn(text, "\n"), text);
	return line;
}

void write_head(const struct trial *t, FILE *out)
{
	const struct machine_config *m = &t->machine;
	char text[120];

	fprintf(out, "# name: torture %" PRIu64 ":%u %s\n# expect: pass\n", t->seed, t->step,
		first_line(t->failure, text));
	fprintf(out, "# machine:");
	for (const struct machine_key *k = machine_keys; k->name; k++) {
		machine_key_text(k, m, text);
		if (!m->swap_bytes && strcmp(k->name, "swap-device") == 0)
			continue; /* or a Linux would have to have one */
		if (k->where & KEY_SCRIPT)
			fprintf(out, " %s=%s", k->name, text);
	}
	fputc('\n', out);
	if (!t->host)
		fprintf(out, "# host: no, the machine is another\n");
	fprintf(out, "$a = %#" PRIx64 "\n", (u64)MODEL_BASE);
}

/* An address of the window as $a+0x3000; lengths as numbers. */
static const char *address(u64 va, char text[40])
{
	snprintf(text, 40, va == MODEL_BASE ? "$a" : "$a+%#" PRIx64, (u64)(va - MODEL_BASE));
	return text;
}

static const char *rights(u32 prot)
{
	static const char *const text[] = {"none", "r", "w", "rw", "x", "rx", "wx", "rwx"};

	return text[prot & 7];
}

static const char *process(unsigned i, char text[16])
{
	snprintf(text, 16, i ? "p%u" : "main", i);
	return text;
}

static void write_mmap(const struct play_call *call, FILE *out)
{
	char at[40];

	fprintf(out, "mmap %#" PRIx64 " %s %s %s %s", call->value[PLAY_LEN], rights(call->prot),
		(call->flags & MAP_TYPE) == MODEL_DROPPABLE ? "droppable"
		: call->flags & MAP_SHARED                  ? "shared"
							    : "private",
		call->flags & MAP_FIXED_NOREPLACE ? "noreplace" : "fixed", address(call->value[PLAY_ADDR], at));
	if (call->file >= 0)
		fprintf(out, " %s %#" PRIx64, file_name[call->file], call->value[PLAY_OFFSET]);
	fprintf(out, "%s%s%s\n", call->flags & MAP_POPULATE ? " populate" : "",
		call->flags & MAP_NORESERVE ? " noreserve" : "", call->flags & MAP_LOCKED ? " locked" : "");
}

static void write_mremap(const struct play_call *call, FILE *out)
{
	char at[40], to[40];

	fprintf(out, "mremap %s %#" PRIx64 " %#" PRIx64, address(call->value[PLAY_ADDR], at), call->value[PLAY_LEN],
		call->value[PLAY_NEW_LEN]);
	if (call->flags & MREMAP_FIXED)
		fprintf(out, " maymove%s to %s", call->flags & MREMAP_DONTUNMAP ? " dontunmap" : "",
			address(call->value[PLAY_NEW_ADDR], to));
	fprintf(out, "\n");
}

static void write_access(const struct play_call *call, FILE *out)
{
	char at[40];

	fprintf(out, "%s %s",
		call->op == PLAY_READ    ? "read"
		: call->op == PLAY_WRITE ? "write"
					 : "exec-access",
		address(call->value[PLAY_ADDR], at));
	if (call->op == PLAY_WRITE && call->nr_data > 1)
		fprintf(out, " \"%.*s\"", (int)call->nr_data, (const char *)call->data);
	else if (call->op == PLAY_WRITE)
		fprintf(out, " %u", call->data[0]);
	if (call->value[PLAY_OVER])
		fprintf(out, " over %#" PRIx64, call->value[PLAY_OVER]);
	fprintf(out, "\n");
}

static void write_range(const struct play_call *call, FILE *out)
{
	static const char *const verb[PLAY_NR_CALLS] = {
	    [PLAY_MUNMAP] = "munmap",   [PLAY_MPROTECT] = "mprotect", [PLAY_MADVISE] = "madvise",
	    [PLAY_MLOCK] = "mlock",     [PLAY_MUNLOCK] = "munlock",   [PLAY_MSYNC] = "msync",
	    [PLAY_MINCORE] = "mincore",
	};
	char at[40];

	fprintf(out, "%s %s %#" PRIx64, verb[call->op], address(call->value[PLAY_ADDR], at), call->value[PLAY_LEN]);
	if (call->op == PLAY_MPROTECT)
		fprintf(out, " %s", rights(call->prot));
	if (call->op == PLAY_MADVISE)
		fprintf(out, " %s", name_of(advice_names, call->advice, 0));
	if ((call->op == PLAY_MLOCK || call->op == PLAY_MSYNC) && call->flags)
		fprintf(out, " %u", call->flags);
	fprintf(out, "\n");
}

static void write_process(const struct play_call *call, FILE *out)
{
	char name[16];

	if (call->op == PLAY_EXIT)
		fprintf(out, "exit\n");
	else if (call->op == PLAY_FORK)
		fprintf(out, "fork %s\n", process(call->other, name));
	else
		fprintf(out, "%s %s on %u\n", call->op == PLAY_SPAWN ? "spawn" : "switch", process(call->process, name),
			call->cpu);
}

int write_call(const struct play_call *call, int before, FILE *out)
{
	char name[16];

	if (call->op <= PLAY_SWITCH) {
		if (before != call->process && (call->op == PLAY_FORK || call->op == PLAY_EXIT))
			fprintf(out, "switch %s\n", process(call->process, name));
		write_process(call, out);
		return call->op == PLAY_EXIT ? -1 : call->process;
	}
	if (call->op == PLAY_MEMFD || call->op == PLAY_FILE || call->op == PLAY_RESIZE) {
		if (call->op != PLAY_RESIZE)
			fprintf(out, "%s = ", file_name[call->file]);
		fprintf(out,
			call->op == PLAY_RESIZE ? "resize %s"
			: call->op == PLAY_FILE ? "file"
						: "memfd",
			file_name[call->file]);
		fprintf(out, " %#" PRIx64 "\n", call->value[PLAY_LEN]);
		return before;
	}
	if (before != call->process)
		fprintf(out, "switch %s\n", process(call->process, name));
	if (call->op == PLAY_RECLAIM)
		fprintf(out, "reclaim %#" PRIx64 "\n", call->value[PLAY_LEN]);
	else if (call->op == PLAY_MMAP)
		write_mmap(call, out);
	else if (call->op == PLAY_MREMAP)
		write_mremap(call, out);
	else if (call->op == PLAY_THP_DISABLE)
		fprintf(out, "thp_disable %" PRIu64 " %u\n", call->value[PLAY_ADDR], call->flags);
	else if (play_is_access(call->op))
		write_access(call, out);
	else
		write_range(call, out);
	return call->process;
}

void write_expected(const struct play_call *call, const struct play_outcome *want, FILE *out)
{
	const char *name;
	char at[40];

	if (want->signal) {
		fprintf(out, "expect signal %s", name_of(signal_names, want->signal, want->code));
		fprintf(out, want->signal == SIGKILL ? "\n" : " at %s\n", address(want->at, at));
	} else if (call->op == PLAY_READ) {
		fprintf(out, "expect value %u\n", want->data[0]);
	} else if (want->result < 0) {
		name = name_of(errno_names, -want->result, 0);
		fprintf(out, "expect -%s\n", name ? name : "EINVAL");
	}
}
