/* SPDX-License-Identifier: Apache-2.0
 *
 * said.h - what members and places said, as the witness remembers it.
 */
#ifndef HOMING_TESTS_MODEL_SAID_H
#define HOMING_TESTS_MODEL_SAID_H

#include "tests/model/world.h"

bool said_bit(uint32_t mask, uint32_t member);

/* Of a place: whose it is, whether that member left it, and its index among moved_places. */
uint32_t said_owner(uint32_t voice);
bool said_is_left(uint32_t voice);
uint32_t said_place(uint32_t voice);

/* A member, or what is at a place. */
const struct witness_member *said_by(const struct world *w, uint32_t voice);

/* W1: its connection stands, and it said so less than timeout ago; a left address is asked less
 * often. */
bool said_answers_now(const struct world *w, uint32_t voice);
bool said_claims_now(const struct world *w, uint32_t voice);

bool said_one_server(const struct world *w, uint32_t a, uint32_t b);
bool said_of_this_set(const struct world *w, uint32_t member, const struct verdict *v);
uint64_t said_term(const struct world *w, uint32_t member);

#endif
