/* SPDX-License-Identifier: Apache-2.0
 *
 * turns.h - when the sweeps of an order are due, and which connections each of them takes.
 *
 * Called by sweep.c. Pure. Without a spread the first sweep takes all. With one, the first takes
 * one connection of each process and a small share of the others; each further step twice as many,
 * but no more than an even spread would have; the last one all that are left. So pools that open
 * all at once what they miss, and together want more than the new writer admits, each have
 * something before one of them has everything. In whatever sweep, all processes' first connections
 * go before anybody's second.
 */
#ifndef HOMING_AGENT_SEVER_SWEEP_TURNS_H
#define HOMING_AGENT_SEVER_SWEEP_TURNS_H

#include "agent/sever/sweep/tags.h"

/* When a sweep, counted from 0, is due, from the order's start. False: there is none. */
bool turns_due_ms(const struct sever_order *order, uint32_t sweep, uint64_t *ret_ms);

/* The sweep to be done `elapsed_ms` after the start, if `sweep` is the next one: that, or, where
 * sweeps last longer than their steps, the latest that is due. The first is never left out. */
uint32_t turns_now(const struct sever_order *order, uint32_t sweep, uint64_t elapsed_ms);

/* Puts the judged connections in the order in which they go: tags->index is void after it. `salt`:
 * any number, always the same; others sever in another order. */
void turns_sort(struct tags *tags, uint64_t salt);

/* Whether `sweep` takes it, if it is to be aborted at all. A connection's turn is the same in all
 * orders, but for the first of a process: that much, and no more, repetitions of an order shorten
 * its spread. */
bool turns_take(const struct sever_order *order, uint32_t sweep, const struct tags_entry *entry);

#endif
