/* SPDX-License-Identifier: MIT
 *
 * measure/model.c - the model (mmu/presets.c) beside what was measured: which preset the CPU that runs this is, and
 * whether it has as many TLB entries.
 *
 * Only CPUs whose CPUID dumps the presets cite are taken for them: InstLatx64's 0050654 and 0050657 (Skylake-SP, Cascade
 * Lake), 00606A6 (Ice Lake-SP), 00806F8 and 00C06F2 (Sapphire, Emerald Rapids), 0830F10 (Rome), 0A00F11 (Milan), 0A10F11
 * (Genoa). Of those the stepping is left open.
 */
#include <string.h>

#include "measure/measure.h"

static const struct {
	u32 signature; /* CPUID leaf 1 EAX, stepping 0 */
	const char *preset;
} known[] = {
    {0x50650, "skylake"}, {0x606a0, "icelake"}, {0x806f0, "goldencove"}, {0xc06f0, "goldencove"},
    {0x830f10, "zen2"},   {0xa00f10, "zen3"},   {0xa10f10, "zen4"},
};

const struct cpu_preset *model_of_host(void)
{
	u32 signature = 1, ebx, ecx, edx;

	__asm__ volatile("cpuid" : "+a"(signature), "=b"(ebx), "=c"(ecx), "=d"(edx));
	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		if ((signature & ~15u) == known[i].signature)
			return cpu_preset_find(known[i].preset);
	return NULL;
}

u32 model_entries(const struct tlb_level_config *level)
{
	u32 entries = 0;

	for (unsigned i = 0; i < MMU_MAX_ARRAYS && level->array[i].ways != 0; i++)
		if (level->array[i].sizes >> MMU_4K & 1)
			entries += level->array[i].sets * level->array[i].ways;
	return entries;
}

bool model_agrees(u32 entries, struct tlb_level found)
{
	return found.least <= entries && (found.most == 0 || entries <= found.most);
}
