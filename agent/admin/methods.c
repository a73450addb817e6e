/* SPDX-License-Identifier: Apache-2.0
 *
 * methods.c - the methods of both sockets. Contract: proto/PROTOCOL.md.
 *
 * 1. What changes something is for root and the agent's own uid, by SO_PEERCRED, on admin.sock
 *    only, and is logged with who asked for it.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/admin/near.h"
#include "agent/base/log.h"
#include "agent/daemon/parts.h"
#include "proto/attach.h"

#define HISTORY_LIMIT 1000

struct call {
    struct run *run;
    const struct serve_peer *peer;
    uint32_t id;
    const struct msg_value *params;
    struct msg_writer *reply;
    int *ret_fd;
};

typedef void method_fn(struct call *call);

static const char *param(const struct call *call, uint32_t i)
{
    return msg_str(msg_array_at(call->params, i));
}

#define refuse(call, error, ...) msg_put_error((call)->reply, (call)->id, (error), __VA_ARGS__)

/* ---- agent.sock ---- */

/* The shim's id is 1, and it finds the values at fixed places (attach.h). */
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

static void call_attach(struct call *call)
{
    struct view *view = call->run->view;
    uint64_t major = 0;
    struct attach_reply reply = {
        .major = VIEW_MAJOR,
        .minor = VIEW_MINOR,
        .size = view_bytes(view),
        .instance = view_instance(view),
    };

    if (!msg_uint(msg_array_at(call->params, 0), &major)) {
        refuse(call, MSG_ERROR_BAD_REQUEST, "attach: params are [major]");
        return;
    }
    if (major != VIEW_MAJOR) {
        refuse(call, MSG_ERROR_UNSUPPORTED, "attach: this agent serves layout %d, not %llu",
               VIEW_MAJOR, (unsigned long long)major);
        return;
    }
    put_attach_reply(call, &reply);
    *call->ret_fd = view_fd(view);
}

struct place {
    struct run_cluster *rc;
    uint32_t endpoint;
};

/* The endpoint that has this name. */
static bool find_name(const struct run *run, const char *text, struct place *ret_place)
{
    struct name wanted, name;

    if (!text || !name_canonical(text, &wanted))
        return false;
    for (uint32_t c = 0; c < run->cluster_count; c++) {
        const struct conf_cluster *conf = run->clusters[c]->conf;
        for (uint32_t e = 0; e < conf->endpoint_count; e++)
            for (uint32_t n = 0; n < conf->endpoints[e].name_count; n++)
                if (name_canonical(conf->endpoints[e].names[n], &name) &&
                    name.hash == wanted.hash && name.len == wanted.len &&
                    memcmp(name.words, wanted.words, name_words(&name) * 8) == 0) {
                    *ret_place = (struct place){run->clusters[c], e};
                    return true;
                }
    }
    return false;
}

static const struct conf_endpoint *endpoint_at(const struct place *place)
{
    return &place->rc->conf->endpoints[place->endpoint];
}

static void refuse_name(struct call *call, const char *text)
{
    static const char *const why[NEAR_COUNT] = {
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
        near = near_find(call->run->held->conf, canonical, &nearest);
    }
    if (near == NEAR_NOTHING || !find_name(call->run, nearest, &place))
        refuse(call, MSG_ERROR_NOT_FOUND, "%s is not a managed name", text);
    else
        refuse(call, MSG_ERROR_NOT_FOUND,
               "%s is not a managed name; near is %s, endpoint %s of cluster %s (%s)", text,
               nearest, endpoint_at(&place)->names[0], place.rc->conf->name, why[near]);
}

static void call_resolve(struct call *call)
{
    const char *text = param(call, 0);
    struct view_entry entry;
    struct place place;
    bool stale;

    if (!text) {
        refuse(call, MSG_ERROR_BAD_REQUEST, "resolve: params are [name]");
        return;
    }
    if (!find_name(call->run, text, &place) || !run_view_read(call->run, text, &entry)) {
        refuse_name(call, text);
        return;
    }
    stale = view_entry_stale(&entry, loop_now_ms(call->run->loop));
    msg_put_reply(call->reply, call->id);
    msg_open_map(call->reply);
    msg_put_key_str(call->reply, "name", text);
    msg_put_key_str(call->reply, "endpoint", endpoint_at(&place)->names[0]);
    msg_put_key_str(call->reply, "cluster", place.rc->conf->name);
    msg_put_key_str(call->reply, "role", view_role_name(entry.role));
    msg_put_key_str(call->reply, "mode", view_mode_name(entry.mode));
    msg_put_key_str(call->reply, "state", view_state_name(entry.state));
    msg_put_key_bool(call->reply, "stale", stale);
    msg_put_key_uint(call->reply, "generation", entry.generation);
    msg_put_key_uint(call->reply, "port", entry.port);
    run_explain_put_addresses(call->run, &entry, call->reply);
    msg_close(call->reply);
}

