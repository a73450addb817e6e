/* SPDX-License-Identifier: Apache-2.0
 *
 * sweeps.h - the orders under way, and when each of them is swept.
 *
 * One pass: an order comes and is swept at once (sweep.h), with a spread further times in steps of
 * it, and then again after 20 ms, 200 ms and 2 s, because a connect can fall between its tag and
 * the kernel's table. One sweep at a time; orders that are due wait for each other. Every sweep
 * asks the kernel anew, so that nothing is aborted on old news (W7).
 */
#ifndef HOMING_AGENT_SEVER_SWEEP_SWEEPS_H
#define HOMING_AGENT_SEVER_SWEEP_SWEEPS_H

#include "agent/sever/permits/permits.h"
#include "proto/sever.h"

/* Orders under way at once: enough for as many clusters that switch together. */
#define SWEEPS_ORDERS_MAX 256

struct sweeps;

/* The order is done. `rows`: with SEVER_LIST, the tagged connections. */
typedef void sweeps_done_fn(void *arg, const struct sever_counts *counts,
                            const struct sever_row *rows, uint32_t row_count);

/* NULL: out of memory. */
struct sweeps *sweeps_new(struct loop *loop);
/* After permits_free(). Orders under way are dropped, and `done` is not called. */
void sweeps_free(struct sweeps *sweeps);
/* What to sweep; once, before the first order. */
void sweeps_set_permits(struct sweeps *sweeps, struct permits *permits);

/* `limit`: of rows. -EBUSY: SWEEPS_ORDERS_MAX. -ENOMEM. */
int sweeps_add(struct sweeps *sweeps, const struct sever_order *order, uint32_t limit,
               sweeps_done_fn *done, void *arg);

/* Orders to abort (SEVER_DO) for one of these endpoints end as they are: what W7 asks for holds no
 * longer. Returns how many. */
uint32_t sweeps_cancel(struct sweeps *sweeps, const uint64_t *endpoints, uint32_t count);

/* The client that gave the order of this `arg` is gone and can no longer take it back. It goes on
 * for a few seconds, and `done` is not called. */
void sweeps_forget(struct sweeps *sweeps, const void *arg);

/* Programs are told of this homing-sever from now on: what they have connected before may be known to an earlier
 * one alone. Only the first time counts. */
void sweeps_published(struct sweeps *sweeps);

/* Once a second. */
void sweeps_look(struct sweeps *sweeps);

/* Before a group is freed: permits_gone_fn. */
void sweeps_group_gone(void *sweeps, struct group *group);

/* The counts of all orders to abort, so far, and how many orders are under way. */
uint32_t sweeps_figures(const struct sweeps *sweeps, struct sever_counts *ret_sum);

#endif
