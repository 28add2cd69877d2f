/* SPDX-License-Identifier: MIT
 *
 * report/json.c - the report for a machine. The schema is docs/json.md; a test compares that file with what is
 * written here, in both directions. Keys keep the order in which they are set; no time, no host name, no address of
 * this process: the same events give the same bytes.
 */
#include "report/report.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "report/format.h"

#define JSON_VERSION 1

static const char *const cause_key[VM_FAULT_NR] = {
    [VM_FAULT_ZERO_READ] = "zero_read", [VM_FAULT_ZERO_WRITE] = "zero_write", [VM_FAULT_FILE] = "file",
    [VM_FAULT_COW_COPY] = "cow_copy",   [VM_FAULT_COW_REUSE] = "cow_reuse",   [VM_FAULT_STACK] = "stack",
    [VM_FAULT_SWAP] = "swap",           [VM_FAULT_SPURIOUS] = "spurious",     [VM_FAULT_MAPERR] = "segv_maperr",
    [VM_FAULT_ACCERR] = "segv_accerr",  [VM_FAULT_PKUERR] = "segv_pkuerr",    [VM_FAULT_BUS] = "sigbus",
    [VM_FAULT_NOMEM] = "no_memory",
};
static const char *const access_key[2] = {"data", "fetch"};
static const char *const entry_key[KERNEL_ENTRY_NR] = {
    [KERNEL_SYSCALL] = "system_calls",
    [KERNEL_FAULT] = "page_faults",
    [KERNEL_TICK] = "timer_ticks",
    [KERNEL_IPI] = "ipis",
};
static const char *const size_key[3] = {"4k", "2m", "1g"};
static const char *const level_key[6] = {NULL, "pt", "pd", "pdpt", "pml4", "pml5"};
static const char *const region_key[] = {
    [REGION_ANON] = "anon",           [REGION_HEAP] = "heap",           [REGION_STACK] = "stack",
    [REGION_FILE_TEXT] = "file_text", [REGION_FILE_DATA] = "file_data", [REGION_OTHER] = "other",
};

static void set_u64(json_t *to, const char *key, u64 value)
{
	json_object_set_new(to, key, json_integer((json_int_t)value));
}

/* Text of the program (names, arguments) need not be UTF-8, which JSON must be: then every byte that is not ASCII is
 * written as \xNN. */
static json_t *text_value(const char *text)
{
	json_t *value = json_string(text);
	char *buf, *to;

	if (value != NULL)
		return value;
	buf = to = malloc(4 * strlen(text) + 1);
	if (buf == NULL)
		return NULL;
	for (; *text != '\0'; text++)
		to += sprintf(to, (unsigned char)*text < 0x80 ? "%c" : "\\x%02x", (unsigned char)*text);
	*to = '\0';
	value = json_string(buf);
	free(buf);
	return value;
}

static void set_text(json_t *to, const char *key, const char *text)
{
	json_object_set_new(to, key, text_value(text));
}

/* Addresses are text: 64-bit values do not survive readers that hold numbers as doubles. */
static void set_address(json_t *to, const char *key, u64 va)
{
	json_object_set_new(to, key, json_sprintf("0x%llx", (unsigned long long)va));
}

/* values[i] under keys[i]; an entry whose key is NULL is skipped. */
static void set_table(json_t *to, const char *key, const char *const *keys, const u64 *values, unsigned n)
{
	json_t *table = json_object();

	for (unsigned i = 0; i < n; i++)
		if (keys[i] != NULL)
			set_u64(table, keys[i], values[i]);
	json_object_set_new(to, key, table);
}

static json_t *program_value(const struct sim_program *p)
{
	json_t *v = json_object(), *names = json_array();

	set_u64(v, "instructions", p->instructions);
	set_u64(v, "data_accesses", p->data_accesses);
	set_u64(v, "fetch_page_changes", p->fetch_page_changes);
	set_u64(v, "syscalls", p->syscalls);
	set_u64(v, "events", p->events);
	set_u64(v, "processes", p->processes);
	set_u64(v, "threads", p->threads);
	set_u64(v, "execs_left", p->execs_left);
	set_u64(v, "threads_lost", p->lost);
	set_u64(v, "malformed", p->malformed);
	for (unsigned i = 0; i < ARRAY_SIZE(p->left_names) && p->left_names[i][0] != '\0'; i++)
		json_array_append_new(names, text_value(p->left_names[i]));
	json_object_set_new(v, "left_names", names);
	return v;
}

