/* SPDX-License-Identifier: Apache-2.0
 *
 * events.h - says what happened: to the log, to the history, and to the clients that watch.
 */
#ifndef HOMING_AGENT_DAEMON_EVENTS_H
#define HOMING_AGENT_DAEMON_EVENTS_H

#include "agent/daemon/shared.h"
#include "proto/view_read.h"

/* How the verdict differs from `before`. `cause`: the report that changed it, or NULL. `began_ms`:
 * when that came in. */
void events_verdict(struct cluster *cluster, const struct verdict *before,
                    const struct report *cause, uint64_t began_ms);

/* W11: a member is at another address from now on. If it is the writer, that is a switch. */
void events_moved(struct cluster *cluster, const struct verdict *before, uint32_t member,
                  const struct report *cause, uint64_t began_ms);

/* A writer endpoint's entry has a new generation: its address may change without a switch. */
void events_answer(const struct cluster *cluster, uint32_t endpoint,
                   const struct view_entry *entry);

/* With which saved verdict the agent began. */
void events_restored(struct cluster *cluster);

void events_alarms(struct cluster *cluster, uint32_t raised, uint32_t cleared);

/* One of the agent's own, which is in no cluster's history; the caller has logged it. */
void events_agent_alarm(struct daemon *daemon, const char *alarm, bool raised, const char *text);

/* Connections to a member's address are listed as ones to another address, or are no longer. */
void events_listed(const struct cluster *cluster, const struct inet_address *asked,
                   const struct inet_address *listed);

/* Masks of 1 << warning. */
void events_warnings(struct cluster *cluster, uint64_t raised, uint64_t cleared);

/* Which members the cluster has now that `old`, its object until now, had not; and the other way
 * round. */
void events_members(struct cluster *cluster, const struct cluster *old);

/* For the audit: which user gave which order. */
void events_order(struct cluster *cluster, const struct serve_peer *peer, const char *order);

/* What became of an order to sever, if there is anything to say. */
void events_severed(struct cluster *cluster, enum sever_kind kind,
                    const struct sever_counts *counts, uint64_t left);

#endif
