/* SPDX-License-Identifier: Apache-2.0
 *
 * bluegreen.h - W4a: a blue/green deployment: who may take the writer's place although it holds
 * another data set, when, and what is left behind.
 *
 * One pass: the writer says of itself how far its deployment is, and names the green members;
 * bluegreen_note() keeps that. Until it hands over, claims.c leaves out what the green ones claim, and
 * writer.c calls nothing out. bluegreen_successor() is the green member to which it hands over;
 * bluegreen_adopted() makes all others ones that are left behind. Those whose names the new writer has
 * for its own servers are `renamed`: moves.c lets them move there, and bluegreen_moved() ends it. Pure: no
 * clock, no allocation.
 */
#ifndef HOMING_AGENT_DECIDE_BLUEGREEN_H
#define HOMING_AGENT_DECIDE_BLUEGREEN_H

#include "agent/decide/verdict.h"

/* For how long a switchover is waited for. AWS gives one five minutes, if nothing else is said.
 * Shorter: a slow one is called out although it may end well. Longer: nobody is told of one that hangs. */
#define BLUEGREEN_HOLD_MS 600000

/* What the published writer says of its deployment. Any other report changes nothing. `presumed`:
 * members that were green ones when they joined. */
void bluegreen_note(struct verdict *v, struct topo *topo, uint32_t presumed,
                    const struct report *report, uint64_t now_ms);

/* Whether a switchover is in progress, and not for too long; whether it has been for too long. */
bool bluegreen_holds(const struct verdict *v, uint64_t now_ms);
bool bluegreen_is_overdue(const struct verdict *v, uint64_t now_ms);

/* The writer said itself that it is one no more. */
bool bluegreen_gave_over(const struct verdict *v);

/* Whether what this member claims counts for nothing, by the writer's word or its own: it is a green one,
 * whose time has not come, or one that was left behind and says so. */
bool bluegreen_keeps_back(const struct writer_input *in, const struct verdict *v, uint32_t member);

/* The green member to which the writer has handed over; MEMBER_NONE: none yet. `stopped`: the writer
 * has stopped claiming (W3). */
uint32_t bluegreen_successor(const struct writer_input *in, const struct verdict *v, bool stopped);

/* Mask of the members that were left behind, and whose names lead by now to a server of the writer's cluster that
 * another member is, too. */
uint32_t bluegreen_found(const struct topo *topo, const struct verdict *v);

/* Whether a switchover left behind what speaks there: a member, or a server at a place of one (W11). */
bool bluegreen_is_behind(const struct topo *topo, const struct verdict *v, uint32_t voice);

/* The member moved to another server (W11): it is left behind no more, but what it had left is. */
void bluegreen_moved(struct verdict *v, struct topo *topo, uint32_t member);

/* This member is adopted, which was no writer until now or is accepted again. Before its identity is
 * taken over. */
void bluegreen_adopted(struct verdict *v, const struct topo *topo, uint32_t member,
                       enum reason reason);

#endif