static json_t *region_value(const struct sim_region *g)
{
	json_t *v = json_object();

	set_text(v, "name", g->name);
	set_text(v, "kind", region_key[g->kind < ARRAY_SIZE(region_key) ? g->kind : REGION_OTHER]);
	set_u64(v, "process", g->pid_index);
	set_address(v, "start", g->start);
	set_address(v, "end", g->end);
	set_u64(v, "peak_bytes", g->peak_bytes);
	json_object_set_new(v, "madvised", json_boolean(g->madvised));
	return v;
}

static json_t *region_result_value(const struct sim_region_result *g)
{
	json_t *v = json_object();

	set_table(v, "walks", access_key, g->walks, 2);
	set_u64(v, "walk_cycles_min", g->walk_cycles_min);
	set_u64(v, "walk_cycles_max", g->walk_cycles_max);
	set_u64(v, "faults", g->faults);
	set_u64(v, "peak_huge_bytes", g->peak_huge_bytes);
	return v;
}

static json_t *mmu_value(const struct mmu_counters *c)
{
	json_t *v = json_object();

	set_table(v, "lookups", access_key, c->lookups, 2);
	set_table(v, "l1_miss", access_key, c->l1_miss, 2);
	set_table(v, "l2_miss", access_key, c->l2_miss, 2);
	set_table(v, "rewalks", access_key, c->rewalks, 2);
	set_table(v, "walks", access_key, c->walks, 2);
	set_table(v, "walk_faults", access_key, c->walk_faults, 2);
	set_table(v, "walk_steps", level_key, c->walk_steps, 6);
	set_u64(v, "walk_cycles_min", c->walk_cycles_min);
	set_u64(v, "walk_cycles_max", c->walk_cycles_max);
	set_u64(v, "l2_hit_cycles", c->l2_hit_cycles);
	set_u64(v, "invlpg", c->invlpg);
	set_u64(v, "invpcid", c->invpcid);
	set_u64(v, "cr3_loads", c->cr3_loads);
	set_u64(v, "cr3_flushes", c->cr3_flushes);
	set_u64(v, "entries_flushed", c->entries_flushed);
	set_table(v, "fills", size_key, c->fills, MMU_NSIZES);
	return v;
}

static void set_swap(json_t *v, const struct sim_machine_result *m)
{
	static const char *const who_key[2] = {"background", "direct"};

	set_u64(v, "peak_swap_bytes", m->peak_swap_bytes);
	set_u64(v, "swap_requests", m->swap_requests);
	set_u64(v, "swap_ins", m->swap_ins);
	set_u64(v, "readahead_hits", m->readahead_hits);
	set_u64(v, "swap_outs", m->swap_outs);
	set_u64(v, "file_reads", m->file_reads);
	set_u64(v, "writebacks", m->writebacks);
	set_u64(v, "io_wait_ns", m->io_wait_ns);
	set_u64(v, "io_write_ns", m->io_write_ns);
	set_table(v, "reclaimed", who_key, m->reclaimed, 2);
	set_u64(v, "oom_kills", m->oom_kills);
	set_text(v, "oom_note", m->oom_note);
}

