/* SPDX-License-Identifier: Apache-2.0
 *
 * chance.c - random stories.
 */
#include "config.h"

#include <stdlib.h>
#include <time.h>

#include "tests/model/chance.h"

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

/* splitmix64: any seed will do. */
static uint32_t random_below(uint64_t *random, uint32_t bound)
{
    uint64_t z = *random += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (uint32_t)((z ^ z >> 31) % bound);
}

void story_begin(struct story *s, const struct domain *d, uint64_t seed, uint64_t number)
{
    s->count = world_steps(d, s->steps);
    s->told = 0;
    s->random = seed ^ number << 32;
}

const struct step *story_next(struct story *s)
{
    static const struct step beat = {.kind = STEP_BEAT};

    if (s->told++ % PHASE_STEPS == 0)
        for (uint32_t f = 0; f < FAVOURITES; f++)
            s->favourites[f] = s->steps[random_below(&s->random, s->count)];
    uint32_t choice = random_below(&s->random, 100);
    if (choice < 40)
        return &beat;
    if (choice < 88)
        return &s->favourites[random_below(&s->random, FAVOURITES)];
    return &s->steps[random_below(&s->random, s->count)];
}
