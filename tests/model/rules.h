/* SPDX-License-Identifier: Apache-2.0
 *
 * rules.h - W1-W6, W9 and W10 as a bystander would check them, knowing what members said (the
 * witness) and what is published, but not how the agent gets from one to the other.
 */
#ifndef HOMING_TESTS_MODEL_RULES_H
#define HOMING_TESTS_MODEL_RULES_H

#include "tests/model/world.h"

/* Lets the witness see a report, before the agent does. */
void witness_report(struct world *w, const struct report *report);
/* Lets it see what the agent did about an event. */
void witness_outcome(struct world *w, const struct domain *d, const struct step *step,
                     const struct outcome *o);

/* NULL, or the rule that was broken by the last event. */
const char *rules_check(const struct world *w, const struct domain *d, const struct step *step,
                        const struct outcome *o);

#endif
