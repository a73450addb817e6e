/* SPDX-License-Identifier: Apache-2.0
 *
 * chance.c - random stories.
 */
#include "config.h"

#include <stdlib.h>
#include <time.h>

#include "tests/model/chance.h"
#include "tests/support/dice.h"

/* Steps after which other favourites are chosen. */
#define PHASE_STEPS 50

uint64_t chance_number(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

uint64_t chance_seed(void)
{
    return chance_number("HOMING_MODEL_SEED", (uint64_t)time(NULL));
}

void story_begin(struct story *s, const struct domain *d, uint64_t seed, uint64_t number)
{
    s->count = world_steps(d, s->steps);
    s->told = 0;
    s->dice = seed ^ number << 32;
}

const struct step *story_next(struct story *s)
{
    static const struct step beat = {.kind = STEP_BEAT};

    if (s->told++ % PHASE_STEPS == 0)
        for (uint32_t f = 0; f < FAVOURITES; f++)
            s->favourites[f] = s->steps[dice_roll(&s->dice, s->count)];
    uint32_t choice = dice_roll(&s->dice, 100);
    if (choice < 40)
        return &beat;
    if (choice < 88)
        return &s->favourites[dice_roll(&s->dice, FAVOURITES)];
    return &s->steps[dice_roll(&s->dice, s->count)];
}
