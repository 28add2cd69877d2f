/* SPDX-License-Identifier: MIT
 *
 * machine/config.c - "thp,cpu=zen4,ram=2G": the keys, and their parser.
 *
 *   name     thp       anonymous memory         meant for
 *   4k       never     4K pages                 the baseline
 *   thp      always    by Linux's THP rules     transparent_hugepage=always
 *   madvise  madvise   the same, where asked    transparent_hugepage=madvise
 *   2m, 1g   never     2M, 1G pages             the most that page size could give
 */
#include "machine/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/host.h"

#define RAM_DEFAULT_MAX  (16ull << 30)
#define HZ_MAX           10000
#define RAM_MIN          (4ull << 20) /* vm_init */
#define RAM_MAX          (1ull << 44)
#define SWAP_MAX         (1ull << 43) /* slots are numbered with 32 bits */
#define SWAP_LEAST       (1ull << 30) /* of the default, unless that is over 8 times the RAM */
#define SWAP_PER_RAM     128          /* the slots' table takes 16 bytes a page: at most half of RAM */
#define PAGE_CLUSTER_MAX 10

/* ---- the keys ---- */

#define FIELD(f) .at = offsetof(struct machine_config, f), .size = sizeof(((struct machine_config *)0)->f)

static const char *const on_off[] = {"off", "on", NULL};
static const char *const thp_words[] = {
    [VM_THP_NEVER] = "never", [VM_THP_MADVISE] = "madvise", [VM_THP_ALWAYS] = "always", NULL};
static const char *const defrag_words[] = {
    [VM_DEFRAG_MADVISE] = "madvise", [VM_DEFRAG_ALWAYS] = "always", [VM_DEFRAG_NEVER] = "never", NULL};
static const char *const reclaim_words[] = {
    [VM_RECLAIM_LRU2] = "lru2", [VM_RECLAIM_MGLRU] = "mglru",   [VM_RECLAIM_CLOCK] = "clock",
    [VM_RECLAIM_FIFO] = "fifo", [VM_RECLAIM_RANDOM] = "random", NULL};
static const char *const overcommit_words[] = {
    [VM_OVERCOMMIT_ALWAYS] = "1", [VM_OVERCOMMIT_GUESS] = "0", [VM_OVERCOMMIT_NEVER] = "2", NULL};
static const char *const page_cache_words[] = {"warm", "cold", NULL};

static const char *const host_page_words[] = {"none", "4k", "2m", "1g", NULL};

