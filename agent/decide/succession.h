/* SPDX-License-Identifier: Apache-2.0
 *
 * succession.h - W12: a term for servers that have none, from whom they were seen to follow.
 *
 * The term is (0, epoch). The epoch is this agent's own: it grows by one when an heir of the writer
 * is adopted. decision.c has each report judged before it is noted; claims.c, writer.c and moves.c
 * then compare terms as for any other engine. Whatever has a term of its own, or no `self`, is
 * left as it is. Pure: no clock, no allocation.
 */
#ifndef HOMING_AGENT_DECIDE_SUCCESSION_H
#define HOMING_AGENT_DECIDE_SUCCESSION_H

#include "agent/decide/verdict.h"

/* For how long an heir may answer without following, while the writer claims. Shorter: whoever
 * prepares a switchover by hand loses the heir. Longer: more is lost that was written meanwhile. */
#define SUCCESSION_ASTRAY_MS 30000

/* Whether the server of this name (not 0) was seen to follow the writer. */
bool succession_is_heir(const struct verdict *v, uint64_t self);

/* Gives a report that will be noted its term, notes in `topo` whether anything speaks for its
 * claim, and in `v` whether it makes an heir or ends one. */
void succession_judge(struct verdict *v, struct topo *topo, uint32_t timeout_ms,
                      struct report *report, uint64_t now_ms);

/* The server that makes this claim is the writer from now on. Who is already seen to follow it, is
 * an heir at once: the next failover may come within a second. */
void succession_adopt(struct verdict *v, const struct topo *topo, const struct report *claim);

/* The operator's accept: the claim is as good as an heir's. Called before it is adopted. */
void succession_accept(const struct verdict *v, struct topo_member *claimant);

/* After an adoption: what was said before is judged against what is held now. */
void succession_settle(struct topo *topo, const struct verdict *v);

#endif
