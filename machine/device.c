/* SPDX-License-Identifier: MIT
 *
 * machine/device.c - the model of a device: each request waits for its latency, each page for its transfer.
 *
 *   a read of n pages:  |--- latency ---|- page -|- page -| ... n
 *
 * A fault waits for the whole request, read-ahead included. Writes happen beside the program: their time is the
 * device's, and delays no read. Requests do not overlap or queue, and a disk seeks as far as it does on average for
 * each. So the times are what one program with one thread would wait for on an idle device.
 *
 * zram is no device: a page is compressed and decompressed by the CPU. Its memory is not taken from the machine's RAM.
 */
#include <string.h>

#include "machine/device.h"
#include "x86/paging.h"

#define MB 1000000ull

const struct swap_device swap_devices[] = {
    {"nvme", false, false, 85000, 20000, 3200 * MB, 1050 * MB,
     "Intel DC P4500 2 TB, Lenovo product guide: random access latency 85/20 us, sequential 3.2/1.05 GB/s"},
    {"sata", false, false, 110000, 52000, 500 * MB, 490 * MB,
     "Intel DC S4600 product specification: random latency 110/52 us, sequential 500/490 MB/s"},
    {"hdd", true, false, 7400000 + 4160000, 8200000 + 4160000, 249 * MB, 249 * MB,
     "WD Ultrastar DC HC310 specification 4.5.1: average seek 7.4/8.2 ms, half a turn at 7200 rpm 4.16 ms; "
     "Seagate BarraCuda Pro, as fast: 249 MB/s sustained"},
    {"zram", false, true, 0, 0, 4970 * MB, 780 * MB,
     "LZ4 1.9.0, its README's benchmark (Silesia corpus, one core of an i7-9700K): 4970 MB/s out, 780 MB/s in"},
    {0},
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
	return dev->read_ns ? dev : &swap_devices[0];
}

static u64 transfer_ns(u64 pages, u64 per_sec)
{
	return (u64)((unsigned __int128)pages * PAGE_SIZE * 1000000000 / per_sec);
}

u64 swap_device_read_ns(const struct swap_device *dev, u64 requests, u64 pages)
{
	return requests * dev->read_ns + transfer_ns(pages, dev->read_per_sec);
}

u64 swap_device_write_ns(const struct swap_device *dev, u64 requests, u64 pages)
{
	return requests * dev->write_ns + transfer_ns(pages, dev->write_per_sec);
}
