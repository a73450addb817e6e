/* SPDX-License-Identifier: Apache-2.0
 *
 * elsewhere.h - W11 in the daemon: what the places of a cluster are, between probe and decide.
 *
 * One pass: the probe tells of a candidate, and elsewhere_take() hands it to the decision. Its reports
 * come like a member's. If the decision lets the member move, elsewhere_move() makes the probe
 * follow. The address that was left is a place from then on: published as demoted, severed, saved,
 * asked.
 */
#ifndef HOMING_AGENT_DAEMON_ELSEWHERE_H
#define HOMING_AGENT_DAEMON_ELSEWHERE_H

#include "agent/daemon/shared.h"

/* The sink's calls. */
bool elsewhere_taken(const struct cluster *cluster, uint32_t member,
                     const struct inet_address *address);
bool elsewhere_behind(const struct cluster *cluster, const struct inet_address *address);
void elsewhere_take(struct cluster *cluster, uint32_t place, const struct probe_place *known);

/* After the decision has seen a report of a place: forgets a left address where another data set
 * or another engine answers, or the member itself. True: the view is to say something else of left
 * addresses. */
bool elsewhere_note_report(struct cluster *cluster, const struct report *report);

/* The decision let a member move. `before`: the verdict that the old address was left with. */
void elsewhere_move(struct cluster *cluster, const struct actions *actions,
                    const struct verdict *before);

/* At the start, from disk: where members were, and what they had left. */
void elsewhere_begin(struct cluster *cluster, const struct state_cluster *saved);

/* Left addresses from another agent, or from the cluster's object before a reload, where the
 * members had other numbers. */
void elsewhere_restore(struct cluster *cluster, const struct state_cluster *saved);
void elsewhere_inherit(struct cluster *cluster, const struct cluster *old,
                       const uint32_t map[HOMING_MEMBERS_MAX]);

/* The decision began anew: tells it of all places. */
void elsewhere_again(struct cluster *cluster);

/* The left addresses, for disk and for the view. */
void elsewhere_save(const struct cluster *cluster, struct state_cluster *saved);
void elsewhere_left(const struct cluster *cluster, struct left_addresses *ret_left);
/* Tells one set of left addresses from another. */
uint64_t elsewhere_mark(const struct cluster *cluster);

/* The address that the member left last, as text; NULL: none. */
const char *elsewhere_last_left(const struct cluster *cluster, uint32_t member);

/* The last failure at a place, as probe_place_error(). */
const char *elsewhere_error(const struct cluster *cluster, uint32_t place);

/* The place whose address is spelled like this, with its port: its PLACE_VOICE(), or MEMBER_NONE. */
uint32_t elsewhere_find(const struct cluster *cluster, const char *text);

#endif