const struct machine_key machine_keys[] = {
    {"cpu", KEY_CPU, FIELD(preset), KEY_RUN | KEY_SCRIPT, 'c', .standard = "zen3",
     .help =
	 "processor, by whose TLBs and caches it walks: see quire cpus; host: this computer's, which quire run takes "
	 "of its own accord where it is one of them"},
    {"thp", KEY_CHOICE, FIELD(thp), KEY_MACHINE | KEY_SCRIPT, .words = thp_words, .standard = "by the name",
     .computed = true, .help = "transparent huge pages: whose memory gets them"},
    {"ram", KEY_SIZE, FIELD(ram_bytes), KEY_RUN | KEY_SCRIPT, 'r', .least = RAM_MIN, .most = RAM_MAX,
     .standard = "the host's, at most 16G", .computed = true,
     .help = "physical memory. What does not fit goes to swap; when that is full too, the OOM killer ends the process "
	     "that uses most, on that machine only"},
    {"swap", KEY_SIZE, FIELD(swap_bytes), KEY_RUN | KEY_SCRIPT, 's', .most = SWAP_MAX,
     .standard = "twice the RAM, at least 1G", .computed = true, .help = "swap device, 0: none"},
    {"swap-device", KEY_DEVICE, FIELD(swap_device), KEY_RUN | KEY_SCRIPT, 'd', .standard = "nvme",
     .help = "what swap is on: how long it takes, what is read ahead (nvme, sata: neighbours by address; hdd: by slot; "
	     "zram: none, but of shared memory), and whether a page stays in memory while it is written (not on zram)"},
    {"reclaim", KEY_CHOICE, FIELD(reclaim), KEY_RUN | KEY_SCRIPT, .words = reclaim_words, .standard = "lru2",
     .help =
	 "which page goes when memory is short: lru2, Linux's two lists; mglru, its generations; and the textbook's"},
    {"swappiness", KEY_NUMBER, FIELD(sysctl.swappiness), KEY_RUN | KEY_SCRIPT, .most = 200, .standard = "60",
     .help =
	 "sysctl vm.swappiness, what bringing back an anonymous page costs against a file's: lru2 and mglru take more "
	 "of the one with a higher value, of the other with a lower"},
    {"page-cluster", KEY_NUMBER, FIELD(sysctl.page_cluster), KEY_RUN | KEY_SCRIPT, .most = PAGE_CLUSTER_MAX,
     .standard = "3",
     .help = "sysctl vm.page-cluster: at most 2 to this power of pages are read from swap at once; under 16M of RAM at "
	     "most 4 pages"},
    {"overcommit", KEY_CHOICE, FIELD(overcommit), KEY_RUN | KEY_SCRIPT, .words = overcommit_words, .standard = "1",
     .help = "sysctl vm.overcommit_memory: 0 by guess, 1 always, 2 never more than there is"},
    {"khugepaged", KEY_SWITCH, FIELD(khugepaged), KEY_RUN | KEY_SCRIPT, .standard = "on",
     .help = "small pages become huge ones in the background, where thp is not never"},
    {"max_ptes_none", KEY_NUMBER, FIELD(khugepaged_knobs.max_ptes_none), KEY_MACHINE | KEY_SCRIPT,
     .most = PTRS_PER_TABLE - 1, .standard = "511",
     .help = "khugepaged makes a huge page of 512 entries of which at most so many are empty"},
    {"max_ptes_swap", KEY_NUMBER, FIELD(khugepaged_knobs.max_ptes_swap), KEY_MACHINE | KEY_SCRIPT,
     .most = PTRS_PER_TABLE - 1, .standard = "64", .help = "and at most so many in swap"},
    {"max_ptes_shared", KEY_NUMBER, FIELD(khugepaged_knobs.max_ptes_shared), KEY_MACHINE | KEY_SCRIPT,
     .most = PTRS_PER_TABLE - 1, .standard = "256", .help = "and at most so many that other processes map, too"},
    {"pages_to_scan", KEY_NUMBER, FIELD(khugepaged_knobs.pages_to_scan), KEY_MACHINE | KEY_SCRIPT, .least = 1,
     .most = ~0u, .standard = "4096", .help = "entries that khugepaged looks at in a turn"},
    {"scan_sleep_ms", KEY_NUMBER, FIELD(khugepaged_knobs.scan_sleep_ms), KEY_MACHINE | KEY_SCRIPT, .most = ~0u,
     .standard = "10000", .help = "what khugepaged sleeps between two turns"},
    {"defrag", KEY_CHOICE, FIELD(defrag), KEY_RUN | KEY_SCRIPT, .words = defrag_words, .standard = "madvise",
     .help = "whose page fault moves pages together when no 2M block is free; madvise: where the program asks for huge "
	     "pages"},
    {"fragmentation", KEY_SHARE, FIELD(fragmentation), KEY_RUN | KEY_SCRIPT, .standard = "0",
     .help = "share of free memory that lies in blocks under 2M at the machine's start"},
    {"hugepages", KEY_NUMBER, FIELD(hugepages), KEY_RUN | KEY_SCRIPT, .most = RAM_MAX / PMD_SIZE, .standard = "0",
     .help = "2M pages set aside for MAP_HUGETLB; what does not fit is refused. 0: such memory takes free 2M pages"},
    {"pcid", KEY_SWITCH, FIELD(pcid), KEY_RUN | KEY_SCRIPT, .standard = "on",
     .help = "TLB entries of several processes at once, where the processor can"},
    {"kpti", KEY_SWITCH, FIELD(kpti), KEY_RUN | KEY_SCRIPT, .standard = "off",
     .help = "page-table isolation. Processors that Meltdown does not reach, AMD's Zen among them, run without"},
    {"cpus", KEY_NUMBER, FIELD(cpus), KEY_RUN, 'n', .least = 1, .most = MACHINE_MAX_CPUS,
     .standard = "one for each thread", .computed = true,
     .help = "processors that the program's threads and processes share, in turns of 32768 window events"},
    {"hz", KEY_NUMBER, FIELD(hz), KEY_RUN, .least = 1, .most = HZ_MAX, .standard = "250",
     .help = "timer ticks a second, at 3 GHz and one instruction a cycle"},
    {"host-page", KEY_CHOICE, FIELD(host_page), KEY_RUN, .words = host_page_words, .standard = "none",
     .help =
	 "the machine is a virtual one, whose host backs its memory with such pages: the TLB holds no larger ones, and "
	 "each walk needs the host's tables too"},
    {"malloc-thp", KEY_SWITCH, FIELD(malloc_thp), KEY_RUN, .standard = "off",
     .help =
	 "malloc as glibc's under its tunable hugetlb=1: the heap grows to multiples of 2M, and asks for huge pages, "
	 "as do private maps of 2M and more; with thp=madvise or always"},
    {"kernel", KEY_SWITCH, FIELD(kernel), KEY_RUN, .standard = "on",
     .help = "entries into the kernel touch its own pages"},
    {"page-cache", KEY_CHOICE, FIELD(pagecache_cold), KEY_RUN, 'p', .words = page_cache_words, .standard = "warm",
     .help = "cold: a file is read at its first touch, a major fault"},
    {"check", KEY_NUMBER, FIELD(check), KEY_RUN, 'k', .most = 3, .standard = "0",
     .help = "how much the simulated kernel checks itself"},
    {"oracle", KEY_NUMBER, FIELD(oracle), KEY_RUN, .most = 1, .standard = "0",
     .help = "1: the tables are walked again at every TLB hit, and compared"},
    {"zero-page", KEY_SWITCH, FIELD(variant.zero_page), KEY_MACHINE | KEY_SCRIPT, .standard = "on",
     .help = "a read of untouched memory maps the zero page; off: it gets a page of its own"},
    {"merge-unfaulted", KEY_SWITCH, FIELD(variant.merge_unfaulted), KEY_MACHINE | KEY_SCRIPT, .standard = "on",
     .help = "a touched area that becomes like an untouched neighbour merges with it, as since Linux 6.16"},
    {"map-joins-prev", KEY_SWITCH, FIELD(variant.map_joins_prev), KEY_SCRIPT, .standard = "on",
     .help = "a map between two areas that do not go together joins the lower; off: the upper, as in Linux 6.1"},
    {"place-2m", KEY_SWITCH, FIELD(variant.place_2m), KEY_SCRIPT, .standard = "on",
     .help = "anonymous maps of whole 2M are placed at multiples of 2M, as since Linux 6.7"},
    {"place-2m-top", KEY_SWITCH, FIELD(variant.place_2m_top), KEY_SCRIPT, .standard = "on",
     .help = "where such a map and a hole for it end at multiples of 2M, it lies at the end, as since Linux 6.8"},
    {"huge-zero-write", KEY_SWITCH, FIELD(variant.huge_zero_write), KEY_MACHINE | KEY_SCRIPT, .standard = "on",
     .help = "a write to the huge zero page gives a huge page, as since Linux 6.13; off: a small one"},
    {"stack-nohuge", KEY_SWITCH, FIELD(variant.stack_nohuge), KEY_MACHINE | KEY_SCRIPT, .standard = "on",
     .help = "memory of MAP_STACK gets no huge pages, as since Linux 6.7"},
    {"untouched-uncharged", KEY_SWITCH, FIELD(variant.untouched_uncharged), KEY_SCRIPT, .standard = "on",
     .help = "untouched memory that mprotect makes read-only is promised no longer, as since Linux 6.7"},
    {"populate-stops", KEY_SWITCH, FIELD(variant.populate_stops), KEY_SCRIPT, .standard = "on",
     .help = "MADV_POPULATE_READ and _WRITE end at the first hole; off: they pass over it, as in Linux 6.1"},
    {"swapin-writable", KEY_SWITCH, FIELD(variant.swapin_writable), KEY_MACHINE | KEY_SCRIPT, .standard = "on",
     .help = "a read that swaps a page in leaves it writable where it is its owner's alone; off: as Linux 6.1"},
    {"zeromap", KEY_SWITCH, FIELD(variant.zeromap), KEY_SCRIPT, .standard = "on",
     .help = "swap notes that a page is full of zeroes and does not write it, as since Linux 6.12"},
    {0},
};

