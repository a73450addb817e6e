/* SPDX-License-Identifier: Apache-2.0
 *
 * programs.c - see programs.h.
 */
#include "config.h"

#include "agent/admin/explain_cluster.h"
#include "agent/admin/programs.h"
#include "agent/daemon/publish.h"
#include "proto/attach.h"
#include "proto/view_names.h"

/* A shim's request has the id 1, and the shim finds the values at fixed places (proto/attach.h). */
static void put_attach_reply(struct call *call, const struct attach_reply *reply)
{
    uint8_t bytes[ATTACH_REPLY_SIZE];

    if (call->id == 1) {
        attach_reply_encode(reply, bytes);
        msg_put_whole(call->reply, bytes, sizeof(bytes));
        return;
    }
    msg_put_reply(call->reply, call->id);
    msg_open_map(call->reply);
    msg_put_key_uint(call->reply, "major", reply->major);
    msg_put_key_uint(call->reply, "minor", reply->minor);
    msg_put_key_uint(call->reply, "size", reply->size);
    msg_put_key_uint(call->reply, "instance", reply->instance);
    msg_close(call->reply);
}

void programs_attach(struct call *call)
{
    struct view *view = call->daemon->view;
    uint64_t major = 0;
    struct attach_reply reply = {
        .major = VIEW_MAJOR,
        .minor = VIEW_MINOR,
        .size = view_bytes(view),
        .instance = view_instance(view),
    };

    if (!msg_uint(msg_array_at(call->params, 0), &major)) {
        call_refuse(call, MSG_ERROR_BAD_REQUEST, "attach: params are [major]");
        return;
    }
    if (major != VIEW_MAJOR) {
        call_refuse(call, MSG_ERROR_UNSUPPORTED, "attach: this agent serves layout %d, not %llu",
                    VIEW_MAJOR, (unsigned long long)major);
        return;
    }
    put_attach_reply(call, &reply);
    *call->ret_fd = view_fd(view);
}

void programs_resolve(struct call *call)
{
    const char *text = call_param(call, 0);
    struct view_entry entry;
    struct place place;
    bool stale;

    if (!text) {
        call_refuse(call, MSG_ERROR_BAD_REQUEST, "resolve: params are [name]");
        return;
    }
    if (!call_find_name(call, text, &place) ||
        !publish_read(call->daemon, place_name(&place), &entry)) {
        call_refuse_name(call, text);
        return;
    }
    stale = view_entry_stale(&entry, loop_now_ms(call->daemon->loop));
    msg_put_reply(call->reply, call->id);
    msg_open_map(call->reply);
    msg_put_key_str(call->reply, "name", text);
    msg_put_key_str(call->reply, "endpoint", place_endpoint(&place)->names[0].text);
    msg_put_key_str(call->reply, "cluster", place.cluster->conf->name);
    msg_put_key_str(call->reply, "role", view_role_name(entry.role));
    msg_put_key_str(call->reply, "mode", view_mode_name(entry.mode));
    msg_put_key_str(call->reply, "state", view_state_name(entry.state));
    msg_put_key_bool(call->reply, "stale", stale);
    msg_put_key_uint(call->reply, "generation", entry.generation);
    msg_put_key_uint(call->reply, "port", entry.port);
    explain_put_addresses(call->daemon, &entry, call->reply);
    msg_close(call->reply);
}
