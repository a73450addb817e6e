/* SPDX-License-Identifier: Apache-2.0
 *
 * dice.h - random numbers for tests: from the same seed the same ones, on every machine and libc.
 */
#ifndef HOMING_TESTS_SUPPORT_DICE_H
#define HOMING_TESTS_SUPPORT_DICE_H

#include <stdint.h>

/* splitmix64: any seed will do. `dice` holds the seed, and then what the next roll needs. */
static inline uint64_t dice_next(uint64_t *dice)
{
    uint64_t z = *dice += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* One of 0 to sides - 1. */
static inline uint32_t dice_roll(uint64_t *dice, uint32_t sides)
{
    return (uint32_t)(dice_next(dice) % sides);
}

#endif
