/* SPDX-License-Identifier: Apache-2.0
 *
 * chance.h - random stories in a world, the same ones for the same seed.
 */
#ifndef HOMING_TESTS_MODEL_CHANCE_H
#define HOMING_TESTS_MODEL_CHANCE_H

#include "tests/model/world.h"

#define FAVOURITES 4

struct story {
    struct step steps[STEPS_MAX], favourites[FAVOURITES];
    uint32_t count, told;
    uint64_t dice;
};

/* HOMING_MODEL_SEED, or the time of day. */
uint64_t chance_seed(void);
uint64_t chance_number(const char *variable, uint64_t otherwise);

void story_begin(struct story *s, const struct domain *d, uint64_t seed, uint64_t number);

/* Mostly a member goes on saying what it said and time passes: else nothing lasts long enough. */
const struct step *story_next(struct story *s);

#endif