static json_t *machine_value(const struct sim_machine_result *m, unsigned nr_regions)
{
	json_t *v = json_object(), *regions = json_array();

	set_text(v, "name", m->name);
	set_text(v, "cpu", m->cpu);
	set_text(v, "thp", m->thp);
	json_object_set_new(v, "kpti", json_boolean(m->kpti));
	json_object_set_new(v, "pcid", json_boolean(m->pcid));
	set_u64(v, "cpus", m->cpus);
	set_u64(v, "ram_bytes", m->ram_bytes);
	set_u64(v, "hugepages", m->hugepages);
	set_text(v, "defrag", m->defrag);
	json_object_set_new(v, "fragmentation", json_real(m->fragmentation / 1000.0));
	set_u64(v, "swap_bytes", m->swap_bytes);
	set_text(v, "swap_device", m->swap_device);
	set_text(v, "reclaim", m->reclaim);
	set_text(v, "error", m->error);
	set_table(v, "faults", cause_key, m->faults, VM_FAULT_NR);
	set_table(v, "faults_by_size", size_key, m->faults_by_order, 3);
	set_table(v, "populated", cause_key, m->populated, VM_FAULT_NR);
	set_u64(v, "kernel_faults", m->kernel_faults);
	set_u64(v, "major_faults", m->major_faults);
	set_u64(v, "minflt", m->minflt);
	set_swap(v, m);
	set_u64(v, "peak_rss_bytes", m->peak_rss_bytes);
	set_u64(v, "peak_untouched_bytes", m->peak_untouched_bytes);
	set_u64(v, "peak_table_bytes", m->peak_table_bytes);
	set_u64(v, "tlb_flushes", m->tlb_flushes);
	set_u64(v, "tlb_flush_pages", m->tlb_flush_pages);
	set_u64(v, "tlb_flush_all", m->tlb_flush_all);
	set_u64(v, "shootdowns", m->shootdowns);
	set_u64(v, "ipis", m->ipis);
	set_u64(v, "context_switches", m->context_switches);
	set_u64(v, "thread_switches", m->thread_switches);
	set_table(v, "kernel_entries", entry_key, m->kernel_entries, KERNEL_ENTRY_NR);
	set_u64(v, "kernel_cycles_min", m->kernel_cycles_min);
	set_u64(v, "kernel_cycles_max", m->kernel_cycles_max);
	set_u64(v, "cr3_cycles_min", m->cr3_cycles_min);
	set_u64(v, "cr3_cycles_max", m->cr3_cycles_max);
	set_u64(v, "shootdown_cycles_min", m->shootdown_cycles_min);
	set_u64(v, "shootdown_cycles_max", m->shootdown_cycles_max);
	set_table(v, "kernel_walks", access_key, m->kernel_walks, 2);
	set_u64(v, "kernel_walk_cycles_min", m->kernel_walk_cycles_min);
	set_u64(v, "kernel_walk_cycles_max", m->kernel_walk_cycles_max);
	set_u64(v, "thp_alloc", m->thp_alloc);
	set_u64(v, "thp_fallback", m->thp_fallback);
	set_u64(v, "thp_split", m->thp_split);
	set_u64(v, "thp_collapse", m->thp_collapse);
	set_u64(v, "compactions", m->compactions);
	set_u64(v, "compactions_failed", m->compactions_failed);
	set_u64(v, "pages_migrated", m->pages_migrated);
	set_u64(v, "frames_cleared", m->frames_cleared);
	set_u64(v, "frames_copied", m->frames_copied);
	set_u64(v, "mismatches", m->mismatches);
	json_object_set_new(v, "mmu", mmu_value(&m->mmu));
	for (unsigned i = 0; i < nr_regions; i++)
		json_array_append_new(regions, region_result_value(&m->region[i]));
	json_object_set_new(v, "regions", regions);
	return v;
}

static json_t *result_value(const struct sim_result *r)
{
	json_t *v = json_object(), *argv = json_array(), *regions = json_array(), *machines = json_array();
	char advice[1024];

	set_text(v, "schema", "quire-run");
	set_u64(v, "version", JSON_VERSION);
	set_text(v, "quire", QUIRE_VERSION);
	for (char **arg = r->argv; *arg != NULL; arg++)
		json_array_append_new(argv, text_value(*arg));
	json_object_set_new(v, "argv", argv);
	set_u64(v, "exit_status", (u64)r->exit_status);
	json_object_set_new(v, "program", program_value(&r->program));
	for (unsigned i = 0; i < r->nr_regions; i++)
		json_array_append_new(regions, region_value(&r->region[i]));
	json_object_set_new(v, "regions", regions);
	for (unsigned i = 0; i < r->nr_machines; i++)
		json_array_append_new(machines, machine_value(&r->machine[i], r->nr_regions));
	json_object_set_new(v, "machines", machines);
	report_advice(advice, sizeof(advice), r);
	set_text(v, "advice", advice);
	return v;
}

int report_json(FILE *out, const struct sim_result *r)
{
	json_t *v = result_value(r);
	int err;

	errno = 0;
	err = json_dumpf(v, out, JSON_INDENT(2)) != 0 || fputc('\n', out) == EOF || fflush(out) != 0;
	json_decref(v);
	if (err && errno == 0)
		errno = ENOMEM;
	return err ? -1 : 0;
}
