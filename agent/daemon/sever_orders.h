/* SPDX-License-Identifier: Apache-2.0
 *
 * sever_orders.h - layer 3 in the running agent: daemon/sever_orders.c orders, admin/connections.c
 * lists. Private to the run*.c.
 *
 * One pass: a switch is published; run_sever_switched() makes it due, run_sever_consider() orders
 * it as soon as W7 allows; homing-sever's reply goes into the history's entry of that switch.
 */
#ifndef HOMING_AGENT_DAEMON_SEVER_ORDERS_H
#define HOMING_AGENT_DAEMON_SEVER_ORDERS_H

#include "agent/daemon/sever_client.h"
#include "agent/probe/engine.h"
#include "agent/probe/resolve.h"
#include "agent/publish/view.h"
#include "agent/serve/serve.h"

struct run;
struct run_cluster;

/* Layer 3 of one cluster. */
struct run_sever {
    bool due;                            /* something may have to be ordered */
    bool again_due;                      /* even if it is what was ordered before */
    bool switched;                       /* a switch of this run, not ordered yet, at: */
    uint64_t switched_ms;                /* when the answer that decided it came in */
    uint32_t pending;                    /* orders without reply */
    uint32_t repeats;                    /* of the last order, so far */
    struct loop_timer *again;            /* the next one */
    uint64_t ordered[SEVER_OBSERVE + 1]; /* names what was ordered last; 0: nothing */
    uint64_t severed;                    /* connections, since the start */
    uint64_t would_sever;                /* the same in observe */
    uint64_t not_severed;                /* the kernel refused */
    uint64_t redirected;                 /* of the node, when the last switch was ordered */
    uint64_t would_redirect;
};

int run_sever_open(struct run *run, const char *run_dir);
void run_sever_close(struct run *run);

/* Into a view that is to be handed out. */
void run_sever_instance(const struct run *run, struct view *view);

bool run_sever_init(struct run_cluster *rc);
/* Orders of `old` that are under way end, and what is still right is ordered anew. */
void run_sever_inherit(struct run_cluster *rc, struct run_cluster *old);
void run_sever_done(struct run_cluster *rc);

/* A switch was published; `began_ms`: when what decided it came in. */
void run_sever_switched(struct run_cluster *rc, uint64_t began_ms);

/* Orders what is due, if W7 allows it now. Cheap when nothing is. */
void run_sever_consider(struct run_cluster *rc);

struct sever_address run_sever_address(const struct address *address);

/* Begins to collect; the reply comes through serve_reply(). -errno: it cannot. `only` NULL: all. */
int run_connections_list(struct run *run, const struct run_cluster *only,
                         const struct serve_peer *peer, uint32_t id);

/* Says what became of an order, if there is anything to say. */
void run_events_severed(struct run_cluster *rc, enum sever_kind kind,
                        const struct sever_counts *counts);

#endif
