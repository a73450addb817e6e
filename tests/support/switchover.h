/* SPDX-License-Identifier: Apache-2.0
 *
 * switchover.h - a story of a blue/green deployment (W4a): A writes, B follows it, C is the green member. All
 * say the same identity, as servers of Aurora MySQL do.
 */
#ifndef HOMING_TESTS_SUPPORT_SWITCHOVER_H
#define HOMING_TESTS_SUPPORT_SWITCHOVER_H

#include "tests/support/story.h"

/* From now on, in each answer, naming C anew. */
void tells(uint32_t member, enum phase phase);
/* After the names have changed, nobody is a green one by name. */
void tells_without_names(uint32_t member, enum phase phase);

/* A cmocka set-up: all tell of a deployment that is available. */
int set_up_deployment(void **state);

#endif
