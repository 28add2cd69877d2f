/* SPDX-License-Identifier: MIT
 *
 * sim/parse.c - "thp,cpu=zen4,ram=2G": a machine in words.
 *
 *   name     thp       anonymous memory         meant for
 *   4k       never     4K pages                 the baseline
 *   thp      always    by Linux's THP rules     transparent_hugepage=always
 *   madvise  madvise   the same, where asked    transparent_hugepage=madvise, most distributions
 *   2m, 1g   never     2M, 1G pages             the most that page size could give
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/device.h"
#include "sim/sim.h"

#define RAM_DEFAULT_MAX (16ull << 30)
#define HZ_MAX          10000
#define RAM_MIN         (4ull << 20) /* vm_init */
#define RAM_MAX         (1ull << 44)
#define SWAP_MAX        (1ull << 43) /* slots are numbered with 32 bits */
#define SWAP_LEAST      (1ull << 30) /* of the default, unless that is over 8 times the RAM */
#define SWAP_PER_RAM    128          /* the slots' table takes 16 bytes a page: at most half of RAM */

static const struct {
	const char *name;
	enum vm_thp thp;
	u8 anon_order;
} names[] = {
    {"4k", VM_THP_NEVER, 0},
    {"thp", VM_THP_ALWAYS, 0},
    {"madvise", VM_THP_MADVISE, 0},
    {"thp-madvise", VM_THP_MADVISE, 0},
    {"2m", VM_THP_NEVER, HPAGE_PMD_ORDER},
    {"1g", VM_THP_NEVER, HPAGE_PUD_ORDER},
};

int sim_size_parse(const char *text, u64 *bytes)
{
	static const char units[] = "KMGT";
	u64 value = 0;
	const char *p = text;
	const char *unit;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, (u64)(*p - '0'), &value))
			return -1;
	if (p == text)
		return -1;
	unit = *p ? strchr(units, *p & ~0x20) : NULL;
	if (*p) {
		unsigned shift;

		if (!unit || !*unit)
			return -1;
		shift = 10 * (unit - units + 1);
		if (value > ~0ull >> shift)
			return -1;
		value <<= shift;
		p++;
	}
	if (*p)
		return -1;
	*bytes = value;
	return 0;
}

/* The host's RAM rounded up to whole GiB, at most 16 GiB. The machine's RAM is reserved, not taken: what is used of it
 * are page tables and 32 bytes for each frame in use. */
static u64 ram_default(void)
{
	u64 host = (u64)sysconf(_SC_PHYS_PAGES) * (u64)sysconf(_SC_PAGE_SIZE);

	return min(ALIGN_UP(host, PUD_SIZE), RAM_DEFAULT_MAX);
}

/* The index of value in the nr choices, or -1. */
static int choose(const char *value, const char *const *choice, int nr)
{
	for (int i = 0; i < nr; i++)
		if (strcmp(value, choice[i]) == 0)
			return i;
	return -1;
}

static int fail(char err[256], const char *what, const char *value, const char *right)
{
	snprintf(err, 256, "%s: '%.60s' is not one of: %s", what, value, right);
	return -1;
}

static int set_cpu(struct sim_machine_config *c, const char *value, char err[256])
{
	char all[160] = "";

	c->preset = cpu_preset_find(value);
	if (c->preset)
		return 0;
	for (const struct cpu_preset *p = cpu_presets; p->name; p++) {
		strncat(all, p == cpu_presets ? "" : ", ", sizeof(all) - strlen(all) - 1);
		strncat(all, p->name, sizeof(all) - strlen(all) - 1);
	}
	return fail(err, "cpu", value, all);
}

static int set_thp(struct sim_machine_config *c, const char *value, char err[256])
{
	static const char *const choice[] = {
	    [VM_THP_NEVER] = "never", [VM_THP_MADVISE] = "madvise", [VM_THP_ALWAYS] = "always"};
	int i = choose(value, choice, ARRAY_SIZE(choice));

	if (i < 0)
		return fail(err, "thp", value, "never, madvise, always");
	c->thp = i;
	return 0;
}

static int set_defrag(struct sim_machine_config *c, const char *value, char err[256])
{
	static const char *const choice[] = {
	    [VM_DEFRAG_MADVISE] = "madvise", [VM_DEFRAG_ALWAYS] = "always", [VM_DEFRAG_NEVER] = "never"};
	int i = choose(value, choice, ARRAY_SIZE(choice));

	if (i < 0)
		return fail(err, "defrag", value, "madvise, always, never");
	c->defrag = i;
	return 0;
}

