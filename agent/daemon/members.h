/* SPDX-License-Identifier: Apache-2.0
 *
 * members.h - what is known of each member of a cluster: the one table of it.
 *
 * The probe fills it, through cluster.c. What a member last said of itself is in the decision's
 * topo, which the table reads but does not copy. Publishing, severing, `status` and `connections`
 * look here and nowhere else, so that it does not matter to them what filled it.
 */
#ifndef HOMING_AGENT_DAEMON_MEMBERS_H
#define HOMING_AGENT_DAEMON_MEMBERS_H

#include "agent/conf/conf.h"
#include "agent/decide/decision.h"
#include "agent/probe/probe.h"
#include "agent/state/saved.h"

struct member {
    struct addresses where;
    char error[ENGINE_TEXT_MAX]; /* the last one in the server's own words; "" if all is well */
    char note[ENGINE_TEXT_MAX];  /* "" or the engine's remark */
    uint64_t reader_incarnation; /* of its last answer as a reader; 0: never, or not known */
};

/* How the kernel lists connections to an address of a member, or to a left one (agent/probe/listed.h).
 * What it listed before counts, too: connections from then may be there still. The newest come first. */
struct listed_pair {
    struct inet_address asked;
    struct inet_address
        listed; /* mostly the same: then there is no pair, unless there was another */
};

/* Of one address. A pod that is started anew behind a virtual address has another address each time. */
#define MEMBERS_LISTED_OF_ONE_MAX 4
#define MEMBERS_LISTED_MAX        64

struct members {
    const struct decision *decision;
    struct member *at;
    uint32_t count;
    struct listed_pair listed[MEMBERS_LISTED_MAX];
    uint32_t listed_count;
};

/* False: out of memory. `decision` lives as long as the table. */
bool members_init(struct members *members, uint32_t count, const struct decision *decision);
void members_done(struct members *members);

void members_take(struct members *members, uint32_t member, const struct probe_member *known);
void members_take_report(struct members *members, const struct report *report);

/* True: that is news. Of too many the oldest is forgotten. */
bool members_take_listed(struct members *members, const struct inet_address *asked,
                         const struct inet_address *listed);
/* For a reload: who cannot be connected to now will not say it again. */
void members_inherit_listed(struct members *members, const struct members *old);
/* For a restart, likewise. */
void members_save_listed(const struct members *members, struct state_cluster *saved);
void members_load_listed(struct members *members, const struct state_cluster *saved);
/* The address as which connections to `asked` are listed now; `asked` itself if nothing else is known. */
const struct inet_address *members_listed(const struct members *members,
                                          const struct inet_address *asked);

/* The addresses of each member, as publication_make() takes them. */
void members_where(const struct members *members, const struct addresses *ret[HOMING_MEMBERS_MAX]);

/* What the member last said. */
const struct topo_member *members_said(const struct members *members, uint32_t member);

/* W1: its connection stands, and its last answer claims the writer role and is not too old. */
bool members_claims(const struct members *members, uint32_t member, uint64_t now_ms);

/* An earlier member that is the same running server, or MEMBER_NONE. */
uint32_t members_alias_of(const struct members *members, uint32_t member);

/* The member that has this address, or whose connections alone are listed as leading there; or
 * MEMBER_NONE. */
uint32_t members_find(const struct members *members, const struct inet_address *address);

/* The only member at this host, or listed there, whatever the port, or MEMBER_NONE. */
uint32_t members_find_host(const struct members *members, const struct inet_address *address);

#endif
