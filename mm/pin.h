/* SPDX-License-Identifier: MIT
 *
 * mm/pin.h - pages that somebody besides the page tables refers to. vm_hold() and vm_release() are in vm.h.
 */
#ifndef MM_PIN_H
#define MM_PIN_H

#include "mm/internal.h"

/* Is a frame of the block held? Then it stays where it is. */
bool page_is_held(struct vm *vm, const struct page *head);
/* Linux's folio_maybe_dma_pinned(): a page with 1,024 mappings looks so, too. */
bool page_maybe_pinned(const struct page *head);
/* The checker's: references of all holds, taken down or put back; *nr: how many frames are held. */
void pin_count_refs(struct vm *vm, s32 delta, u64 *nr);

#endif