struct vm_config machine_vm_config(const struct machine_config *c)
{
	return (struct vm_config){
	    .thp = c->thp,
	    .anon_order = c->anon_order,
	    .nr_hugepages = c->hugepages,
	    .thp_defrag = c->defrag,
	    .fragmentation = c->fragmentation,
	    .khugepaged = c->khugepaged ? &c->khugepaged_knobs : NULL,
	    .pagecache_cold = c->pagecache_cold,
	    .pcid = c->pcid,
	    .kpti = c->kpti,
	    .check = c->check,
	    .reclaim = c->reclaim,
	    .overcommit = c->overcommit,
	    .variant = &c->variant,
	    .swap_slots = c->swap_bytes >> PAGE_SHIFT,
	    .swap_rotational = c->swap_device->rotational,
	    .swap_synchronous = c->swap_device->synchronous,
	    .sysctl = &c->sysctl,
	};
}

/* ---- a key's value ---- */

u64 machine_key_value(const struct machine_key *k, const struct machine_config *c)
{
	u64 value = 0;

	memcpy(&value, (const char *)c + k->at, k->size);
	return value;
}

/* Little endian, as x86-64 is: the first bytes of a u64 are the smaller number. */
static void set_value(const struct machine_key *k, struct machine_config *c, u64 value)
{
	memcpy((char *)c + k->at, &value, k->size);
}

