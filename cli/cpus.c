/* SPDX-License-Identifier: MIT
 *
 * cli/cpus.c - `quire cpus`: the CPUs that can be simulated (mmu/presets.c), each figure with its source.
 */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "mmu/mmu.h"
#include "report/format.h"

#define INDENT 6
#define WIDTH  79

static void put_source(const char *source)
{
	char line[1024];

	if (source == NULL)
		return;
	snprintf(line, sizeof(line), "source: %s", source);
	fmt_wrap(stdout, INDENT, WIDTH, line);
}

/* "4K+2M" */
static struct fmt sizes_text(unsigned sizes)
{
	static const char name[MMU_NSIZES][3] = {"4K", "2M", "1G"};
	struct fmt f = {""};

	for (unsigned i = 0; i < MMU_NSIZES; i++) {
		if (!(sizes >> i & 1))
			continue;
		if (f.s[0] != '\0')
			strcat(f.s, "+");
		strcat(f.s, name[i]);
	}
	return f;
}

static void put_level(const char *name, const struct tlb_level_config *level)
{
	static const char *const replace[] = {
	    [MMU_LRU] = "LRU", [MMU_TREE_PLRU] = "tree-PLRU", [MMU_RANDOM] = "random", [MMU_FIFO] = "FIFO"};

	for (unsigned i = 0; i < MMU_MAX_ARRAYS && level->array[i].ways != 0; i++) {
		const struct tlb_array_config *a = &level->array[i];

		printf("  %-8s %-9s %5u entries, ", name, sizes_text(a->sizes).s, a->sets * a->ways);
		if (a->sets == 1)
			printf("fully associative");
		else
			printf("%u sets x %u ways%s", a->sets, a->ways, a->index == MMU_INDEX_XOR ? ", XOR index" : "");
		printf(", %s\n", replace[a->replace]);
		put_source(a->source);
	}
}

static void put_cpu(const struct cpu_preset *p)
{
	printf("%s: %s\n", p->name, p->title);
	put_level("L1 data", &p->l1d);
	put_level("L1 code", &p->l1i);
	put_level(p->l2i.array[0].ways != 0 ? "L2 data" : "L2", &p->l2);
	put_level("L2 code", &p->l2i);
	printf("  paging-structure caches: PML4E %u, PDPTE %u, PDE %u entries\n", p->psc.entries[X86_PML4],
	       p->psc.entries[X86_PDPT], p->psc.entries[X86_PD]);
	put_source(p->psc.source);
	printf("  caches that tables lie in: L2 %s, L3 %s\n", fmt_bytes(p->cache.l2_bytes).s,
	       fmt_bytes(p->cache.l3_bytes).s);
	put_source(p->cache.source);
	printf("  PCID: %s; 1G pages: %s; what walks cost: quire costs --cpu %s\n", p->pcid ? "yes" : "no",
	       p->gbpages_smashed ? "cached as 2M entries" : "cached as such", p->name);
}

/* Names first, so that a mistake in the last one prints nothing but the error. */
static int check_names(char **names)
{
	for (; *names != NULL; names++) {
		if (cpu_preset_find(*names) != NULL)
			continue;
		fprintf(stderr, "quire cpus: no such CPU: %s (there are", *names);
		for (const struct cpu_preset *p = cpu_presets; p->name != NULL; p++)
			fprintf(stderr, " %s", p->name);
		fprintf(stderr, ")\n");
		return EXIT_QUIRE;
	}
	return 0;
}

int cmd_cpus(int argc, char **argv)
{
	static const struct argp argp = {
	    .args_doc = "[NAME...]",
	    .doc = "Lists the CPUs that `quire run --cpu NAME` can simulate, each figure with its source.",
	};
	int first;

	argp_parse(&argp, argc, argv, 0, &first, NULL);
	if (check_names(argv + first) != 0)
		return EXIT_QUIRE;
	if (first < argc) {
		for (char **name = argv + first; *name != NULL; name++)
			put_cpu(cpu_preset_find(*name));
		return 0;
	}
	for (const struct cpu_preset *p = cpu_presets; p->name != NULL; p++) {
		if (p != cpu_presets)
			putchar('\n');
		put_cpu(p);
	}
	return 0;
}
