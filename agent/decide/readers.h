/* SPDX-License-Identifier: Apache-2.0
 *
 * readers.h - which members serve reader endpoints: reachable, not too far behind, and proven.
 *
 * A reader leaves at once and returns after READER_GOOD_ANSWERS; one never seen to fail enters at
 * its first. Used by decision.c (note) and writer.c (mask).
 */
#ifndef HOMING_AGENT_DECIDE_READERS_H
#define HOMING_AGENT_DECIDE_READERS_H

#include "agent/decide/verdict.h"

/* Counts good answers; called after each event, with the member that answered, or MEMBER_NONE. */
void readers_note(struct topo *topo, const struct decision_conf *conf, const struct verdict *held,
                  uint32_t answered, uint64_t now_ms);

/* Mask of readers, given the count of good answers. None while nothing is held: whose readers? */
uint32_t readers_mask(const struct writer_input *in, const struct verdict *held);

#endif
