/* SPDX-License-Identifier: MIT
 *
 * mmu/presets.c - real CPUs as data, each figure with its source.
 *
 * CPUID dumps: github.com/InstLatx64/InstLatx64 (leaves 2, 4, 18h of Intel; 80000005h, 80000006h, 80000019h of AMD). From
 * Zen 5 on the L2 TLBs' figures there are in units of 32, which bit 14 of 80000021h EAX says (Linux 228200f695c0).
 * NewMemLat: the latency measurements of the same repository. TLB;DR: the tool's README at github.com/vusec/tlbdr.
 *
 * Left out everywhere: AMD's coalescing of four 4K entries, Intel's store-only data TLB, and the few PCIDs that a real
 * TLB tells apart at once.
 *
 * Paging-structure caches: Intel publishes no sizes, so Intel's take what the ChampSim simulator takes by default (2
 * PML5E, 4 PML4E, 8 PDPTE, 32 PDE). AMD's Zen has a 64-entry page directory cache for PML4E and PDPTE, and PDEs live in
 * the L2 data TLB; they are modelled as a cache of their own of half that size, about what they hold of it when uniform
 * random misses compete with them.
 *
 * What a hit and a walk cost is in cost/cost.c.
 */
#include "mmu/mmu.h"

#define B4K (1u << MMU_4K)
#define B2M (1u << MMU_2M)
#define B1G (1u << MMU_1G)

#define ARRAY(sizes_, sets_, ways_, replace_, source_)                                                                 \
	{                                                                                                              \
		.sizes = (sizes_), .sets = (sets_), .ways = (ways_), .replace = (replace_), .source = source_          \
	}

#define ZEN_PSC(pde_)                                                                                                  \
	{                                                                                                              \
		.entries = {[2] = (pde_), [3] = 64, [4] = 64, [5] = 64},                                               \
		.source = "64-entry page directory cache, PDEs in the L2 TLB: WikiChip Zen 2, chipsandcheese; here "   \
			  "apart by level, PDEs half of the L2 TLB's size"                                             \
	}
#define INTEL_PSC                                                                                                      \
	{                                                                                                              \
		.entries = {[2] = 32, [3] = 8, [4] = 4, [5] = 2},                                                      \
		.source = "not published; ChampSim's defaults (champsim_config.json)"                                  \
	}