static int set_ram(struct sim_machine_config *c, const char *value, char err[256])
{
	if (sim_size_parse(value, &c->ram_bytes) == 0 && c->ram_bytes >= RAM_MIN && c->ram_bytes <= RAM_MAX)
		return 0;
	snprintf(err, 256, "ram: '%.60s' is not a size from 4M to 16T (512M, 4G, 4294967296)", value);
	return -1;
}

static int set_swap(struct sim_machine_config *c, const char *value, char err[256])
{
	c->swap_given = true;
	if (sim_size_parse(value, &c->swap_bytes) == 0 && c->swap_bytes <= SWAP_MAX)
		return 0;
	snprintf(err, 256, "swap: '%.60s' is not a size from 0 (none) to 8T", value);
	return -1;
}

static int set_swap_device(struct sim_machine_config *c, const char *value, char err[256])
{
	c->swap_device = swap_device_find(value);
	return c->swap_device ? 0 : fail(err, "swap-device", value, "nvme, sata, hdd, zram");
}

static int set_reclaim(struct sim_machine_config *c, const char *value, char err[256])
{
	static const char *const choice[] = {[VM_RECLAIM_LRU2] = "lru2",
					     [VM_RECLAIM_MGLRU] = "mglru",
					     [VM_RECLAIM_CLOCK] = "clock",
					     [VM_RECLAIM_FIFO] = "fifo",
					     [VM_RECLAIM_RANDOM] = "random"};
	int i = choose(value, choice, ARRAY_SIZE(choice));

	if (i < 0)
		return fail(err, "reclaim", value, "lru2, mglru, clock, fifo, random");
	c->reclaim = i;
	return 0;
}

/* Twice the RAM, as installers give it, but so much that a program of 1 GiB gets through in little RAM. */
static u64 swap_default(u64 ram_bytes)
{
	return min(max(2 * ram_bytes, min(8 * ram_bytes, SWAP_LEAST)), SWAP_MAX);
}

/* What was left open; and what fits together. */
static int complete(struct sim_machine_config *c, char err[256])
{
	if (!c->preset)
		c->preset = cpu_preset_find("zen3");
	if (!c->swap_device)
		c->swap_device = &swap_devices[0];
	if (!c->swap_given)
		c->swap_bytes = swap_default(c->ram_bytes);
	if (c->hugepages * PMD_SIZE > c->ram_bytes / 2) {
		snprintf(err, 256, "hugepages: at most half of the RAM can be set aside");
		return -1;
	}
	if (c->swap_bytes / SWAP_PER_RAM <= c->ram_bytes)
		return 0;
	snprintf(err, 256, "swap: at most %u times the RAM: its table must fit", SWAP_PER_RAM);
	return -1;
}

static int set_switch(bool *to, const char *key, const char *value, const char *on, const char *off, char err[256])
{
	char right[64];

	*to = strcmp(value, on) == 0;
	if (*to || strcmp(value, off) == 0)
		return 0;
	snprintf(right, sizeof(right), "%s, %s", on, off);
	return fail(err, key, value, right);
}

static int set_level(u8 *to, const char *key, const char *value, u8 max_level, char err[256])
{
	if (value[0] >= '0' && value[0] <= '0' + max_level && value[1] == 0) {
		*to = value[0] - '0';
		return 0;
	}
	snprintf(err, 256, "%s: '%.60s' is not a number from 0 to %u", key, value, max_level);
	return -1;
}

/* value: a number from 1 to max. */
static int set_number(u64 *to, const char *key, const char *value, u64 max, char err[256])
{
	if (sim_size_parse(value, to) == 0 && *to >= 1 && *to <= max)
		return 0;
	snprintf(err, 256, "%s: '%.60s' is not a number from 1 to %llu", key, value, (unsigned long long)max);
	return -1;
}

/* value: a share from 0 to 1, up to three digits after the point. */
static int set_fragmentation(struct sim_machine_config *c, const char *value, char err[256])
{
	unsigned per_mille = 0, digits = 0;
	const char *p = value;

	if (*p == '0' || *p == '1')
		per_mille = (unsigned)(*p++ - '0');
	if (p != value && *p == '.' && p[1])
		for (p++; *p >= '0' && *p <= '9' && digits < 3; digits++)
			per_mille = 10 * per_mille + (unsigned)(*p++ - '0');
	for (; digits < 3; digits++)
		per_mille *= 10;
	if (p != value && !*p && per_mille <= 1000) {
		c->fragmentation = (u16)per_mille;
		return 0;
	}
	snprintf(err, 256, "fragmentation: '%.60s' is not a share from 0 to 1, such as 0.25", value);
	return -1;
}

