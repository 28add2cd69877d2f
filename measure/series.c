/* SPDX-License-Identifier: MIT
 *
 * measure/series.c - batches of one figure: the least, the quartiles, and whether more are worth their time.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "measure/measure.h"

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median_of(double *value, unsigned n)
{
	qsort(value, n, sizeof(*value), by_value);
	return n % 2 ? value[n / 2] : (value[n / 2 - 1] + value[n / 2]) / 2;
}

double mean_of(double *value, unsigned n)
{
	double limit = median_of(value, n) * OUTLIER, sum = 0;
	unsigned taken = 0;

	for (; taken < n && value[taken] <= limit; taken++)
		sum += value[taken];
	return sum / taken;
}

void series_add(struct series *s, double value)
{
	if (s->nr < MAX_BATCHES)
		s->batch[s->nr++] = value;
}

void series_missing(struct series *s, const char *format, ...)
{
	va_list args;

	if (s->missing[0] != '\0' || s->nr != 0)
		return;
	va_start(args, format);
	vsnprintf(s->missing, sizeof(s->missing), format, args);
	va_end(args);
}

static unsigned sorted(const struct series *s, double value[MAX_BATCHES])
{
	memcpy(value, s->batch, s->nr * sizeof(*value));
	qsort(value, s->nr, sizeof(*value), by_value);
	return s->nr;
}

bool series_stable(const struct series *s)
{
	double value[MAX_BATCHES];

	if (s->missing[0] != '\0' || s->nr == MAX_BATCHES)
		return true;
	return sorted(s, value) >= MIN_BATCHES && value[2] <= value[0] * STABLE;
}

double series_quantile(const struct series *s, double q)
{
	double value[MAX_BATCHES], at;
	unsigned n = sorted(s, value), i;

	if (n == 0)
		return 0;
	at = q * (n - 1);
	i = (unsigned)at;
	return i + 1 < n ? value[i] + (value[i + 1] - value[i]) * (at - i) : value[n - 1];
}

double series_least(const struct series *s)
{
	return series_quantile(s, 0);
}
