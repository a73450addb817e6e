/* SPDX-License-Identifier: Apache-2.0
 *
 * moved.h - W11 as a bystander would check it.
 */
#ifndef HOMING_TESTS_MODEL_MOVED_H
#define HOMING_TESTS_MODEL_MOVED_H

#include "tests/model/world.h"

extern const uint32_t moved_places[MODEL_PLACES]; /* their voices */

/* The bit of an incarnation in struct witness's `left`: of 100 it is bit 0, of MOVED_TO bit 3. */
uint32_t witness_bit(uint64_t incarnation);

/* The member that just moved, before the witness learns of that. NULL, or the rule that broke. */
const char *rules_check_moved(const struct world *w, const struct step *step,
                              const struct outcome *o);

/* The other way round: a writer that is at another address for certain is followed. */
const char *moved_check_followed(const struct world *w, const struct outcome *o);

/* Presently, and for itself. */
bool moved_place_claims(const struct world *w, uint32_t voice);

/* Whether a claim at a place is to be called out now: time brings nothing more. */
bool moved_is_rival(const struct world *w, uint32_t voice);

/* W9: others do not confirm a writer while this is claimed. */
bool moved_unsettles(const struct world *w, const struct verdict *v);

/* Whether a place claims for this data set, on the term that is held or a newer one. */
bool moved_competes(const struct world *w, uint32_t member, const struct verdict *v);

#endif