/* ---- admin.sock: to look ---- */

static void call_version(struct call *call)
{
    msg_put_reply(call->reply, call->id);
    msg_open_map(call->reply);
    msg_put_key_str(call->reply, "version", PACKAGE_VERSION);
    msg_put_key_uint(call->reply, "view_major", VIEW_MAJOR);
    msg_put_key_uint(call->reply, "view_minor", VIEW_MINOR);
    msg_close(call->reply);
}

static void call_status(struct call *call)
{
    msg_put_reply(call->reply, call->id);
    run_status_put(call->run, call->reply);
}

static void call_explain(struct call *call)
{
    const char *text = param(call, 0);
    struct run_cluster *rc = run_cluster_find(call->run, text);
    const struct conf_endpoint *endpoint = NULL;
    struct place place;

    if (!text) {
        refuse(call, MSG_ERROR_BAD_REQUEST, "explain: params are [name or cluster]");
        return;
    }
    if (find_name(call->run, text, &place)) {
        rc = place.rc;
        endpoint = endpoint_at(&place);
    }
    if (!rc) {
        refuse_name(call, text);
        return;
    }
    msg_put_reply(call->reply, call->id);
    run_explain_put(rc, endpoint, endpoint ? text : NULL, call->reply);
}

static void call_history(struct call *call)
{
    const char *cluster = param(call, 0);

    if (cluster && !run_cluster_find(call->run, cluster)) {
        refuse(call, MSG_ERROR_NOT_FOUND, "no cluster %s", cluster);
        return;
    }
    msg_put_reply(call->reply, call->id);
    history_put(&call->run->history, loop_now_ms(call->run->loop), cluster, HISTORY_LIMIT,
                call->reply);
}

static void call_connections(struct call *call)
{
    const char *text = param(call, 0);
    const struct run_cluster *only = run_cluster_find(call->run, text);
    int rv;

    if (text && !only) {
        refuse(call, MSG_ERROR_NOT_FOUND, "no cluster %s", text);
        return;
    }
    rv = run_connections_list(call->run, only, call->peer, call->id);
    if (rv == 0)
        *call->ret_fd = SERVE_LATER;
    else if (rv == -ENOTCONN)
        refuse(call, MSG_ERROR_UNSUPPORTED,
               "connections: only homing-sever knows them, and none is running (see status)");
    else
        refuse(call, MSG_ERROR_INTERNAL, "connections: %s", strerror(-rv));
}

/* The rest is serve.c's: from now on this client gets notifications. */
static void call_watch(struct call *call)
{
    msg_put_reply(call->reply, call->id);
    msg_put_bool(call->reply, true);
}

/* ---- admin.sock: to change ---- */

static struct run_cluster *cluster_param(struct call *call)
{
    const char *text = param(call, 0);
    struct run_cluster *rc = run_cluster_find(call->run, text);

    if (!text)
        refuse(call, MSG_ERROR_BAD_REQUEST, "params begin with the cluster's name");
    else if (!rc)
        refuse(call, MSG_ERROR_NOT_FOUND, "no cluster %s", text);
    return rc;
}

/* How an order ended. `saved` false: it holds, but not across a restart. */
static void reply_done(struct call *call, struct run_cluster *rc, const char *order)
{
    bool saved = run_save(rc, false) == 0;

    run_events_order(rc, call->peer, order);
    msg_put_reply(call->reply, call->id);
    msg_open_map(call->reply);
    msg_put_key_bool(call->reply, "saved", saved);
    msg_put_key_str(call->reply, "state", cluster_state_name(rc->mind.verdict.state));
    msg_put_key_str(call->reply, "mode", rc->mode ? conf_mode_name(rc->mode) : NULL);
    msg_close(call->reply);
}

static void refuse_order(struct call *call, const struct run_cluster *rc, enum refusal refusal,
                         const char *member)
{
    static const char *const why[REFUSAL_COUNT] = {
        [REFUSAL_NO_SUCH_MEMBER] = "no such member (spell it host:port, as in status)",
        [REFUSAL_NOT_CLAIMING] = "it does not claim to be the writer: only a present claim can be "
                                 "accepted (W1)",
        [REFUSAL_NOT_FROZEN] = "neither frozen nor braked",
        [REFUSAL_NO_WRITER_KNOWN] = "no writer is known that could be pinned",
    };
    enum msg_error error =
        refusal == REFUSAL_NO_SUCH_MEMBER ? MSG_ERROR_NOT_FOUND : MSG_ERROR_CONFLICT;

    refuse(call, error, "%s%s%s: %s", rc->conf->name, member ? " " : "", member ? member : "",
           why[refusal] ? why[refusal] : refusal_name(refusal));
}

