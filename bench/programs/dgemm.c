/* SPDX-License-Identifier: MIT
 *
 * bench/programs/dgemm.c - multiplies two matrices of 384 x 384 doubles twenty times, row by row, as a compiler's vectors
 * do it.
 */
#include <stdio.h>

#define N 384

static double a[N][N], b[N][N], c[N][N];

int main(void)
{
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++) {
			a[i][j] = i + j;
			b[i][j] = i - j;
		}
	for (int times = 0; times < 20; times++)
		for (int i = 0; i < N; i++)
			for (int k = 0; k < N; k++)
				for (int j = 0; j < N; j++)
					c[i][j] += a[i][k] * b[k][j];
	printf("%g\n", c[N - 1][N - 1]);
	return 0;
}
