/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_sever.h - sever/client/sever_client.h without a process: notes what is ordered, replies when it
 * is told to. One at a time, as agents.
 */
#ifndef HOMING_TESTS_SUPPORT_FAKE_SEVER_H
#define HOMING_TESTS_SUPPORT_FAKE_SEVER_H

#include "agent/sever/client/sever_client.h"

/* More are sent by no test. */
#define FAKE_ORDERS_MAX 256

struct fake_order {
    uint64_t at_ms;
    struct sever_order order;
    sever_client_done_fn *done;
    sever_client_rows_fn *rows;
    void *arg;
    bool answered;
};

/* As it will be for the next agent, too; instance 0: none answers. An agent that runs is told,
 * after its orders under way were lost. */
void fake_sever_set(uint64_t instance, bool able);

/* What was ordered since the last fake_sever_forget(), which lets time run out for what is not
 * answered; connections asked for included. */
extern struct fake_order fake_orders[FAKE_ORDERS_MAX];
extern uint32_t fake_order_count;
void fake_sever_forget(void);

/* How many of one kind. */
uint32_t fake_sever_count(enum sever_kind kind);

/* Replies to fake_orders[order]. */
void fake_sever_refuse(uint32_t order);
void fake_sever_done(uint32_t order, uint64_t severed);
void fake_sever_untagged(uint32_t order, uint64_t untagged);
void fake_sever_spared(uint32_t order, uint64_t older);
void fake_sever_rows(uint32_t order, const struct sever_row *rows, uint32_t count);

/* How often it was said that programs see what is published. */
extern uint32_t fake_sever_publications;

/* Endpoints whose orders were ended. */
extern uint32_t fake_sever_cancelled;
/* Called when some are, until fake_sever_forget(). */
extern void (*fake_sever_on_cancel)(void);

/* What the processes' counters say. */
extern uint64_t fake_sever_redirected, fake_sever_behind;

#endif
