/* SPDX-License-Identifier: Apache-2.0
 *
 * spelling.h - whether one word may be a slip for another. Pure; for keys of the configuration, for
 * names, and for homingctl's commands.
 */
#ifndef HOMING_AGENT_BASE_SPELLING_H
#define HOMING_AGENT_BASE_SPELLING_H

#include <stdbool.h>

/* Whether two words are one typing mistake apart: one character too many, too few or changed, or
 * two neighbours swapped. Equal words are not. */
bool spelling_is_near(const char *a, const char *b);

#endif
