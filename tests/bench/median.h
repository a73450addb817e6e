/* SPDX-License-Identifier: Apache-2.0
 *
 * median.h - what most benchmarks print.
 */
#ifndef HOMING_TESTS_BENCH_MEDIAN_H
#define HOMING_TESTS_BENCH_MEDIAN_H

#include <stdlib.h>

static inline int median_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Leaves them sorted, for who wants more of them. */
static inline double median(double *values, size_t count)
{
    qsort(values, count, sizeof(double), median_order);
    return values[count / 2];
}

#endif
