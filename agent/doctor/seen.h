/* SPDX-License-Identifier: Apache-2.0
 *
 * seen.h - what the doctor saw of one cluster: data that lookup.c and visit.c fill, and that judge.c
 * and its like turn into findings.
 *
 * All texts come from outside, and are as they came: findings.c makes them fit for a terminal.
 */
#ifndef HOMING_AGENT_DOCTOR_SEEN_H
#define HOMING_AGENT_DOCTOR_SEEN_H

#include <stddef.h>

#include "agent/base/address.h"
#include "agent/conf/conf.h"
#include "agent/decide/report.h"
#include "agent/probe/engine.h"
#include "agent/probe/topology.h"

/* The time of one lookup, and of one login with its question. */
#define SEEN_SECONDS 5

enum seen_end {
    SEEN_WAITING,
    SEEN_RUNNING,
    SEEN_GOOD,   /* there are addresses; the question was answered */
    SEEN_FAILED, /* `words` says why */
    SEEN_SILENT  /* not within SEEN_SECONDS */
};

/* Longer than a failure's text: a note may end with a statement that is to be run as it is. */
#define SEEN_WORDS 480

/* What DNS, the hosts file, or the literal itself said of a host or an endpoint's name. */
struct seen_name {
    const char *name;
    enum seen_end end;
    char words[200];
    struct inet_address at[HOMING_ADDRESSES_MAX]; /* allowed or not */
    uint32_t count;
};

/* One address of a server, which was logged in to. */
struct seen_visit {
    struct address address;
    enum seen_end end;
    enum engine_stage stage; /* how far it came */
    enum report_kind kind;   /* of a failure */
    bool encrypted;
    struct report report; /* SEEN_GOOD: the answer */
    char version[64];
    char words[SEEN_WORDS]; /* the failure, or the note to the answer; "": none */
    struct topology *told;  /* what it says of others; NULL: nothing */
};

struct seen_server {
    const struct conf_member *member;
    bool seed;
    bool named; /* it is in no configuration: another server names it. `member` is `own` */
    struct conf_member own;
    char host[HOMING_NAME_MAX + 1];     /* of `own` */
    const struct seen_server *from;     /* who names it */
    const struct conf_pattern *made_by; /* NULL: allowed_networks admit it */
    struct seen_name name;
    struct seen_visit visits[HOMING_ADDRESSES_MAX]; /* of the addresses that are allowed */
    uint32_t visit_count;
    bool planned; /* the visits are there */
};

struct seen_endpoint {
    enum view_role role;
    struct seen_name name;
};

struct seen_cluster {
    const struct conf_cluster *conf;
    struct seen_server *servers; /* the members in their order, the seeds, then who is named */
    uint32_t server_count;
    bool crowded;                    /* more are named than a cluster may have */
    struct seen_endpoint *endpoints; /* each name of each endpoint */
    uint32_t endpoint_count;
};

/* The first address of a server at which the question was answered; NULL: none. */
static inline const struct seen_visit *seen_answer(const struct seen_server *server)
{
    for (uint32_t i = 0; i < server->visit_count; i++)
        if (server->visits[i].end == SEEN_GOOD)
            return &server->visits[i];
    return NULL;
}

#endif
