/* SPDX-License-Identifier: Apache-2.0
 *
 * places.h - W11: which addresses are asked beside the members' own. Inside of agent/probe only.
 */
#ifndef HOMING_AGENT_PROBE_PLACES_H
#define HOMING_AGENT_PROBE_PLACES_H

#include "agent/probe/member.h"

/* DNS named the member's addresses anew, and it is known at one of them. */
void places_named(struct member *m, uint64_t now);
/* DNS named its addresses of the other family anew. */
void places_others_named(struct member *m);
/* The member fell ill, or answered again. */
void places_note(struct member *m, uint64_t now);
bool places_is_named(const struct member *m, const struct inet_address *address);
/* What is due for places. */
void places_turn(struct probe *p, uint64_t now);
void places_done(struct probe *p);

/* As probe_move() and the others. */
void places_move(struct probe *p, uint32_t place);
void places_forget(struct probe *p, uint32_t place);
void places_know(struct probe *p, uint32_t member, const struct address *address);
void places_leave(struct probe *p, uint32_t member, const struct address *address,
                  uint64_t left_ms);

#endif
