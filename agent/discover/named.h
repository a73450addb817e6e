/* SPDX-License-Identifier: Apache-2.0
 *
 * named.h - whether a host that a server names may be made a member.
 *
 * Pure. A topology is hearsay, and a member is given the password: only a host that the operator's
 * host_patterns make, or that is bound to allowed_networks, is taken. Used by roster.c.
 */
#ifndef HOMING_AGENT_DISCOVER_NAMED_H
#define HOMING_AGENT_DISCOVER_NAMED_H

#include "agent/conf/value.h"
#include "agent/probe/topology.h"

enum named {
    NAMED_GOOD,
    NAMED_ODD,       /* neither an id nor a host, as this engine should tell it */
    NAMED_NO_REGION, /* no pattern is for its region */
    NAMED_OUTSIDE,   /* no pattern makes it, and no network allows it */
    NAMED_OLD,       /* W4a: a blue/green switchover left it behind, as its name says */
    NAMED_PORT,      /* its port stands in an endpoint's `ports`: the two could not be told apart */
    NAMED_COUNT
};

/* Judges a row of a server of this cluster. *ret_host is set for NAMED_GOOD alone. If no pattern
 * makes the host, it is a name, and addresses outside of allowed_networks are left to the probe,
 * which connects to none of them. */
enum named named_judge(const struct conf_cluster *conf, const struct topology_row *row,
                       struct conf_host *ret_host);

/* The same of a host that was a member before: the configuration may be another one by now. */
enum named named_judge_host(const struct conf_cluster *conf, const struct conf_host *host);

/* Whether a member may have this port. */
enum named named_judge_port(const struct conf_cluster *conf, uint16_t port);

/* All of a row. `port` is that of the server that says so. *ret_host is set for NAMED_GOOD and
 * NAMED_PORT alone. */
enum named named_judge_row(const struct conf_cluster *conf, const struct topology_row *row,
                           uint16_t port, struct conf_host *ret_host, uint16_t *ret_port);

/* The pattern that makes or admits the host of a good row; NULL: allowed_networks alone admit it. */
const struct conf_pattern *named_pattern(const struct conf_cluster *conf,
                                         const struct topology_row *row,
                                         const struct conf_host *host);

/* Why it is refused: what fits behind the host, in status and log. */
const char *named_text(enum named named);

#endif
