/* SPDX-License-Identifier: MIT
 *
 * machine/config.h - a simulated computer in words: "thp,cpu=zen4,ram=2G". One table has a row for each key; the
 * parser, the command's options, --help, the man page, docs/json.md, docs/scripts.md and the JSON are made from it.
 *
 *   a row of machine_keys[] --> KEY=VALUE of --machine      machine_key_set()
 *                           --> --KEY VALUE, all machines   cli/run.c
 *                           --> `# machine:` of a script    play/parse_head.c
 *                           --> machines[].KEY in the JSON  report/json.c
 *                           --> the documents' tables       tools/docs.c
 *
 * A new key is a field here, its row in config.c, and the place that reads the field (machine_vm_config() for mm/'s).
 */
#ifndef MACHINE_CONFIG_H
#define MACHINE_CONFIG_H

#include "machine/device.h"
#include "mm/vm.h"
#include "mmu/mmu.h"

#define MACHINE_MAX_CPUS 64
#define MACHINE_ERR      256 /* bytes of a message */

struct cost_changes;

/* Values by the key's type: machine_keys[]. */
struct machine_config {
	char name[128]; /* as given: "thp,cpu=zen4" */
	u8 anon_order;  /* by the name's first word: 0, 9 or 18 */
	const struct cpu_preset *preset;
	const struct swap_device *swap_device;
	enum vm_thp thp;
	enum vm_thp_defrag defrag;
	enum vm_reclaim_policy reclaim;
	enum vm_overcommit overcommit;
	u64 ram_bytes;     /* 0: the parser chooses, by the host's */
	void *ram;         /* the caller's, page aligned, with what it happens to hold; NULL: the machine's own */
	u64 swap_bytes;    /* 0: none. MACHINE_SWAP_AUTO: the parser chooses, by the RAM */
	u64 hugepages;     /* 2M pages set aside for MAP_HUGETLB; 0: no pool */
	u16 fragmentation; /* per mille */
	u16 hz;            /* timer ticks a second */
	u8 cpus;           /* 1..64; 0 = one a thread */
	struct vm_sysctl sysctl;
	bool khugepaged;
	struct vm_khugepaged khugepaged_knobs;
	bool pcid, kpti;
	u8 host_page;    /* of a host below: 0 none, 1 4K, 2 2M, 3 1G */
	bool malloc_thp; /* malloc asks for huge pages, as glibc's can */
	bool kernel;     /* entries touch the kernel's own pages */
	bool pagecache_cold;
	struct vm_variant variant;        /* which Linux */
	const struct cost_changes *costs; /* costs that were replaced (cost/file.c); NULL: none */
	u8 check;                         /* 0..3 */
	u8 oracle;                        /* 0, 1 */
	u8 cure;                          /* enum machine_cure */
};

/* A machine that runs beside those that are compared, and shows what a remedy does. CURE_NONE: it is one of those. */
enum machine_cure { CURE_NONE, CURE_MALLOC, CURE_KPTI, CURE_PCID, CURE_RAM, CURE_NR };
#define MACHINE_SWAP_AUTO (~0ull)

enum machine_key_type {
	KEY_SWITCH, /* on, off. The JSON has a boolean */
	KEY_CHOICE, /* one of words[], stored as its index. The JSON has the word */
	KEY_NUMBER, /* least..most */
	KEY_SIZE,   /* bytes, least..most; K, M, G, T */
	KEY_SHARE,  /* 0 to 1, stored per mille */
	KEY_CPU,    /* a preset's name */
	KEY_DEVICE, /* a swap device's name */
};

/* Where a key means something: in --machine NAME,KEY=VALUE; in `# machine:` of a script; as the option --KEY VALUE for
 * all machines. */
enum { KEY_MACHINE = 1, KEY_SCRIPT = 2, KEY_OPTION = 4, KEY_RUN = KEY_MACHINE | KEY_OPTION };

struct machine_key {
	const char *name;
	u8 type;         /* enum machine_key_type */
	u8 size;         /* bytes of its field */
	u8 where;        /* KEY_MACHINE and so on, or-ed */
	char letter;     /* of the option of `quire run` that sets it for all machines; 0: it has its long name only */
	u16 at;          /* offset of the field in struct machine_config */
	u64 least, most; /* KEY_NUMBER, KEY_SIZE */
	const char *const *words; /* KEY_CHOICE, NULL-terminated */
	const char *standard;     /* the value without the key, in its own words */
	bool computed;            /* standard says how it is chosen, and is no value */
	const char *help;         /* what it is: the beginning of a sentence */
};
extern const struct machine_key machine_keys[]; /* name NULL ends */

/* All standard values; those that are computed are still open, and the name is empty. */
void machine_config_default(struct machine_config *c);
const struct machine_key *machine_key_find(const char *name); /* NULL: there is none */
/* Returns 0, or -1 with a line in err that says what is wrong and what would be right. where: one of KEY_MACHINE
 * and so on. */
int machine_key_set(struct machine_config *c, unsigned where, const char *key, const char *value,
		    char err[MACHINE_ERR]);
/* Parses "NAME[,key=value...]": names 4k, thp, madvise, 2m, 1g. defaults: what the options said, or NULL. Completes
 * what was left open, and checks what must fit together. Returns 0, or -1 with err as above. */
int machine_parse(const char *text, const struct machine_config *defaults, struct machine_config *out,
		  char err[MACHINE_ERR]);
/* base with a remedy each, into cure[CURE_NR]: malloc that asks for huge pages; no KPTI, PCIDs, all the RAM that a machine
 * has by itself, where base is without. Returns how many. */
unsigned machine_cures(const struct machine_config *base, struct machine_config *cure);
/* "64M", "4G", "1048576": bytes. Returns 0 or -1. */
int machine_size_parse(const char *text, u64 *bytes);

/* A key's field as a number; KEY_CPU and KEY_DEVICE have a word instead (machine_key_word). */
u64 machine_key_value(const struct machine_key *k, const struct machine_config *c);
/* NULL where the value is no word. */
const char *machine_key_word(const struct machine_key *k, const struct machine_config *c);
/* The value as one would write it: "on", "64", "2G", "0.25", "zen3". */
void machine_key_text(const struct machine_key *k, const struct machine_config *c, char out[64]);
/* "on, off", "1 to 64", "lru2, mglru, ...": what may be said. */
void machine_key_range(const struct machine_key *k, char *out, size_t n);
/* The JSON's name of it: - becomes _, and sizes end in _bytes. */
void machine_key_json(const struct machine_key *k, char out[64]);

/* What the OS half of such a machine is told; ram_base, swap_ops and the like are the caller's. Points into c. */
struct vm_config machine_vm_config(const struct machine_config *c);

#endif
