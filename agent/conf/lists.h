/* SPDX-License-Identifier: Apache-2.0
 *
 * lists.h - keys whose value is a list of values: names, networks, ports.
 *
 * Called by check.c. `node` is where the list stands, `texts` its entries as libcyaml loaded them.
 * Each adds an error for every entry that is wrong. 0 or -ENOMEM.
 */
#ifndef HOMING_AGENT_CONF_LISTS_H
#define HOMING_AGENT_CONF_LISTS_H

#include "agent/conf/agree.h"
#include "agent/conf/keys.h"

/* One list, and where its errors go. */
struct conf_list {
    const struct conf_key *key;
    const struct conf_node *node;
    char *const *texts;
    unsigned count;
    struct conf_errors *errors;
};

/* Each name goes into `uses`, too. */
int conf_list_names(const struct conf_list *list, struct conf_uses *uses,
                    struct conf_endpoint *endpoint);
int conf_list_networks(const struct conf_list *list, struct conf_cluster *cluster);
int conf_list_ports(const struct conf_list *list, struct conf_endpoint *endpoint);

#endif
