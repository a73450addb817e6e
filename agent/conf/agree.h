/* SPDX-License-Identifier: Apache-2.0
 *
 * agree.h - checks that compare values with each other: of several keys, or of one key in several
 * places; and warnings.
 */
#ifndef HOMING_AGENT_CONF_AGREE_H
#define HOMING_AGENT_CONF_AGREE_H

#include <stddef.h>

#include "agent/conf/file/position.h"

/* The durations of which each has to be longer than the one before it. `node`: the mapping in which
 * some of them may be given. */
void conf_agree_timing(const struct conf_node *node, const struct conf_timing *timing,
                       struct conf_errors *errors);

/* Whether what is saved has a directory of its own. `agent`: the mapping of that name. */
void conf_agree_directories(const struct conf_node *agent, const struct conf *conf,
                            struct conf_errors *errors);

/* Whether the members' addresses fit family and allowed_networks. */
void conf_agree_members(const struct conf_cluster *cluster, struct conf_errors *errors);

/* Whether the last of `count` members is another one than those before it. `what`: member or seed. */
void conf_agree_last_member(const struct conf_member *members, uint32_t count,
                            struct conf_errors *errors, const char *what);

/* Warns if no member may become the writer by itself. */
void conf_agree_failover(const struct conf_cluster *cluster, struct conf_errors *errors);

/* Warns of a lag that is given alone, in what the engine of this cluster does not count. `node`: the cluster's mapping. */
void conf_agree_lag(const struct conf_node *node, const struct engine_kind *engine,
                    struct conf_errors *errors);

/* Whether the members' ports are those of programs, and each member has a host of its own, where the engine asks
 * at another port. */
void conf_agree_asked_port(const struct conf_cluster *cluster, struct conf_errors *errors);

/* Adds an error where an endpoint's port cannot be told from another one: if it is that of a member
 * of its own cluster, if two members of that are one host, or if another cluster claims it at the
 * same host, for a member or for an endpoint; and where a cluster has too many. 0 or -ENOMEM. */
int conf_agree_ports(const struct conf *conf, struct conf_errors *errors);

/* A name and where it stands, to find it used twice. */
struct conf_use {
    const char *name;
    struct conf_at at;
};

struct conf_uses {
    struct conf_use *list;
    size_t count;
    size_t room;
};

/* 0 or -ENOMEM. The name must live until the check. */
int conf_uses_add(struct conf_uses *uses, const char *name, struct conf_at at);
/* Adds an error for every use of a name but its first. */
void conf_uses_check(struct conf_uses *uses, const char *what, struct conf_errors *errors);
void conf_uses_done(struct conf_uses *uses);

/* Warns of what a cluster may say, and hardly ever means well. `names`: those of all endpoints of
 * the file, after conf_uses_check(). */
void conf_agree_danger(const struct conf_cluster *cluster, const struct conf_uses *names,
                       struct conf_errors *errors);

#endif
