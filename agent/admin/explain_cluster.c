/* SPDX-License-Identifier: Apache-2.0
 *
 * explain_cluster.c - see explain_cluster.h.
 */
#include "config.h"

#include <stdio.h>

#include "agent/admin/explain.h"
#include "agent/admin/explain_cluster.h"
#include "agent/admin/status.h"
#include "agent/daemon/cluster.h"
#include "agent/daemon/publish.h"
#include "proto/view_names.h"

/* Why severing does nothing, although mode and state allow it. "": nothing hinders it. */
static void sever_hindrance(const struct cluster *cluster, const struct view_entry *entry,
                            char *ret, size_t size)
{
    const char *why = sever_client_hindrance(cluster->daemon->sever_client);

    ret[0] = '\0';
    if (entry->mode != VIEW_MODE_SEVER || entry->role != VIEW_ROLE_WRITER)
        return;
    if (cluster->decision.verdict.braked)
        snprintf(ret, size, "nothing while braked (W10); homingctl unfreeze %s",
                 cluster->conf->name);
    else if (why)
        snprintf(ret, size, "nothing: %s", why);
}

static void put_layers(const struct cluster *cluster, struct msg_writer *w,
                       const struct view_entry *entry, enum view_state state)
{
    char hindrance[sizeof(((struct sever_client_status *)0)->why) + 16];

    sever_hindrance(cluster, entry, hindrance, sizeof(hindrance));
    msg_put_str(w, "layers");
    msg_open_map(w);
    for (int layer = 0; layer < LAYER_COUNT; layer++)
        msg_put_key_str(w, layer_name((enum layer)layer),
                        layer == LAYER_SEVER && hindrance[0]
                            ? hindrance
                            : explain_layer((enum layer)layer, entry->role, entry->mode, state));
    msg_close(w);
}

/* One per family, the preferred one first. */
static uint32_t writer_addresses(const struct view_entry *entry, struct view_address ret[2])
{
    const char *texts[] = {entry->family == 6 ? entry->text6 : entry->text4,
                           entry->family == 6 ? entry->text4 : entry->text6};
    uint32_t count = 0;

    for (int i = 0; i < 2; i++)
        if (texts[i][0]) {
            snprintf(ret[count].text, sizeof(ret[count].text), "%s", texts[i]);
            ret[count++].address.port = entry->port;
        }
    return count;
}

static void put_other_ports(const struct view_entry *entry, struct msg_writer *w)
{
    uint16_t ports[HOMING_PORTS_MAX];
    uint32_t count = 0;

    for (unsigned i = 0; i < HOMING_PORTS_MAX; i++)
        if (entry->ports >> i * 16 & 0xffff)
            ports[count++] = (uint16_t)(entry->ports >> i * 16);
    msg_put_str(w, "other_ports");
    msg_put_array(w, count);
    for (uint32_t i = 0; i < count; i++)
        msg_put_uint(w, ports[i]);
}

void explain_put_addresses(const struct daemon *daemon, const struct view_entry *entry,
                           struct msg_writer *w)
{
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];
    struct view_map map;
    uint32_t count = 0;

    if (entry->role == VIEW_ROLE_READER &&
        view_map_check(view_writer(daemon->view)->header, view_bytes(daemon->view), &map))
        count = view_read_members(&map, entry->cluster, VIEW_MEMBER_READER, at,
                                  HOMING_VIEW_ADDRESSES_MAX);
    if (!count)
        count = writer_addresses(entry, at);
    msg_put_str(w, "addresses");
    msg_put_array(w, count);
    for (uint32_t i = 0; i < count; i++)
        msg_put_str(w, at[i].text);
    msg_put_str(w, "ports");
    msg_put_array(w, count);
    for (uint32_t i = 0; i < count; i++)
        msg_put_uint(w, at[i].address.port);
    put_other_ports(entry, w);
}

static void put_name(const struct place *place, const char *text, struct msg_writer *w)
{
    const struct daemon *daemon = place->cluster->daemon;
    struct view_entry entry;
    enum view_state state;

    if (!publish_read(daemon, place_name(place), &entry)) {
        msg_put_key_nil(w, "name");
        return;
    }
    state = entry.state;
    if (state != VIEW_STATE_UNKNOWN && view_entry_stale(&entry, loop_now_ms(daemon->loop)))
        state = VIEW_STATE_STALE;
    msg_put_str(w, "name");
    msg_open_map(w);
    msg_put_key_str(w, "name", text);
    msg_put_key_str(w, "endpoint", place_endpoint(place)->names[0].text);
    msg_put_key_str(w, "role", view_role_name(entry.role));
    msg_put_key_str(w, "mode", view_mode_name(entry.mode));
    msg_put_key_uint(w, "generation", entry.generation);
    explain_put_addresses(daemon, &entry, w);
    put_layers(place->cluster, w, &entry, state);
    msg_close(w);
}

static enum explain_by succeeds_by(const struct decision *decision)
{
    for (uint32_t m = 0; m < decision->topo.members; m++)
        if (decision->topo.at[m].last.fenced)
            return EXPLAIN_BY_VOLUME;
    return decision->verdict.self != 0 ? EXPLAIN_BY_HEIRS : EXPLAIN_BY_TERM;
}

void explain_call(struct call *call)
{
    const char *text = call_param(call, 0);
    struct place place = {.cluster = cluster_find(call->daemon, text)};
    struct msg_writer *w = call->reply;
    bool named;

    if (!text) {
        call_refuse(call, MSG_ERROR_BAD_REQUEST, "explain: params are [name or cluster]");
        return;
    }
    named = call_find_name(call, text, &place);
    if (!place.cluster) {
        call_refuse_name(call, text);
        return;
    }
    msg_put_reply(w, call->id);
    msg_open_map(w);
    msg_put_str(w, "cluster");
    status_put_cluster(place.cluster, w);
    if (named)
        put_name(&place, text, w);
    else
        msg_put_key_nil(w, "name");
    const struct decision *decision = &place.cluster->decision;
    msg_put_key_str(w, "change", explain_change(decision->verdict.reason, succeeds_by(decision)));
    msg_close(w);
}