const struct machine_key *machine_key_find(const char *name)
{
	for (const struct machine_key *k = machine_keys; k->name; k++)
		if (strcmp(name, k->name) == 0)
			return k;
	return NULL;
}

static const char *const *words_of(const struct machine_key *k)
{
	return k->type == KEY_SWITCH ? on_off : k->words;
}

const char *machine_key_word(const struct machine_key *k, const struct machine_config *c)
{
	switch (k->type) {
	case KEY_SWITCH:
	case KEY_CHOICE:
		return words_of(k)[machine_key_value(k, c)];
	case KEY_CPU:
		return c->preset->name;
	case KEY_DEVICE:
		return c->swap_device->name;
	default:
		return NULL;
	}
}

/* "4M", "16T"; what is no whole number of units, in smaller ones. */
static void put_size(char out[32], u64 bytes)
{
	unsigned unit = 0;

	for (; bytes && bytes % 1024 == 0 && unit < 4; unit++)
		bytes /= 1024;
	snprintf(out, 32, "%llu%.1s", (unsigned long long)bytes, &"\0KMGT"[unit]);
}

void machine_key_text(const struct machine_key *k, const struct machine_config *c, char out[64])
{
	const char *word = machine_key_word(k, c);
	u64 value = machine_key_value(k, c);

	if (word)
		snprintf(out, 64, "%s", word);
	else if (k->type == KEY_SIZE)
		put_size(out, value);
	else if (k->type == KEY_SHARE)
		snprintf(out, 64, "%g", (double)value / 1000);
	else
		snprintf(out, 64, "%llu", (unsigned long long)value);
}

void machine_key_json(const struct machine_key *k, char out[64])
{
	snprintf(out, 64, "%s%s", k->name, k->type == KEY_SIZE ? "_bytes" : "");
	for (char *dash; (dash = strchr(out, '-'));)
		*dash = '_';
}

static void add_word(char *out, size_t n, const char *word)
{
	size_t len = strlen(out);

	snprintf(out + len, n - len, "%s%s", len ? ", " : "", word);
}

void machine_key_range(const struct machine_key *k, char *out, size_t n)
{
	char least[32], most[32];

	out[0] = 0;
	switch (k->type) {
	case KEY_SWITCH:
	case KEY_CHOICE:
		for (const char *const *w = words_of(k); *w; w++)
			add_word(out, n, *w);
		return;
	case KEY_CPU:
		for (const struct cpu_preset *p = cpu_presets; p->name; p++)
			add_word(out, n, p->name);
		add_word(out, n, "host");
		return;
	case KEY_DEVICE:
		for (const struct swap_device *d = swap_devices; d->name; d++)
			add_word(out, n, d->name);
		return;
	case KEY_SIZE:
		put_size(least, k->least);
		put_size(most, k->most);
		snprintf(out, n, "%s to %s", least, most);
		return;
	case KEY_SHARE:
		snprintf(out, n, "0 to 1");
		return;
	default:
		snprintf(out, n, "%llu to %llu", (unsigned long long)k->least, (unsigned long long)k->most);
	}
}

