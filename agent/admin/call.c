/* SPDX-License-Identifier: Apache-2.0
 *
 * call.c - see call.h.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/admin/call.h"
#include "agent/admin/near.h"
#include "agent/base/spelling.h"
#include "agent/daemon/cluster.h"
#include "proto/name.h"

const char *call_param(const struct call *call, uint32_t i)
{
    return msg_str(msg_array_at(call->params, i));
}

struct cluster *call_cluster(struct call *call)
{
    const char *text = call_param(call, 0);
    struct cluster *cluster = cluster_find(call->daemon, text);

    if (!text)
        call_refuse(call, MSG_ERROR_BAD_REQUEST, "params begin with the cluster's name");
    else if (!cluster)
        call_refuse_cluster(call, text);
    return cluster;
}

void call_refuse_cluster(struct call *call, const char *text)
{
    const struct daemon *daemon = call->daemon;
    const char *near = NULL;

    for (uint32_t c = 0; c < daemon->cluster_count && !near; c++)
        if (spelling_is_near(daemon->clusters[c]->conf->name, text))
            near = daemon->clusters[c]->conf->name;
    call_refuse(call, MSG_ERROR_NOT_FOUND, "no cluster %s%s%s%s", text,
                near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

bool call_find_name(const struct call *call, const char *text, struct place *ret_place)
{
    const struct daemon *daemon = call->daemon;
    struct name wanted;

    if (!text || !name_canonical(text, &wanted))
        return false;
    for (uint32_t c = 0; c < daemon->cluster_count; c++) {
        const struct conf_cluster *conf = daemon->clusters[c]->conf;
        for (uint32_t e = 0; e < conf->endpoint_count; e++)
            for (uint32_t n = 0; n < conf->endpoints[e].name_count; n++)
                if (name_same(&conf->endpoints[e].names[n].name, &wanted)) {
                    *ret_place = (struct place){daemon->clusters[c], e, n};
                    return true;
                }
    }
    return false;
}

const struct conf_endpoint *place_endpoint(const struct place *place)
{
    return &place->cluster->conf->endpoints[place->endpoint];
}

const struct name *place_name(const struct place *place)
{
    return &place_endpoint(place)->names[place->name].name;
}

void call_refuse_name(struct call *call, const char *text)
{
    static const char *const why[NEAR_COUNT] = {
        [NEAR_SLIP] = "a slip?",
        [NEAR_SUFFIX] = "search suffixes are never applied: list this spelling in its names",
        [NEAR_LABEL] = "the same first label, another domain",
        [NEAR_TYPO] = "a slip?",
    };
    const char *nearest = NULL;
    char canonical[HOMING_NAME_MAX + 1];
    struct place place;
    struct name name;
    enum near near = NEAR_NOTHING;

    if (text && name_canonical(text, &name)) {
        snprintf(canonical, sizeof(canonical), "%.*s", (int)name.len, (const char *)name.words);
        near = near_find(call->daemon->held->conf, canonical, &nearest);
    }
    if (near == NEAR_NOTHING || !call_find_name(call, nearest, &place))
        call_refuse(call, MSG_ERROR_NOT_FOUND, "%s is not a managed name", text);
    else
        call_refuse(call, MSG_ERROR_NOT_FOUND,
                    "%s is not a managed name; near is %s, endpoint %s of cluster %s (%s)", text,
                    nearest, place_endpoint(&place)->names[0].text, place.cluster->conf->name,
                    why[near]);
}
