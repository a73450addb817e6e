/* SPDX-License-Identifier: Apache-2.0
 *
 * saved.h - what is saved of a cluster.
 */
#ifndef HOMING_AGENT_STATE_SAVED_H
#define HOMING_AGENT_STATE_SAVED_H

#include "agent/conf/conf.h"
#include "agent/decide/verdict.h"
#include "agent/discover/roster.h"
#include "proto/inet_address.h"

struct state_endpoint {
    uint64_t id; /* hash of its first name */
    uint64_t generation;
    uint64_t fingerprint; /* entry_fingerprint() of what was published last; 0: nothing yet */
};

/* W11: an address that a member has left, or at which it is. */
struct state_left {
    uint32_t member; /* MEMBER_NONE: it is not configured any more */
    struct inet_address address;
    uint64_t identity;    /* of the data set that was there */
    uint64_t incarnation; /* of the server that was there */
    uint64_t left_ms;     /* when; 0: in another boot, or it is there */
    bool behind;          /* W4a: a blue/green switchover had left it behind */
};

/* W7: as what connections to an address are listed, or were once. */
struct state_listed {
    struct inet_address asked, listed;
};
#define STATE_LISTED_MAX 64

struct state_cluster {
    bool have_verdict;
    struct verdict verdict; /* indices and masks for the configuration given to state_load() */
    bool frozen;            /* the same as verdict.frozen, which is what is saved */
    bool have_mode;         /* by `homingctl mode`: overrides the configuration until `default` */
    enum view_mode mode;
    uint64_t
        spared; /* connections that the last switch spared and that are there still; of this boot */
    bool untold; /* the mode was `off` or `names` since then */
    struct state_left left[HOMING_LEFT_MAX];
    uint32_t left_count;
    struct state_left at[HOMING_MEMBERS_MAX];
    uint32_t at_count;
    struct state_listed listed[STATE_LISTED_MAX]; /* the newest first; of this boot */
    uint32_t listed_count;
    /* Members that are not in the configuration. Indices and masks are about those that the
     * configuration given to state_load() has: who restores these adds them to it, and loads again. */
    struct roster_member discovered[HOMING_MEMBERS_MAX];
    uint32_t discovered_count;
    struct state_endpoint *endpoints; /* malloc'd by state_load() */
    uint32_t endpoint_count;
};

#endif
