/* SPDX-License-Identifier: Apache-2.0
 *
 * judge_endpoints.c - see judge_endpoints.h. With homing, programs do not ask plain DNS for these; without
 * it, while it is off or stale (W9), and on other nodes, they do.
 */
#include "config.h"

#include <string.h>

#include "agent/doctor/judge_endpoints.h"
#include "agent/doctor/label.h"

/* The member that has this address; NULL: none. */
static const struct seen_server *find_member(const struct seen_cluster *cluster,
                                             const struct inet_address *address)
{
    for (uint32_t i = 0; i < cluster->server_count; i++)
        for (uint32_t j = 0; !cluster->servers[i].seed && j < cluster->servers[i].name.count; j++)
            if (inet_address_same_host(&cluster->servers[i].name.at[j], address))
                return &cluster->servers[i];
    return NULL;
}

static size_t add_address(const struct seen_cluster *cluster, const struct inet_address *address,
                          char *text, size_t size)
{
    const struct seen_server *member = find_member(cluster, address);
    const struct seen_visit *answer = member ? seen_answer(member) : NULL;
    char label[LABEL_SIZE], numeric[48];

    inet_address_print(address, numeric, sizeof(numeric));
    if (!member)
        return (size_t)snprintf(text, size, " %s (no member)", numeric);
    label_server(member, label);
    return (size_t)snprintf(text, size, " %s (%s%s%s)", numeric, label, answer ? ", a " : "",
                            answer ? role_name(answer->report.role) : ", which does not answer");
}

static void judge_name(struct findings *f, const struct seen_cluster *cluster,
                       const struct seen_endpoint *endpoint)
{
    const char *role = endpoint->role == VIEW_ROLE_WRITER ? "writer" : "reader";
    const struct seen_name *name = &endpoint->name;
    char text[FINDINGS_LINE] = "";
    size_t used = 0;

    for (uint32_t i = 0; i < name->count && used < sizeof(text); i++)
        used += add_address(cluster, &name->at[i], text + used, sizeof(text) - used);
    if (name->end == SEEN_GOOD)
        findings_add(f, FINDING_HINT, NULL, "%s (%s) is in plain DNS:%s", name->name, role, text);
    else if (name->end == SEEN_SILENT)
        findings_add(f, FINDING_HINT, NULL, "%s (%s): plain DNS does not answer within %d s",
                     name->name, role, SEEN_SECONDS);
    else
        findings_add(f, FINDING_HINT, NULL,
                     "%s (%s) is not in plain DNS: programs without homing cannot use it (%s)",
                     name->name, role, name->words);
}

void judge_endpoints(struct findings *f, const struct seen_cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->endpoint_count; i++)
        judge_name(f, cluster, &cluster->endpoints[i]);
}
