/* SPDX-License-Identifier: MIT
 *
 * measure/model.c - the model (mmu/presets.c) beside what was measured: whether the preset of this CPU has as many TLB
 * entries.
 */
#include "measure/measure.h"

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
