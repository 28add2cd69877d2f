/* SPDX-License-Identifier: MIT
 *
 * machine/device.c - the devices that a machine may swap to, and how the OS half uses each. What they cost is in cost/.
 *
 * zram is no device: a page is compressed and decompressed by the CPU. Its memory is not taken from the machine's RAM.
 */
#include <string.h>

#include "machine/device.h"

const struct swap_device swap_devices[] = {
    {.name = "nvme"}, {.name = "sata"}, {.name = "hdd", .rotational = true}, {.name = "zram", .synchronous = true}, {0},
};

const struct swap_device *swap_device_find(const char *name)
{
	for (const struct swap_device *dev = swap_devices; dev->name; dev++)
		if (strcmp(dev->name, name) == 0)
			return dev;
	return NULL;
}

const struct swap_device *swap_device_files(const struct swap_device *dev)
{
	return dev->synchronous ? &swap_devices[0] : dev;
}
