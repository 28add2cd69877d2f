/* SPDX-License-Identifier: MIT
 *
 * test/fuzz/replay.c - a fuzzer's function on the files of folders, without libFuzzer: what was found once stays
 * tested. usage: replay FOLDER...
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_BYTES (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Returns false when the file cannot be read. */
static int replay(const char *folder, const char *name)
{
	static uint8_t data[MAX_BYTES];
	char path[4096];
	size_t size;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	size = fread(data, 1, sizeof(data), f);
	fclose(f);
	LLVMFuzzerTestOneInput(data, size);
	return 1;
}

int main(int argc, char **argv)
{
	unsigned files = 0;

	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);
		struct dirent *entry;

		while (dir && (entry = readdir(dir)))
			if (entry->d_type == DT_REG)
				files += replay(argv[i], entry->d_name);
		if (dir)
			closedir(dir);
	}
	printf("%u files\n", files);
	return files == 0;
}
