/* SPDX-License-Identifier: Apache-2.0
 *
 * sweep.h - carries out orders: looks at all namespaces, judges, aborts.
 *
 * One pass: an order comes and is swept at once, then again after 20 ms, 200 ms and 2 s, because a
 * connect can fall between its tag and the kernel's table; with a spread in steps of it before. One
 * sweep goes group by group: list the connections to the addresses, judge them by tags, abort the
 * outdated whose turn it is (turns.h); a bounded piece of that per turn of the loop. One sweep at a
 * time; orders that are due wait for each other. Every sweep asks the kernel anew, so that nothing
 * is aborted on old news (W7).
 */
#ifndef HOMING_AGENT_SEVER_SWEEP_SWEEP_H
#define HOMING_AGENT_SEVER_SWEEP_SWEEP_H

#include "agent/sever/permits/permits.h"
#include "proto/sever.h"

/* Orders under way at once; more than clusters can switch in the seconds one takes. */
#define SWEEP_ORDERS_MAX 256

struct sweeps;

/* The order is done. `rows`: with SEVER_LIST, the tagged connections. */
typedef void sweep_done_fn(void *arg, const struct sever_counts *counts,
                           const struct sever_row *rows, uint32_t row_count);

struct sweeps *sweeps_new(struct loop *loop);
/* After the permits have gone. Orders under way are dropped, without a word. */
void sweeps_free(struct sweeps *sweeps);
/* What to sweep; once, before the first order. */
void sweeps_set_permits(struct sweeps *sweeps, struct permits *permits);

/* `limit`: of rows. -EBUSY: SWEEP_ORDERS_MAX. -ENOMEM. */
int sweeps_add(struct sweeps *sweeps, const struct sever_order *order, uint32_t limit,
               sweep_done_fn *done, void *arg);

/* Orders to abort for one of these endpoints end as they are: what W7 asks for holds no longer.
 * Returns how many. */
uint32_t sweeps_cancel(struct sweeps *sweeps, const uint64_t *endpoints, uint32_t count);

/* Nobody waits for these any more, nor could take them back: they go on for a few seconds. */
void sweeps_forget(struct sweeps *sweeps, const void *arg);

/* Before a group goes: permits_gone_fn. */
void sweeps_group_gone(void *sweeps, struct group *group);

/* All orders' counts so far, and how many are under way. */
uint32_t sweeps_figures(const struct sweeps *sweeps, struct sever_counts *ret_sum);

#endif