const struct cpu_preset cpu_presets[] = {
    {
	.name = "zen3",
	.title = "AMD Zen 3 (EPYC Milan)",
	.l1i = {{ARRAY(B4K | B2M | B1G, 1, 64, MMU_LRU, "CPUID Milan 0A00F11: 64, full; LRU assumed as in L1D")}},
	.l1d = {{ARRAY(
	    B4K | B2M | B1G, 1, 64, MMU_LRU,
	    "CPUID Milan 0A00F11: 64, full; LRU-like measured on Milan: 64 pages cyclic 0 misses, 72 pages all")}},
	.l2 = {{ARRAY(B4K | B2M, 512, 4, MMU_LRU,
		      "CPUID Milan 0A00F11: 2048; measured on Milan: behaves as 512 sets x 4, LRU-like within a set"),
		ARRAY(B1G, 1, 64, MMU_LRU, "CPUID Milan 80000019: 1G 64, full")}},
	.l2i = {{ARRAY(B4K, 128, 4, MMU_LRU, "CPUID Milan 0A00F11: 512, 4K 4-way; LRU assumed"),
		 ARRAY(B2M, 256, 2, MMU_LRU, "CPUID Milan 0A00F11: 512, 2M 2-way; LRU assumed")}},
	.psc = ZEN_PSC(1024),
	.cache = {512 << 10, 32768 << 10, 8, "CPUID Milan 0A00F11: 512K; 32M for 8 cores"},
	.pcid = true,
    },
    {
	.name = "zen2",
	.title = "AMD Zen 2 (EPYC Rome)",
	.l1i = {{ARRAY(B4K | B2M, 1, 64, MMU_LRU, "CPUID Rome 0830F10: 64, full; LRU assumed")}},
	.l1d = {{ARRAY(B4K | B2M, 1, 64, MMU_LRU, "CPUID Rome 0830F10: 64, full; LRU assumed")}},
	.l2 = {{ARRAY(B4K | B2M, 256, 8, MMU_LRU,
		      "CPUID Rome 0830F10: 2048, 4K 8..15-way, taken as 8; no 1G (80000019.EBX = 0); LRU assumed")}},
	.l2i = {{ARRAY(B4K | B2M, 64, 8, MMU_LRU,
		       "512/8 as 7-cpu.com and others say (CPUID Rome says 1024: conflict); LRU assumed")}},
	.psc = ZEN_PSC(1024),
	.cache = {512 << 10, 16384 << 10, 4, "CPUID Rome 0830F10: 512K; 16M for 4 cores"},
	.gbpages_smashed = true,
    },
    {
	.name = "zen4",
	.title = "AMD Zen 4 (EPYC Genoa)",
	.l1i = {{ARRAY(B4K | B2M | B1G, 1, 64, MMU_LRU, "CPUID Genoa 0A10F11: 64, full; LRU assumed")}},
	.l1d = {{ARRAY(B4K | B2M | B1G, 1, 72, MMU_LRU, "CPUID Genoa 0A10F11: 72, full; LRU assumed")}},
	.l2 = {{ARRAY(B4K | B2M, 256, 12, MMU_LRU,
		      "CPUID Genoa 0A10F11: 3072, 4K 8..15-way: 256 x 12 fits; 2M is 6..7-way there; LRU assumed"),
		ARRAY(B1G, 1, 64, MMU_LRU, "CPUID Genoa 80000019: 1G 64, full")}},
	.l2i = {{ARRAY(B4K, 128, 4, MMU_LRU, "CPUID Genoa 0A10F11: 512, 4K 4-way; LRU assumed"),
		 ARRAY(B2M, 256, 2, MMU_LRU, "CPUID Genoa 0A10F11: 512, 2M 2-way; LRU assumed")}},
	.psc = ZEN_PSC(1536),
	.cache = {1024 << 10, 32768 << 10, 8, "CPUID Genoa 0A10F11: 1M; 32M for 8 cores"},
	.pcid = true,
    },
    {
	.name = "zen5",
	.title = "AMD Zen 5 (EPYC Turin)",
	.l1i = {{ARRAY(B4K | B2M | B1G, 1, 64, MMU_LRU, "CPUID Turin 0B00F21: 64, full; LRU assumed")}},
	.l1d = {{ARRAY(
	    B4K | B2M | B1G, 1, 96, MMU_LRU,
	    "CPUID Turin 0B00F21: 96, full; LRU-like measured on Turin: 96 pages cyclic all hit, 104 all miss")}},
	.l2 = {{ARRAY(B4K | B2M, 256, 16, MMU_LRU,
		      "CPUID Turin 0B00F21, in units of 32 (80000021.EAX[14]): 4096, 4K 8..15-way, 2M 4-way: 256 x 16 "
		      "fits; AMD at Hot Chips 2024: 4K; LRU assumed"),
		ARRAY(B1G, 256, 4, MMU_LRU,
		      "CPUID Turin 80000019.EBX, in units of 32: 1024, 4-way (AMD's slide: no 1G: conflict)")}},
	.l2i = {{ARRAY(B4K, 512, 4, MMU_LRU, "CPUID Turin 0B00F21, in units of 32: 2048, 4K 4-way; LRU assumed"),
		 ARRAY(B2M, 1024, 2, MMU_LRU, "CPUID Turin 0B00F21, in units of 32: 2048, 2M 2-way; LRU assumed")}},
	.psc = ZEN_PSC(2048),
	.cache = {1024 << 10, 32768 << 10, 8, "CPUID Turin 0B00F21: 1M; 32M for 8 cores"},
	.pcid = true,
    },
    {
	.name = "skylake",
	.title = "Intel Skylake-SP, Cascade Lake",
	.l1i = {{ARRAY(B4K, 16, 8, MMU_TREE_PLRU, "TLB;DR: 16 x 8, linear, tree-PLRU (optimization manual: 128/8)"),
		 ARRAY(B2M, 1, 8, MMU_TREE_PLRU, "CPUID Skylake-SP 0050654 leaf 2: 8, full; policy assumed")}},
	.l1d = {{ARRAY(B4K, 16, 4, MMU_TREE_PLRU, "TLB;DR: 16 x 4, linear, tree-PLRU; CPUID 0050654: 64/4"),
		 ARRAY(B2M, 8, 4, MMU_TREE_PLRU, "CPUID Skylake-SP 0050654: 32/4; policy assumed"),
		 ARRAY(B1G, 1, 4, MMU_TREE_PLRU, "CPUID Skylake-SP 0050654: 4/4; policy assumed")}},
	.l2 = {{{.sizes = B4K | B2M,
		 .sets = 128,
		 .ways = 12,
		 .replace = MMU_TREE_PLRU,
		 .index = MMU_INDEX_XOR,
		 .source =
		     "TLB;DR: 128 x 12, XOR-7, three groups of 4-way PLRU; NewMemLat SkylakeX: 1536/12, 4K and 2M"},
		ARRAY(B1G, 4, 4, MMU_TREE_PLRU, "NewMemLat SkylakeX: 1G 16/4; policy assumed")}},
	.psc = INTEL_PSC,
	.cache = {1024 << 10, 39424 << 10, 28, "CPUID Cascade Lake 0050657 (Platinum 8280): 1M; 38.5M for 28 cores"},
	.pcid = true,
    },
    {
	.name = "icelake",
	.title = "Intel Ice Lake-SP (Sunny Cove)",
	.l1i = {{ARRAY(B4K, 16, 8, MMU_TREE_PLRU, "NewMemLat Rocket Lake, the same core: 128/8; policy as Skylake's"),
		 ARRAY(B2M, 2, 8, MMU_TREE_PLRU, "NewMemLat Rocket Lake, the same core: 16/8; policy as Skylake's")}},
	.l1d = {{ARRAY(B4K, 16, 4, MMU_TREE_PLRU, "CPUID Ice Lake-SP 00606A6: loads 64/4; policy as Skylake's"),
		 ARRAY(B2M, 8, 4, MMU_TREE_PLRU, "CPUID Ice Lake-SP 00606A6: loads 32/4; policy as Skylake's"),
		 ARRAY(B1G, 1, 8, MMU_TREE_PLRU, "CPUID Ice Lake-SP 00606A6: loads 8, full; policy as Skylake's")}},
	.l2 = {{ARRAY(B4K | B2M, 128, 8, MMU_TREE_PLRU, "CPUID Ice Lake-SP 00606A6: 1024/8, 4K and 2M; policy assumed"),
		ARRAY(B4K | B1G, 128, 8, MMU_TREE_PLRU,
		      "CPUID Ice Lake-SP 00606A6: 1024/8, 4K and 1G; policy assumed")}},
	.psc = INTEL_PSC,
	.cache = {1280 << 10, 43008 << 10, 28, "CPUID Ice Lake-SP 00606A6 (Gold 6330): 1.25M; 42M for 28 cores"},
	.pcid = true,
    },
    {
	.name = "goldencove",
	.title = "Intel Sapphire and Emerald Rapids (Golden Cove)",
	.l1i = {{ARRAY(B4K, 32, 8, MMU_TREE_PLRU, "CPUID Sapphire Rapids 00806F8: 256/8; policy as Skylake's"),
		 ARRAY(B2M, 4, 8, MMU_TREE_PLRU, "CPUID Sapphire Rapids 00806F8: 32/8; policy as Skylake's")}},
	.l1d =
	    {{ARRAY(
		  B4K,
		  16, 6, MMU_LRU,
		  "Intel: 96; CPUID Granite Rapids 00A06D1: 96/6 (Sapphire Rapids' says 64/4: conflict); LRU assumed"),
	      ARRAY(B2M, 8, 4, MMU_TREE_PLRU, "CPUID Sapphire Rapids 00806F8: 32/4; policy as Skylake's"),
	      ARRAY(B1G, 1, 8, MMU_TREE_PLRU, "CPUID Sapphire Rapids 00806F8: 8, full; policy as Skylake's")}},
	.l2 = {{ARRAY(B4K | B2M, 128, 8, MMU_TREE_PLRU,
		      "CPUID Sapphire Rapids 00806F8: 1024/8, 4K and 2M; policy assumed"),
		ARRAY(B4K | B1G, 128, 8, MMU_TREE_PLRU,
		      "CPUID Sapphire Rapids 00806F8: 1024/8, 4K and 1G; policy assumed")}},
	.psc = INTEL_PSC,
	.cache = {2048 << 10, 53760 << 10, 28, "CPUID Emerald Rapids 00C06F2 (Gold 5520+): 2M; 52.5M for 28 cores"},
	.pcid = true,
    },
    {.name = NULL},
};

static bool name_equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

const struct cpu_preset *cpu_preset_find(const char *name)
{
	for (const struct cpu_preset *p = cpu_presets; p->name; p++)
		if (name_equal(p->name, name))
			return p;
	return NULL;
}
