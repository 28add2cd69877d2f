/* SPDX-License-Identifier: MIT
 *
 * machine/device.h - what a swap device, or a disk of files, costs.
 */
#ifndef MACHINE_DEVICE_H
#define MACHINE_DEVICE_H

#include "lib/types.h"

struct swap_device {
	const char *name;
	bool rotational;                 /* it seeks: read-ahead by slots */
	bool synchronous;                /* no disk: a page goes as it is written, and comes back alone (mm/swap.c) */
	u64 read_ns, write_ns;           /* one request: from its issue to its first byte */
	u64 read_per_sec, write_per_sec; /* bytes, within a request */
	const char *source;
};

extern const struct swap_device swap_devices[];               /* the first is the default; name NULL ends */
const struct swap_device *swap_device_find(const char *name); /* NULL: there is none */
/* The disk that holds the files of a machine with this swap device. */
const struct swap_device *swap_device_files(const struct swap_device *dev);
/* Time for `requests` reads or writes, one after the other, of `pages` pages in all; ns. */
u64 swap_device_read_ns(const struct swap_device *dev, u64 requests, u64 pages);
u64 swap_device_write_ns(const struct swap_device *dev, u64 requests, u64 pages);

#endif
