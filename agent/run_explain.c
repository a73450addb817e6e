/* SPDX-License-Identifier: Apache-2.0
 *
 * run_explain.c - the result of `explain`: a cluster as `status` has it, and what that means for a
 * name.
 */
#include "config.h"

#include "agent/explain.h"
#include "agent/run_parts.h"

static void put_layers(struct msg_writer *w, const struct view_entry *entry, enum view_state state)
{
    msg_put_str(w, "layers");
    msg_put_map(w, LAYER_COUNT);
    for (int layer = 0; layer < LAYER_COUNT; layer++)
        msg_put_key_str(w, layer_name((enum layer)layer),
                        explain_layer((enum layer)layer, entry->mode, state));
}

static const char *text_or_null(const char *text)
{
    return text[0] ? text : NULL;
}

static void put_name(struct run_cluster *rc, const struct conf_endpoint *endpoint, const char *name,
                     struct msg_writer *w)
{
    uint64_t now_ms = loop_now_ms(rc->run->loop);
    struct view_entry entry;
    enum view_state state;

    if (!name || !run_view_read(rc->run, name, &entry)) {
        msg_put_key_nil(w, "name");
        return;
    }
    state = view_entry_stale(&entry, now_ms) && entry.state != VIEW_STATE_UNKNOWN ? VIEW_STATE_STALE
                                                                                  : entry.state;
    msg_put_str(w, "name");
    msg_put_map(w, 8);
    msg_put_key_str(w, "name", name);
    msg_put_key_str(w, "endpoint", endpoint->names[0]);
    msg_put_key_str(w, "role", view_role_name(entry.role));
    msg_put_key_str(w, "mode", view_mode_name(entry.mode));
    msg_put_key_uint(w, "generation", entry.generation);
    msg_put_key_str(w, "text4", text_or_null(entry.text4));
    msg_put_key_str(w, "text6", text_or_null(entry.text6));
    put_layers(w, &entry, state);
}

void run_explain_put(struct run_cluster *rc, const struct conf_endpoint *endpoint, const char *name,
                     struct msg_writer *w)
{
    msg_put_map(w, 3);
    msg_put_str(w, "cluster");
    run_status_put_cluster(rc, w);
    put_name(rc, endpoint, name, w);
    msg_put_key_str(w, "change", explain_change(rc->mind.verdict.reason));
}
