/* SPDX-License-Identifier: Apache-2.0
 *
 * fail.h - lets one allocation of the code under test fail, and counts the blocks that it holds. Link
 * with $(FAIL_LINK): what libc and other libraries allocate by themselves is not touched, nor is the
 * test's own, as long as it counts only around the call.
 *
 *     int n = 0;
 *     do {
 *         fail_allocation(n++);
 *         step();
 *     } while (fail_happened());
 */
#ifndef HOMING_TESTS_SUPPORT_FAIL_H
#define HOMING_TESTS_SUPPORT_FAIL_H

#include <stdbool.h>

/* The allocation after `n` more fails, once, with ENOMEM. */
void fail_allocation(int n);

/* Stops counting; whether it came to the failure. */
bool fail_happened(void);

/* The test itself allocates: nothing fails and nothing counts until fail_resume(). */
void fail_pause(void);
void fail_resume(void);

/* step() with its first allocation failing, then its second, and so on, until it has no more. */
void fail_each(void (*step)(void *arg), void *arg);

/* Blocks that were allocated and are not freed yet. */
long fail_live_blocks(void);

#endif
