/* SPDX-License-Identifier: MIT
 *
 * plugin/plugin.c - QEMU loads the plugin. plugin.h draws its parts.
 *
 * The same object is QEMU's plugin and is preloaded into it (interpose.c). It needs what `quire run` puts into QEMU's
 * environment, and keeps from the program's: QUIRE_HUB, the number of the hub's descriptor, which is closed once mapped
 * so that the program finds its descriptors as usual; QUIRE_PROGRAM, the path of the program; QUIRE_NAME, what was
 * executed, that or a script.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin/plugin.h"
#include "plugin/qemu.h"

/* The API version that this is written for. QEMU takes a range of versions that later leaves 1 behind; what is used
 * here did not change in 2, which is known by the per-vCPU operations that came with it. */
QEMU_PLUGIN_EXPORT int qemu_plugin_version = 1;

static __attribute__((constructor)) void choose_version(void)
{
	if (dlsym(RTLD_DEFAULT, "qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu"))
		qemu_plugin_version = 2;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv);

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv)
{
	const char *fd_text = getenv("QUIRE_HUB"), *path = getenv("QUIRE_PROGRAM"), *name = getenv("QUIRE_NAME");
	int fd = fd_text ? atoi(fd_text) : -1;

	if (!path || fd < 0 || !(process.hub = ring_hub_attach(fd, NULL))) {
		fprintf(stderr, "quire: this QEMU plugin is started by `quire run` only\n");
		return -1;
	}
	close(fd);
	if (image_load(path) != 0) {
		fprintf(stderr, "quire: %s: cannot read its program headers\n", path);
		return -1;
	}
	process.name = strdup(name ? name : path);
	process.pid = getpid();
	interpose_install();
	access_install(id);
	calls_install(id);
	return 0;
}