/* ---- the parser ---- */

int machine_size_parse(const char *text, u64 *bytes)
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

/* "0.25": from 0 to 1, up to three digits after the point. */
static bool share_parse(const char *text, u64 *per_mille)
{
	u64 n = 0;
	unsigned digits = 0;
	const char *p = text;

	if (*p == '0' || *p == '1')
		n = (u64)(*p++ - '0');
	if (p != text && *p == '.' && p[1])
		for (p++; *p >= '0' && *p <= '9' && digits < 3; digits++)
			n = 10 * n + (u64)(*p++ - '0');
	for (; digits < 3; digits++)
		n *= 10;
	*per_mille = n;
	return p != text && !*p && n <= 1000;
}

static bool word_parse(const char *const *words, const char *text, u64 *index)
{
	for (*index = 0; words[*index]; ++*index)
		if (strcmp(words[*index], text) == 0)
			return true;
	return false;
}

/* Sizes are for sizes alone: "4K" ticks a second are a mistake. */
static bool number_parse(const struct machine_key *k, const char *text, u64 *value)
{
	bool plain = k->type == KEY_SIZE || text[strspn(text, "0123456789")] == 0;

	return plain && machine_size_parse(text, value) == 0 && *value >= k->least && *value <= k->most;
}

static bool key_parse(const struct machine_key *k, struct machine_config *c, const char *text)
{
	u64 value;
	bool right;

	switch (k->type) {
	case KEY_SWITCH:
	case KEY_CHOICE:
		right = word_parse(words_of(k), text, &value);
		break;
	case KEY_SHARE:
		right = share_parse(text, &value);
		break;
	case KEY_CPU:
		value = (u64)(strcmp(text, "host") == 0 ? machine_host_cpu() : cpu_preset_find(text));
		right = value != 0;
		break;
	case KEY_DEVICE:
		value = (u64)swap_device_find(text);
		right = value != 0;
		break;
	default:
		right = number_parse(k, text, &value);
	}
	if (right)
		set_value(k, c, value);
	return right;
}

/* The value's kind in words, for a message: "one of", "a size from", ... */
static int refuse(const struct machine_key *k, const char *value, char err[MACHINE_ERR])
{
	char range[120];
	const char *kind = k->type == KEY_SIZE     ? "a size from "
			   : k->type == KEY_NUMBER ? "a number from "
			   : k->type == KEY_SHARE  ? "a share from "
						   : "one of: ";
	const char *example = k->type == KEY_SIZE ? " (512M, 4G)" : k->type == KEY_SHARE ? ", such as 0.25" : "";

	if (k->type == KEY_CPU && strcmp(value, "host") == 0) {
		snprintf(err, MACHINE_ERR, "%s: quire cpus has no model of this computer's", k->name);
		return -1;
	}
	machine_key_range(k, range, sizeof(range));
	snprintf(err, MACHINE_ERR, "%s: '%.60s' is not %s%s%s", k->name, value, kind, range, example);
	return -1;
}

int machine_key_set(struct machine_config *c, unsigned where, const char *key, const char *value, char err[MACHINE_ERR])
{
	char all[MACHINE_ERR - 40] = "";
	const struct machine_key *known = machine_key_find(key);

	if (known && (known->where & where))
		return key_parse(known, c, value) ? 0 : refuse(known, value, err);
	for (const struct machine_key *k = machine_keys; k->name; k++)
		if (k->where & where)
			add_word(all, sizeof(all), k->name);
	snprintf(err, MACHINE_ERR, "'%.16s' is not one of: %s", key, all);
	return -1;
}

void machine_config_default(struct machine_config *c)
{
	*c = (struct machine_config){.swap_bytes = MACHINE_SWAP_AUTO, .khugepaged_knobs = vm_khugepaged_defaults};
	for (const struct machine_key *k = machine_keys; k->name; k++)
		if (!k->computed && !key_parse(k, c, k->standard))
			abort(); /* the table contradicts itself: every test meets it */
}

