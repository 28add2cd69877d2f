/* SPDX-License-Identifier: MIT
 *
 * machine/device.h - swap devices, and disks of files.
 */
#ifndef MACHINE_DEVICE_H
#define MACHINE_DEVICE_H

#include "lib/types.h"

struct swap_device {
	const char *name;
	bool rotational;  /* it seeks: read-ahead by slots */
	bool synchronous; /* no disk: a page goes as it is written, and comes back alone (mm/swap.c) */
};

extern const struct swap_device swap_devices[];               /* the first is the default; name NULL ends */
const struct swap_device *swap_device_find(const char *name); /* NULL: there is none */
/* The disk that holds the files of a machine with this swap device. */
const struct swap_device *swap_device_files(const struct swap_device *dev);

#endif
