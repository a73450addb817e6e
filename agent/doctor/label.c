/* SPDX-License-Identifier: Apache-2.0
 *
 * label.c - see label.h.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/doctor/label.h"

void label_server(const struct seen_server *server, char ret[LABEL_SIZE])
{
    const struct conf_member *member = server->member;
    bool v6 = strchr(member->host, ':');

    snprintf(ret, LABEL_SIZE, "%s%s%s%s:%u",
             server->seed    ? "seed "
             : server->named ? "named "
                             : "",
             v6 ? "[" : "", member->host, v6 ? "]" : "", member->port);
}

void label_visit(const struct seen_server *server, const struct seen_visit *visit,
                 char ret[LABEL_SIZE])
{
    size_t len;

    label_server(server, ret);
    len = strlen(ret);
    if (strcmp(server->member->host, visit->address.text) != 0)
        snprintf(ret + len, LABEL_SIZE - len, " at %s", visit->address.text);
}

void label_addresses(const struct seen_name *name, char *ret, size_t size)
{
    size_t used = 0;
    char text[48];

    ret[0] = '\0';
    for (uint32_t i = 0; i < name->count && used < size; i++) {
        inet_address_print(&name->at[i], text, sizeof(text));
        used += (size_t)snprintf(ret + used, size - used, "%s%s", i > 0 ? ", " : "", text);
    }
}