static void call_accept(struct call *call)
{
    struct run_cluster *rc = cluster_param(call);
    const char *text = param(call, 1);
    struct event event = {.kind = EVENT_ACCEPT};
    char order[MEMBER_TEXT_SIZE + 10] = "accept ";
    enum refusal refusal = REFUSAL_NO_SUCH_MEMBER;

    if (!rc)
        return;
    if (!text) {
        refuse(call, MSG_ERROR_BAD_REQUEST, "accept: params are [cluster, member]");
        return;
    }
    event.member = run_text_find_member(rc->conf, text);
    if (event.member != MEMBER_NONE)
        refusal = run_cluster_order(rc, &event);
    if (refusal != REFUSAL_NONE) {
        refuse_order(call, rc, refusal, text);
        return;
    }
    run_text_member_at(rc, event.member, order + strlen(order));
    reply_done(call, rc, order);
}

static void order_plain(struct call *call, enum event_kind kind, const char *order)
{
    struct run_cluster *rc = cluster_param(call);
    enum refusal refusal;

    if (!rc)
        return;
    refusal = run_cluster_order(rc, &(struct event){.kind = kind});
    if (refusal != REFUSAL_NONE)
        refuse_order(call, rc, refusal, NULL);
    else
        reply_done(call, rc, order);
}

static void call_freeze(struct call *call)
{
    order_plain(call, EVENT_FREEZE, "freeze");
}

static void call_unfreeze(struct call *call)
{
    order_plain(call, EVENT_UNFREEZE, "unfreeze");
}

static bool parse_mode(struct call *call, const char *text, enum conf_mode *ret_mode)
{
    enum conf_mode mode = 0;

    if (!text || (strcmp(text, "default") != 0 && !conf_mode_parse(text, &mode))) {
        refuse(call, MSG_ERROR_BAD_REQUEST,
               "mode: write off, observe, names, connect, sever or default behind the cluster");
        return false;
    }
    *ret_mode = mode;
    return true;
}

/* The kill switch: it holds at once, even if it cannot be saved. */
static void call_mode(struct call *call)
{
    struct run_cluster *rc = cluster_param(call);
    char order[64];

    if (!rc || !parse_mode(call, param(call, 1), &rc->mode))
        return;
    run_publish(rc);
    run_sever_consider(rc);
    snprintf(order, sizeof(order), "mode %s", rc->mode ? conf_mode_name(rc->mode) : "default");
    reply_done(call, rc, order);
}

static void call_reload(struct call *call)
{
    char *lines = NULL;
    int rv = run_reload(call->run, &lines);

    if (rv < 0) {
        refuse(call, MSG_ERROR_CONFLICT, "%s", lines && lines[0] ? lines : strerror(-rv));
    } else {
        msg_put_reply(call->reply, call->id);
        msg_open_map(call->reply);
        msg_put_key_uint(call->reply, "clusters", call->run->cluster_count);
        msg_put_key_str(call->reply, "warnings", lines);
        msg_close(call->reply);
    }
    free(lines);
}

/* ---- dispatch ---- */

static const struct method {
    const char *name;
    enum serve_socket socket;
    bool changes;
    method_fn *fn;
} methods[] = {
    {"attach", SERVE_AGENT, false, call_attach},
    {"resolve", SERVE_AGENT, false, call_resolve},
    {"version", SERVE_ADMIN, false, call_version},
    {"status", SERVE_ADMIN, false, call_status},
    {"explain", SERVE_ADMIN, false, call_explain},
    {"history", SERVE_ADMIN, false, call_history},
    {"connections", SERVE_ADMIN, false, call_connections},
    {"watch", SERVE_ADMIN, false, call_watch},
    {"accept", SERVE_ADMIN, true, call_accept},
    {"mode", SERVE_ADMIN, true, call_mode},
    {"freeze", SERVE_ADMIN, true, call_freeze},
    {"unfreeze", SERVE_ADMIN, true, call_unfreeze},
    {"reload", SERVE_ADMIN, true, call_reload},
};

void run_methods_serve(void *arg, enum serve_socket socket, const struct serve_peer *peer,
                       uint64_t id, const char *method, const struct msg_value *params,
                       struct msg_writer *reply, int *ret_fd)
{
    struct call call = {arg, peer, (uint32_t)id, params, reply, ret_fd};

    *ret_fd = -1;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (methods[i].socket != socket || strcmp(methods[i].name, method) != 0)
            continue;
        if (methods[i].changes && peer->uid != 0 && peer->uid != geteuid())
            refuse(&call, MSG_ERROR_DENIED, "%s is for root and uid %u", method,
                   (unsigned)geteuid());
        else
            methods[i].fn(&call);
        return;
    }
    refuse(&call, MSG_ERROR_UNKNOWN_METHOD, "no method %s on this socket", method);
}
