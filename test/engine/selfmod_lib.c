/* SPDX-License-Identifier: MIT
 *
 * test/engine/selfmod_lib.c - one of two libraries that take turns at one address.
 */
int value(void);

int value(void)
{
	return VALUE;
}