/* The host's RAM rounded up to whole GiB, at most 16 GiB. The machine's RAM is reserved, not taken: what is used of it
 * are page tables and 32 bytes for each frame in use. */
static u64 ram_default(void)
{
	u64 host = (u64)sysconf(_SC_PHYS_PAGES) * (u64)sysconf(_SC_PAGE_SIZE);

	return min(ALIGN_UP(host, PUD_SIZE), RAM_DEFAULT_MAX);
}

/* Twice the RAM, as installers give it, but so much that a program of 1 GiB gets through in little RAM. */
static u64 swap_default(u64 ram_bytes)
{
	return min(max(2 * ram_bytes, min(8 * ram_bytes, SWAP_LEAST)), SWAP_MAX);
}

/* What was left open; and what fits together. */
static int complete(struct machine_config *c, char err[MACHINE_ERR])
{
	if (c->ram_bytes == 0)
		c->ram_bytes = ram_default();
	if (c->swap_bytes == MACHINE_SWAP_AUTO)
		c->swap_bytes = swap_default(c->ram_bytes);
	if (c->hugepages * PMD_SIZE > c->ram_bytes / 2) {
		snprintf(err, MACHINE_ERR, "hugepages: at most half of the RAM can be set aside");
		return -1;
	}
	if (c->swap_bytes / SWAP_PER_RAM <= c->ram_bytes)
		return 0;
	snprintf(err, MACHINE_ERR, "swap: at most %u times the RAM: its table must fit", SWAP_PER_RAM);
	return -1;
}

static int set_name(struct machine_config *c, const char *name, char err[MACHINE_ERR])
{
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

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(name, names[i].name) == 0) {
			c->thp = names[i].thp;
			c->anon_order = names[i].anon_order;
			return 0;
		}
	}
	snprintf(err, MACHINE_ERR, "machine: '%.60s' is not one of: 4k, thp, madvise, 2m, 1g", name);
	return -1;
}

int machine_parse(const char *text, const struct machine_config *defaults, struct machine_config *out,
		  char err[MACHINE_ERR])
{
	char copy[sizeof(out->name)], *rest = copy, *word;

	if (strlen(text) >= sizeof(copy)) {
		snprintf(err, MACHINE_ERR, "machine: '%.40s...' is longer than %zu characters", text, sizeof(copy) - 1);
		return -1;
	}
	strcpy(copy, text);
	if (defaults)
		*out = *defaults;
	else
		machine_config_default(out);
	strcpy(out->name, text);
	if (set_name(out, strsep(&rest, ","), err) != 0)
		return -1;
	while ((word = strsep(&rest, ",")) != NULL) {
		char *value = strchr(word, '=');

		if (!value) {
			snprintf(err, MACHINE_ERR, "machine: '%.60s' in '%.60s' is not key=value", word, text);
			return -1;
		}
		*value++ = 0;
		if (machine_key_set(out, KEY_MACHINE, word, value, err) != 0)
			return -1;
	}
	return complete(out, err);
}

static struct machine_config *cure_add(const struct machine_config *base, struct machine_config *cure, unsigned *nr,
				       enum machine_cure what, const char *name)
{
	struct machine_config *c = &cure[(*nr)++];

	*c = *base;
	c->cure = (u8)what;
	strcpy(c->name, name);
	return c;
}

unsigned machine_cures(const struct machine_config *base, struct machine_config *cure)
{
	struct machine_config *c;
	unsigned nr = 0;

	if (!base->malloc_thp) {
		c = cure_add(base, cure, &nr, CURE_MALLOC, "madvise,malloc-thp=on");
		c->thp = VM_THP_MADVISE;
		c->malloc_thp = true;
	}
	if (base->kpti)
		cure_add(base, cure, &nr, CURE_KPTI, "4k,kpti=off")->kpti = false;
	if (!base->pcid && base->preset->pcid)
		cure_add(base, cure, &nr, CURE_PCID, "4k,pcid=on")->pcid = true;
	if (base->ram_bytes < ram_default()) {
		c = cure_add(base, cure, &nr, CURE_RAM, "4k,ram=");
		c->ram_bytes = ram_default();
		put_size(c->name + strlen(c->name), c->ram_bytes);
	}
	return nr;
}