static int set_cpus(struct sim_machine_config *c, const char *value, char err[256])
{
	u64 n;

	if (set_number(&n, "cpus", value, SIM_MAX_CPUS, err) != 0)
		return -1;
	c->cpus = (u8)n;
	return 0;
}

static int set_hz(struct sim_machine_config *c, const char *value, char err[256])
{
	u64 n;

	if (set_number(&n, "hz", value, HZ_MAX, err) != 0)
		return -1;
	c->hz = (u16)n;
	return 0;
}

static int set_key(struct sim_machine_config *c, const char *key, const char *value, char err[256])
{
	if (strcmp(key, "cpu") == 0)
		return set_cpu(c, value, err);
	if (strcmp(key, "thp") == 0)
		return set_thp(c, value, err);
	if (strcmp(key, "ram") == 0)
		return set_ram(c, value, err);
	if (strcmp(key, "swap") == 0)
		return set_swap(c, value, err);
	if (strcmp(key, "swap-device") == 0)
		return set_swap_device(c, value, err);
	if (strcmp(key, "reclaim") == 0)
		return set_reclaim(c, value, err);
	if (strcmp(key, "khugepaged") == 0)
		return set_switch(&c->khugepaged_off, key, value, "off", "on", err);
	if (strcmp(key, "hugepages") == 0)
		return set_number(&c->hugepages, key, value, RAM_MAX / PMD_SIZE, err);
	if (strcmp(key, "defrag") == 0)
		return set_defrag(c, value, err);
	if (strcmp(key, "fragmentation") == 0)
		return set_fragmentation(c, value, err);
	if (strcmp(key, "pcid") == 0)
		return set_switch(&c->pcid, key, value, "on", "off", err);
	if (strcmp(key, "kpti") == 0)
		return set_switch(&c->kpti, key, value, "on", "off", err);
	if (strcmp(key, "kernel") == 0)
		return set_switch(&c->kernel_off, key, value, "off", "on", err);
	if (strcmp(key, "cpus") == 0)
		return set_cpus(c, value, err);
	if (strcmp(key, "hz") == 0)
		return set_hz(c, value, err);
	if (strcmp(key, "page-cache") == 0)
		return set_switch(&c->pagecache_cold, key, value, "cold", "warm", err);
	if (strcmp(key, "check") == 0)
		return set_level(&c->check, key, value, 3, err);
	if (strcmp(key, "oracle") == 0)
		return set_level(&c->oracle, key, value, 1, err);
	return fail(err, "machine", key,
		    "cpu, thp, ram, swap, swap-device, reclaim, khugepaged, defrag, fragmentation, hugepages, pcid, "
		    "kpti, cpus, "
		    "hz, kernel, "
		    "page-cache, check, oracle");
}

static int set_name(struct sim_machine_config *c, const char *name, char err[256])
{
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(name, names[i].name) == 0) {
			c->thp = names[i].thp;
			c->anon_order = names[i].anon_order;
			return 0;
		}
	}
	return fail(err, "machine", name, "4k, thp, madvise, 2m, 1g");
}

int sim_machine_parse(const char *text, const struct sim_machine_config *defaults, struct sim_machine_config *out,
		      char err[256])
{
	char copy[sizeof(out->name)], *rest = copy, *word;

	if (strlen(text) >= sizeof(copy)) {
		snprintf(err, 256, "machine: '%.40s...' is longer than %zu characters", text, sizeof(copy) - 1);
		return -1;
	}
	strcpy(copy, text);
	*out = defaults ? *defaults : (struct sim_machine_config){.pcid = true};
	strcpy(out->name, text);
	if (out->ram_bytes == 0)
		out->ram_bytes = ram_default();
	if (set_name(out, strsep(&rest, ","), err) != 0)
		return -1;
	while ((word = strsep(&rest, ",")) != NULL) {
		char *value = strchr(word, '=');

		if (!value) {
			snprintf(err, 256, "machine: '%.60s' in '%.60s' is not key=value", word, text);
			return -1;
		}
		*value++ = 0;
		if (set_key(out, word, value, err) != 0)
			return -1;
	}
	return complete(out, err);
}
