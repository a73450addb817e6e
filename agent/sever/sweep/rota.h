/* SPDX-License-Identifier: Apache-2.0
 *
 * rota.h - in which order a sweep goes through the groups, and how much each user may cost in it.
 *
 * Called by sweep.c. Users come one after the other: first who holds the fewest permits, and last
 * those whose lists took too long. Of each user's groups the smallest comes first. What a user's
 * groups cost is counted in slots of tag memories, and other work in as many as could be read
 * meanwhile. If a user has cost as much as a round allows, the rest of his groups is left for the next
 * round, which allows twice as much. So whatever a user does, he delays others by no more than one
 * round's share, and himself at will.
 */
#ifndef HOMING_AGENT_SEVER_SWEEP_ROTA_H
#define HOMING_AGENT_SEVER_SWEEP_ROTA_H

#include "agent/sever/permits/permits.h"

enum {
    /* About so many are read in a microsecond. */
    ROTA_SLOTS_PER_US = 50,
    /* In the first round, of each user: 2 or 3 ms. */
    ROTA_SHARE = 131072
};

struct rota_item {
    struct group *group; /* NULL: it is gone */
    uid_t uid;
    uint32_t of_user; /* permits of the user, in all groups */
    bool late;        /* the last list of one of his groups was not finished in time */
    uint32_t netns;   /* number of its namespace: groups of one have the same */
    bool counted;     /* what was found there is in the counts */
    uint32_t aborted; /* of it, before it was counted */
};

/* More than anybody can cost, and twice of it is still a number. */
#define ROTA_ALL (1ull << 62)

/* All zero: empty. */
struct rota {
    struct rota_item *items;
    bool *netns_counted;
    uint32_t count;
    uint32_t at;   /* the one whose turn it is */
    uint32_t kept; /* for the next round; they move to the beginning */
    uint64_t most; /* that a user may cost in this round */
    uint64_t spent;
    uint32_t user_groups; /* of the present user, that had their turn in this round */
};

/* All groups; and `own` (own.h), as the last user's, if it is not NULL and none of them lists its
 * namespace. 0; -ENOMEM. */
int rota_fill(struct rota *rota, const struct permits *permits, struct group *own);
void rota_done(struct rota *rota);

/* The group whose turn it is. NULL: the round is over. */
struct rota_item *rota_next(struct rota *rota);
/* It had its turn. If it is not `finished`, it comes again in the next round. */
void rota_leave(struct rota *rota, bool finished);
/* Groups that were left come again. If they are all of one user and `to_the_end`, there is nobody to
 * wait for him, and he may cost what he will. False: there are none. */
bool rota_next_round(struct rota *rota, bool to_the_end);

/* A user's first list is for nothing: everybody has one. */
void rota_charge_list(struct rota *rota, uint64_t slots);
bool rota_allows(const struct rota *rota, uint64_t slots);

/* True once for each namespace. */
bool rota_counts_netns(struct rota *rota, const struct rota_item *item);
/* Users of whom groups are left. */
uint32_t rota_users(const struct rota *rota);
/* Before a group is freed. */
void rota_group_gone(struct rota *rota, const struct group *group);

#endif
