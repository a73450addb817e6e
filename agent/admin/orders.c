/* SPDX-License-Identifier: Apache-2.0
 *
 * orders.c - see orders.h.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/admin/orders.h"
#include "agent/daemon/cluster.h"
#include "agent/daemon/elsewhere.h"
#include "agent/daemon/events.h"
#include "agent/daemon/persist.h"
#include "agent/daemon/reload.h"
#include "agent/daemon/words.h"
#include "proto/view_names.h"

/* Replies that an order was carried out. `saved` false: it holds, but not across a restart. An order that
 * changes nothing is saved again: what was saved before may be gone, with its disk. */
static void reply_done(struct call *call, struct cluster *cluster, const char *order)
{
    bool saved = persist_save(cluster, true) == 0;

    events_order(cluster, call->peer, order);
    msg_put_reply(call->reply, call->id);
    msg_open_map(call->reply);
    msg_put_key_bool(call->reply, "saved", saved);
    msg_put_key_str(call->reply, "state", cluster_state_name(cluster->decision.verdict.state));
    msg_put_key_str(call->reply, "mode", cluster->mode ? view_mode_name(cluster->mode) : NULL);
    msg_close(call->reply);
}

static void refuse_order(struct call *call, const struct cluster *cluster, enum refusal refusal,
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

    call_refuse(call, error, "%s%s%s: %s", cluster->conf->name, member ? " " : "",
                member ? member : "", why[refusal] ? why[refusal] : refusal_name(refusal));
}

void orders_accept(struct call *call)
{
    struct cluster *cluster = call_cluster(call);
    const char *text = call_param(call, 1);
    struct event event = {.kind = EVENT_ACCEPT};
    char order[MEMBER_TEXT_SIZE + 10] = "accept ";
    enum refusal refusal = REFUSAL_NO_SUCH_MEMBER;

    if (!cluster)
        return;
    if (!text) {
        call_refuse(call, MSG_ERROR_BAD_REQUEST, "accept: params are [cluster, member]");
        return;
    }
    event.member = words_find_member(cluster->conf, text);
    if (event.member == MEMBER_NONE) /* W11: what is claimed at another address of its name */
        event.member = elsewhere_find(cluster, text);
    if (event.member != MEMBER_NONE)
        words_member_at(cluster, event.member, order + strlen(order));
    if (event.member != MEMBER_NONE)
        refusal = cluster_order(cluster, &event);
    if (refusal != REFUSAL_NONE) {
        refuse_order(call, cluster, refusal, text);
        return;
    }
    reply_done(call, cluster, order);
}

static void order_plain(struct call *call, enum event_kind kind, const char *order)
{
    struct cluster *cluster = call_cluster(call);
    enum refusal refusal;

    if (!cluster)
        return;
    refusal = cluster_order(cluster, &(struct event){.kind = kind});
    if (refusal != REFUSAL_NONE)
        refuse_order(call, cluster, refusal, NULL);
    else
        reply_done(call, cluster, order);
}

void orders_freeze(struct call *call)
{
    order_plain(call, EVENT_FREEZE, "freeze");
}

void orders_unfreeze(struct call *call)
{
    order_plain(call, EVENT_UNFREEZE, "unfreeze");
}

static bool parse_mode(struct call *call, const char *text, enum view_mode *ret_mode)
{
    enum view_mode mode = 0;

    if (!text || (strcmp(text, "default") != 0 && !view_mode_parse(text, &mode))) {
        call_refuse(call, MSG_ERROR_BAD_REQUEST,
                    "mode: '%s' is no mode; write off, observe, names, connect, sever or default",
                    text ? text : "");
        return false;
    }
    *ret_mode = mode;
    return true;
}

/* The kill switch: it holds at once, even if it cannot be saved. */
void orders_mode(struct call *call)
{
    struct cluster *cluster = call_cluster(call);
    enum view_mode mode;
    char order[64];

    if (!cluster || !parse_mode(call, call_param(call, 1), &mode))
        return;
    cluster_set_mode(cluster, mode);
    snprintf(order, sizeof(order), "mode %s",
             cluster->mode ? view_mode_name(cluster->mode) : "default");
    reply_done(call, cluster, order);
}

void orders_reload(struct call *call)
{
    char *lines = NULL;
    int rv = reload_conf(call->daemon, &lines);

    if (rv < 0) {
        call_refuse(call, MSG_ERROR_CONFLICT, "%s", lines && lines[0] ? lines : strerror(-rv));
    } else {
        msg_put_reply(call->reply, call->id);
        msg_open_map(call->reply);
        msg_put_key_uint(call->reply, "clusters", call->daemon->cluster_count);
        msg_put_key_str(call->reply, "warnings", lines && lines[0] ? lines : NULL);
        msg_close(call->reply);
    }
    free(lines);
}
