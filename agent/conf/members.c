/* SPDX-License-Identifier: Apache-2.0
 *
 * members.c - a cluster's members and the networks in which they may be; both from the tree,
 * because a member is a word or a mapping.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/conf/check.h"
#include "agent/conf/value.h"
#include "proto/limits.h"

static size_t count_children(const struct conf_node *node)
{
    size_t count = 0;
    for (const struct conf_node *child = node ? node->first : NULL; child; child = child->next)
        count++;
    return count;
}

static const char *text_of(const struct conf_node *node, const char *key)
{
    const struct conf_node *child = conf_position_find(node, key);
    return child ? child->text : NULL;
}

/* In the mapping form the host may carry its port too, if there is no key for it. */
static bool read_mapping(const struct conf_node *node, struct conf_errors *errors,
                         struct conf_host *host, struct conf_member *member)
{
    const char *text = text_of(node, "host");
    const char *port = text_of(node, "port");
    const char *failover = text_of(node, "failover");
    if (!text) {
        conf_errors_add(errors, node->at,
                        "a member without host; write host: and a name or address");
        return false;
    }
    const char *wrong =
        port ? conf_value_host(text, host) : conf_value_member(text, host, &member->port);
    if (wrong)
        conf_errors_add(errors, conf_position_at(node, "host"), "host '%.300s' %s", text, wrong);
    const char *wrong_port = port ? conf_value_port(port, &member->port) : NULL;
    if (wrong_port)
        conf_errors_add(errors, conf_position_at(node, "port"), "port '%.100s' %s", port,
                        wrong_port);
    const char *wrong_failover = failover ? conf_value_bool(failover, &member->failover) : NULL;
    if (wrong_failover)
        conf_errors_add(errors, conf_position_at(node, "failover"), "failover '%.100s' %s",
                        failover, wrong_failover);
    return !wrong && !wrong_port && !wrong_failover;
}

static bool read_word(const struct conf_node *node, struct conf_errors *errors,
                      struct conf_host *host, struct conf_member *member)
{
    const char *wrong = conf_value_member(node->text, host, &member->port);
    if (wrong)
        conf_errors_add(errors, node->at, "member '%.300s' %s", node->text, wrong);
    return !wrong;
}

static void refuse_twice(const struct conf_cluster *cluster, struct conf_errors *errors)
{
    const struct conf_member *last = &cluster->members[cluster->member_count - 1];
    for (const struct conf_member *member = cluster->members; member != last; member++) {
        if (member->port != last->port || strcmp(member->host, last->host) != 0)
            continue;
        conf_errors_add(errors, last->at,
                        "member '%s', port %u, is already listed at %s:%u:%u; keep one of them",
                        last->host, last->port, errors->file, member->at.line, member->at.column);
        return;
    }
}

static int add_member(const struct conf_node *node, struct conf_errors *errors,
                      struct conf_cluster *cluster)
{
    struct conf_host host;
    struct conf_member member = {
        .port = cluster->engine->default_port, .failover = true, .at = node->at};
    bool good = node->kind == CONF_NODE_SCALAR ? read_word(node, errors, &host, &member)
                                               : read_mapping(node, errors, &host, &member);
    if (!good)
        return 0;
    member.host = strdup(host.text);
    if (!member.host)
        return -ENOMEM;
    cluster->members[cluster->member_count++] = member;
    refuse_twice(cluster, errors);
    return 0;
}

int conf_members_check(const struct conf_node *node, struct conf_errors *errors,
                       struct conf_cluster *cluster)
{
    const struct conf_node *list = conf_position_find(node, "members");
    size_t count = count_children(list);
    if (count == 0) {
        conf_errors_add(errors, conf_position_at(node, "members"),
                        "a cluster without members; list its servers");
        return 0;
    }
    if (count > HOMING_MEMBERS_MAX) {
        conf_errors_add(errors, list->at, "%zu members; a cluster has at most %d", count,
                        HOMING_MEMBERS_MAX);
        return 0;
    }
    cluster->members = calloc(count, sizeof(*cluster->members));
    if (!cluster->members)
        return -ENOMEM;
    int rv = 0;
    for (const struct conf_node *child = list->first; child && rv == 0; child = child->next)
        rv = add_member(child, errors, cluster);
    return rv;
}

int conf_networks_check(const struct conf_node *node, struct conf_errors *errors,
                        struct conf_cluster *cluster)
{
    size_t count = count_children(node);
    if (!node)
        return 0;
    if (count == 0) {
        conf_errors_add(
            errors, node->at,
            "allowed_networks is empty and would allow nothing; list networks or remove it");
        return 0;
    }
    cluster->allowed_networks = calloc(count, sizeof(*cluster->allowed_networks));
    if (!cluster->allowed_networks)
        return -ENOMEM;
    for (const struct conf_node *child = node->first; child; child = child->next) {
        struct conf_network *network = &cluster->allowed_networks[cluster->allowed_network_count++];
        const char *wrong = conf_value_network(child->text, network);
        if (wrong)
            conf_errors_add(errors, child->at, "allowed network '%.100s' %s", child->text, wrong);
    }
    return 0;
}

void conf_members_agree(struct conf_errors *errors, const struct conf_cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->member_count; i++) {
        const struct conf_member *member = &cluster->members[i];
        struct conf_host host;
        if (conf_value_host(member->host, &host) || host.family == 0)
            continue;
        if (cluster->timing.family != CONF_FAMILY_AUTO && host.family != cluster->timing.family)
            conf_errors_add(errors, member->at,
                            "member '%s' is no IPv%d address, as family asks; change one of them",
                            member->host, (int)cluster->timing.family);
        if (!conf_address_allowed(cluster, host.family, host.bytes))
            conf_errors_add(errors, member->at,
                            "member '%s' is in none of allowed_networks; change one of them",
                            member->host);
    }
}
