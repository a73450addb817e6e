/* SPDX-License-Identifier: Apache-2.0
 *
 * sweep.h - one sweep of one order through all groups: list, judge, abort.
 *
 * One pass, by sweeps.c: sweep_begin(), then sweep_turn() as long as it says that there is more,
 * then sweep_end(). Group by group (rota.h) the kernel lists the connections to the order's
 * addresses; tags say which are outdated (judging.h); those whose turn it is are aborted (turns.h).
 * One turn is a bounded piece of that: one group's list, a millisecond or two of memories, or
 * ABORTS_PER_TURN aborts.
 *
 * A sweep has one round. What its users have left then (rota.h) is for the rest: sweep_begin_rest().
 * That goes on round by round, and gives way to every sweep that is due.
 *
 * The network namespace that homing-sever itself is in needs no permit to be listed (own.h).
 */
#ifndef HOMING_AGENT_SEVER_SWEEP_SWEEP_H
#define HOMING_AGENT_SEVER_SWEEP_SWEEP_H

#include "agent/sever/permits/permits.h"
#include "agent/sever/sweep/age.h"
#include "agent/sever/sweep/judging.h"
#include "agent/sever/sweep/netlink.h"
#include "agent/sever/sweep/rota.h"
#include "agent/sever/sweep/strayed.h"
#include "agent/sever/sweep/tags.h"
#include "proto/sever.h"

enum sweep_stage {
    SWEEP_LIST,
    SWEEP_JUDGE,
    SWEEP_ABORT
};

/* What an order's sweeps have done so far, added up. */
struct sweep_results {
    struct sever_counts counts;
    struct sever_row *rows; /* with SEVER_LIST, the tagged connections */
    uint32_t row_count;
    uint32_t row_max;
    uint64_t *untagged; /* cookies of those that the first sweep found without a tag, sorted */
    uint32_t untagged_count;
};

/* All zero but for permits, own, salt, age, strayed and deputies: none is under way. */
struct sweep {
    struct permits *permits;
    struct group *own;                 /* own.h; may be NULL */
    uint64_t salt;                     /* of turns_sort() */
    struct age *age;                   /* of this homing-sever, or of the order */
    struct strayed *strayed;           /* of all sweeps; may be NULL */
    struct netlink_deputies *deputies; /* of all sweeps; NULL: this process asks by itself */
    const struct sever_order *order;   /* NULL: none is under way */
    uint32_t nth;                      /* of the order's sweeps, from 0 */
    uint32_t rounds;                   /* that are left, with this one */
    bool is_rest;
    struct sweep_results *results;

    uint64_t now_ms; /* of the turn */
    struct rota rota;
    struct group *group; /* NULL: the next one */
    struct group *via;   /* whose netlink socket is asked: netlink_group() */
    enum sweep_stage stage;
    bool without_mptcp; /* in this sweep: the kernel cannot list it */
    bool locked; /* a program keeps a socket locked: not all is known of what nobody has tagged */
    bool marked; /* since one could not: it is to tell at least which connections are subflows */
    struct tags tags;
    struct judging judging;
    bool first_of_netns; /* the group, once it is counted */
    uint32_t at;         /* entry to be aborted next */
    uint32_t aborted;    /* of the group, in this round */
};

/* The order and the results stay the caller's, until sweep_end(). */
void sweep_begin(struct sweep *sweep, const struct sever_order *order, uint32_t nth,
                 struct sweep_results *results);
/* What `swept` has left; it is over, but sweep_end() was not called. */
void sweep_begin_rest(struct sweep *rest, struct sweep *swept);
void sweep_results_done(struct sweep_results *results);
/* False: it is over. */
bool sweep_turn(struct sweep *sweep, uint64_t now_ms);
/* Users whose connections it has not gone through to the end. */
uint32_t sweep_users_left(const struct sweep *sweep);
void sweep_end(struct sweep *sweep);

/* Before a group is freed. */
void sweep_group_gone(struct sweep *sweep, const struct group *group);

#endif
