/* SPDX-License-Identifier: Apache-2.0
 *
 * turns.h - when the sweeps of an order are due, and which connections each of them takes.
 *
 * Called by sweep.c and sweeps.c. Pure.
 *
 * Without a spread the first sweep takes all. With a spread the first sweep takes one connection of
 * each process and a small share of the others. The share doubles with every step, but is never
 * more than an even spread would give; the last step takes all that are left. So if pools together
 * want more than the new writer admits, each of them has something before one has everything.
 * In every sweep, the first connection of each process of a group goes before any second one.
 */
#ifndef HOMING_AGENT_SEVER_SWEEP_TURNS_H
#define HOMING_AGENT_SEVER_SWEEP_TURNS_H

#include "agent/sever/sweep/tags.h"

/* When a sweep, counted from 0, is due, from the order's start. False: there is none. */
bool turns_due_ms(const struct sever_order *order, uint32_t sweep, uint64_t *ret_ms);

/* The sweep to be done `elapsed_ms` after the start, if `sweep` is the next one. If sweeps last
 * longer than their steps, that is the latest one that is due. The first is never left out. */
uint32_t turns_now(const struct sever_order *order, uint32_t sweep, uint64_t elapsed_ms);

/* Puts the judged connections in the order in which they go. tags->index is void after it. `salt`:
 * any number, but always the same one in this process. Other nodes choose another order. */
void turns_sort(struct tags *tags, uint64_t salt);

/* Whether `sweep` takes it, if it is to be aborted at all. In every order a connection has its turn
 * in the same sweep; only the first of a process goes at once. So if an order is repeated, each
 * repetition severs one connection of each process too early, and no more. */
bool turns_take(const struct sever_order *order, uint32_t sweep, const struct tags_entry *entry);

#endif
