/* SPDX-License-Identifier: Apache-2.0
 *
 * lists.c - as lists.h says.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/conf/lists.h"
#include "agent/conf/value.h"
#include "proto/limits.h"

/* RFC 6761: `localhost`, and all below it, is the machine itself. */
static bool is_own_machine(const char *name)
{
    const char *end = strrchr(name, '.');
    return strcmp(end ? end + 1 : name, "localhost") == 0;
}

static int take_name(const struct conf_list *list, struct conf_uses *uses, const char *text,
                     struct conf_at at, struct conf_endpoint *endpoint)
{
    struct conf_name *own = &endpoint->names[endpoint->name_count];
    if (!name_valid(text) || !name_canonical(text, &own->name)) {
        conf_errors_add(list->errors, at,
                        "name '%.300s' is not a DNS name; write labels of 1 to 63 letters, digits, "
                        "'-' and '_', %d bytes in all, without address or port",
                        text, HOMING_NAME_MAX);
        return 0;
    }
    own->text = malloc(own->name.len + 1);
    if (!own->text)
        return -ENOMEM;
    memcpy(own->text, own->name.words, own->name.len);
    own->text[own->name.len] = '\0';
    endpoint->name_count++;
    if (is_own_machine(own->text))
        conf_errors_add(
            list->errors, at,
            "name '%s' is each machine's own: whatever a program on this one connects to "
            "there would go to another machine; write the database's name",
            own->text);
    return conf_uses_add(uses, own->text, at);
}

int conf_list_names(const struct conf_list *list, struct conf_uses *uses,
                    struct conf_endpoint *endpoint)
{
    const struct conf_node *node = list->node->first;
    int rv = 0;
    endpoint->names = calloc(list->count, sizeof(*endpoint->names));
    if (!endpoint->names)
        return -ENOMEM;
    for (unsigned i = 0; i < list->count && rv == 0; i++, node = node->next)
        rv = take_name(list, uses, list->texts[i], node->at, endpoint);
    return rv;
}

int conf_list_networks(const struct conf_list *list, struct conf_cluster *cluster)
{
    const struct conf_node *node = list->node->first;
    if (!node) {
        conf_errors_add(list->errors, list->node->at,
                        "%s is empty and would allow nothing; list networks or remove it",
                        list->key->name);
        return 0;
    }
    cluster->allowed_networks = calloc(list->count, sizeof(*cluster->allowed_networks));
    if (!cluster->allowed_networks)
        return -ENOMEM;
    for (; node; node = node->next) {
        struct conf_network *network = &cluster->allowed_networks[cluster->allowed_network_count];
        const char *text = list->texts[cluster->allowed_network_count++];
        const char *wrong = conf_value_network(text, network);
        if (wrong)
            conf_errors_add(list->errors, node->at, "allowed network '%.100s' %s", text, wrong);
    }
    return 0;
}

int conf_list_ports(const struct conf_list *list, struct conf_endpoint *endpoint)
{
    uint64_t port = 0;
    endpoint->ports_at = list->node->at;
    endpoint->ports = calloc(list->key->max, sizeof(*endpoint->ports));
    if (!endpoint->ports)
        return -ENOMEM;
    for (const struct conf_node *node = list->node->first; node; node = node->next) {
        const char *wrong = conf_value_read(CONF_TYPE_PORT, node->text, &port);
        if (!wrong && conf_endpoint_has_port(endpoint, port))
            wrong = "is listed twice; keep one of them";
        if (wrong)
            conf_errors_add(list->errors, node->at, "port '%.100s' %s", node->text, wrong);
        else
            endpoint->ports[endpoint->port_count++] = (uint16_t)port;
    }
    return 0;
}
