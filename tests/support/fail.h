/* SPDX-License-Identifier: Apache-2.0
 *
 * fail.h - lets one allocation of the code under test fail. Link with
 * -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup: what libc and libraries allocate by
 * themselves is not touched, nor the test's own, as long as it counts only around the call.
 */
#ifndef HOMING_TESTS_SUPPORT_FAIL_H
#define HOMING_TESTS_SUPPORT_FAIL_H

#include <stdbool.h>

/* The allocation after `n` more fails, once. */
void fail_allocation(int n);

/* Stops counting; whether it came to the failure. */
bool fail_happened(void);

#endif
