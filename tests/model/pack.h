/* SPDX-License-Identifier: Apache-2.0
 *
 * pack.h - a state of a world in few bytes, the same ones for all states that behave alike, so that
 * a walk can tell whether it has been there, and go back to it.
 */
#ifndef HOMING_TESTS_MODEL_PACK_H
#define HOMING_TESTS_MODEL_PACK_H

#include "tests/model/world.h"

#define PACKED_MAX 128

struct packed {
    uint64_t words[PACKED_MAX / 8];
};

/* How many of those bytes states of this domain need: the same for all. */
uint32_t pack_size(const struct domain *d);

/* Merges, renames members to the first of all orders where that is sound, and packs. */
void pack_world(const struct world *w, const struct domain *d, struct packed *ret_packed);

void pack_restore(const struct packed *packed, const struct domain *d, struct world *ret_world);

#endif
