/* SPDX-License-Identifier: Apache-2.0
 *
 * merge.h - makes states alike that no later decision and no rule can tell apart.
 */
#ifndef HOMING_TESTS_MODEL_MERGE_H
#define HOMING_TESTS_MODEL_MERGE_H

#include "tests/model/world.h"

/* Farther ahead than any step goes but STEP_QUIET. */
#define MERGE_FAR_MS 100000

/* The representative of all states that behave like this one. */
void merge_world(struct world *w, const struct domain *d);

/* The part of it that keeps far away what is far away. */
void merge_schedule(struct decision *c, const struct domain *d, uint64_t now_ms);

/* The same state with member m called map[m]. */
void merge_rename(const struct world *w, const struct domain *d, const uint32_t *map,
                  struct world *ret_world);

/* Whether renaming members makes states that behave alike. */
bool merge_symmetric(const struct domain *d);

#endif
