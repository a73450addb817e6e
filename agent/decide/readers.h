/* SPDX-License-Identifier: Apache-2.0
 *
 * readers.h - which members serve reader endpoints: reachable, not too far behind, and proven.
 *
 * A reader that fails leaves at once, and returns after READER_GOOD_ANSWERS. A reader that was
 * never seen to fail serves from its first good answer on. Used by decision.c (note) and writer.c
 * (mask).
 */
#ifndef HOMING_AGENT_DECIDE_READERS_H
#define HOMING_AGENT_DECIDE_READERS_H

#include "agent/decide/verdict.h"

/* Counts good answers; called after each event, with the member that answered, or MEMBER_NONE. */
void readers_note(struct topo *topo, const struct decision_conf *conf, const struct verdict *held,
                  uint32_t answered, uint64_t now_ms);

/* Mask of the members that serve as readers, by their good answers. While nothing is held no answer
 * counts as good, so that the mask is empty. */
uint32_t readers_mask(const struct writer_input *in, const struct verdict *held);

#endif
