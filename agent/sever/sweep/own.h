/* SPDX-License-Identifier: Apache-2.0
 *
 * own.h - the network namespace that homing-sever itself is in. It needs no permit to be listed: it is
 * one more group of a sweep, without permits, if no group lists it. What is found there is untagged.
 */
#ifndef HOMING_AGENT_SEVER_SWEEP_OWN_H
#define HOMING_AGENT_SEVER_SWEEP_OWN_H

#include "agent/sever/permits/held.h"
#include "proto/sever.h"

/* Sweeps refer to it: it lives longer than they do. */
void own_init(struct group *own);
void own_close(struct group *own);

/* `own`, if it may be of interest to this sweep of the order; NULL if not, or if `own` is. Its netlink
 * socket is opened if it is not. Whether a group lists the namespace is not looked at. */
struct group *own_for(struct group *own, const struct sever_order *order, uint32_t nth);

#endif
