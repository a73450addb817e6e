/* SPDX-License-Identifier: Apache-2.0
 *
 * orders.c - see orders.h.
 *
 * 1. When a client leaves, its orders go on for a few seconds and are counted, but there is no
 * reply (sweeps_forget()).
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/stranger.h"
#include "agent/sever/orders.h"
#include "agent/sever/sweep/ability.h"
#include "proto/limits.h"
#include "proto/msg_socket.h"

enum {
    ROWS_DEFAULT = 1000
};

struct client {
    struct orders *orders;
    struct client *next;
    struct loop_io *io;
    int fd;
    struct msg_parser parser;
    struct msg_writer out; /* to be sent */
    struct pending *pending;
};

/* A request whose reply comes when its order is done. */
struct pending {
    struct pending *next;
    struct client *client;
    uint32_t id;
    bool list;
};

struct orders {
    struct orders_parts parts;
    int listening;
    struct loop_io *io;
    struct client *clients;
    uint32_t count;
    uint64_t left_ms; /* when the last client left */
};

/* ---- sending ---- */

static void client_drop(struct client *c)
{
    struct orders *orders = c->orders;
    struct client **at = &orders->clients;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    if (--orders->count == 0)
        orders->left_ms = loop_now_ms(orders->parts.loop);
    while (c->pending) {
        struct pending *p = c->pending;
        c->pending = p->next;
        sweeps_forget(orders->parts.sweeps, p);
        free(p);
    }
    loop_io_free(c->io);
    msg_parser_done(&c->parser);
    msg_writer_done(&c->out);
    close(c->fd);
    free(c);
}

/* Sends as much as the socket takes. False: the client is gone. */
static bool client_send(struct client *c)
{
    if (!msg_send_some(&c->out, c->fd))
        return false;
    loop_io_set(c->io, c->out.len ? LOOP_READ | LOOP_WRITE : LOOP_READ);
    return true;
}

/* ---- orders ---- */

static void pending_free(struct pending *p)
{
    struct pending **at = &p->client->pending;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    free(p);
}

static void order_done(void *arg, const struct sever_counts *counts, const struct sever_row *rows,
                       uint32_t row_count)
{
    struct pending *p = arg;
    struct client *c = p->client;

    msg_put_reply(&c->out, p->id);
    if (p->list)
        sever_rows_put(&c->out, rows, row_count);
    else
        sever_counts_put(&c->out, counts);
    pending_free(p);
    if (!client_send(c))
        client_drop(c);
}

static void log_order(const struct sever_order *order)
{
    char text[64];

    inet_address_print(&order->addresses[0], text, sizeof(text));
    log_event(LOG_INFO, "order", order->kind == SEVER_OBSERVE ? "observe" : "sever",
              LOG_STR("address", text), LOG_INT("port", order->addresses[0].port),
              LOG_INT("addresses", order->address_count),
              LOG_INT("endpoints", order->endpoint_count), LOG_INT("spread_ms", order->spread_ms),
              LOG_BOOL("untagged", order->untagged));
}

static void take_order(struct client *c, const struct msg *msg, enum sever_kind kind)
{
    struct sever_order order;
    const char *wrong = sever_order_get(msg->params, kind, &order);
    uint64_t limit = msg_get_uint(msg_array_at(msg->params, 0), "limit", ROWS_DEFAULT);

    if (wrong) {
        msg_put_error(&c->out, msg->id, MSG_ERROR_BAD_REQUEST, "%s: %s", msg->method, wrong);
        return;
    }
    struct pending *p = calloc(1, sizeof(*p));
    int rv =
        !p ? -ENOMEM
           : sweeps_add(c->orders->parts.sweeps, &order,
                        limit < SEVER_ROWS_MAX ? (uint32_t)limit : SEVER_ROWS_MAX, order_done, p);
    if (rv) {
        free(p);
        msg_put_error(&c->out, msg->id, rv == -EBUSY ? MSG_ERROR_BUSY : MSG_ERROR_INTERNAL,
                      "%s: %s", msg->method, strerror(-rv));
        return;
    }
    *p = (struct pending){
        .next = c->pending, .client = c, .id = msg->id, .list = kind == SEVER_LIST};
    c->pending = p;
    if (kind != SEVER_LIST)
        log_order(&order);
}

static void take_cancel(struct client *c, const struct msg *msg)
{
    const struct msg_value *list = msg_array_at(msg->params, 0);
    uint64_t endpoints[SEVER_ENDPOINTS_MAX];
    uint32_t count = msg_array_len(list);
    bool good = msg_type(list) == MSG_TYPE_ARRAY && count <= SEVER_ENDPOINTS_MAX;

    for (uint32_t i = 0; good && i < count; i++)
        good = msg_uint(msg_array_at(list, i), &endpoints[i]);
    if (!good) {
        msg_put_error(&c->out, msg->id, MSG_ERROR_BAD_REQUEST,
                      "cancel: params are [[endpoint ids]]");
        return;
    }
    uint32_t cancelled = sweeps_cancel(c->orders->parts.sweeps, endpoints, count);
    if (cancelled)
        log_event(LOG_INFO, "cancel", "orders under way end", LOG_INT("orders", cancelled));
    msg_put_reply(&c->out, msg->id);
    msg_put_bool(&c->out, true);
}

/* ---- status ---- */

static void put_version(const struct orders *orders, struct msg_writer *w)
{
    msg_open_map(w);
    msg_put_key_str(w, "version", PACKAGE_VERSION);
    msg_put_key_int(w, "pid", getpid());
    msg_put_key_uint(w, "instance", orders->parts.instance);
    msg_close(w);
}

/* Who had to do without, for want of room. */
static void put_short(struct msg_writer *w, const struct permits_figures *f)
{
    msg_put_str(w, "short");
    msg_open_array(w);
    for (uint32_t i = 0; i < f->note_count; i++) {
        msg_open_map(w);
        msg_put_key_uint(w, "uid", f->notes[i].uid);
        msg_put_key_uint(w, "refused", f->notes[i].refused);
        msg_put_key_uint(w, "taken_away", f->notes[i].taken_away);
        msg_close(w);
    }
    msg_close(w);
}

static void put_permits(const struct orders *orders, struct msg_writer *w)
{
    struct permits_figures f;
    struct handover_figures h;

    permits_figures(orders->parts.permits, &f);
    handover_figures(orders->parts.handover, &h);
    msg_put_str(w, "permits");
    msg_open_map(w);
    msg_put_key_uint(w, "processes", f.permits);
    msg_put_key_uint(w, "changes", f.changes);
    msg_put_key_uint(w, "restored", f.restored);
    msg_put_key_uint(w, "not_stored", f.not_stored);
    msg_put_key_uint(w, "groups", f.groups);
    msg_put_key_uint(w, "groups_without_socket", f.without_netlink);
    msg_put_key_uint(w, "taken", h.taken);
    msg_put_key_uint(w, "refused", h.refused);
    msg_put_key_uint(w, "over_quota", f.refused);
    msg_put_key_uint(w, "taken_away", f.taken_away);
    msg_put_key_uint(w, "pinned", f.pinned);
    put_short(w, &f);
    msg_put_key_uint(w, "left", h.left);
    msg_put_key_uint(w, "crowded_out", h.crowded_out);
    msg_put_key_uint(w, "crowded_out_uid", h.crowded_uid);
    msg_put_key_uint(w, "receivers_stuck", h.stuck);
    msg_put_key_uint(w, "waiting", h.waiting);
    msg_put_key_bool(w, "paused", h.paused);
    msg_put_str(w, "counters");
    sever_tag_counts_put(w, f.counts);
    msg_close(w);
}

static void put_status(const struct orders *orders, struct msg_writer *w)
{
    struct sever_counts sum;
    uint32_t under_way = sweeps_figures(orders->parts.sweeps, &sum);

    msg_open_map(w);
    msg_put_key_str(w, "version", PACKAGE_VERSION);
    msg_put_key_int(w, "pid", getpid());
    msg_put_key_uint(w, "instance", orders->parts.instance);
    msg_put_key_bool(w, "able", orders->parts.ability == 0);
    msg_put_key_str(w, "ability", ability_explain(orders->parts.ability));
    msg_put_key_str(w, "unreachable",
                    orders->parts.unreachable[0] ? orders->parts.unreachable : NULL);
    put_permits(orders, w);
    msg_put_key_uint(w, "orders", under_way);
    msg_put_str(w, "severed");
    sever_counts_put(w, &sum);
    msg_close(w);
}

static void put_holders(const struct orders *orders, struct msg_writer *w)
{
    msg_open_array(w);
    for (const struct group *g = permits_first_group(orders->parts.permits); g; g = g->next)
        for (const struct permit *p = g->first; p; p = p->next)
            sever_holder_put(w, &(struct sever_holder){p->pid, p->started});
    msg_close(w);
}

/* ---- clients ---- */

/* The reply is in c->out, or comes when the order is done. */
static void take_request(struct client *c, const struct msg *msg)
{
    struct msg_writer *w = &c->out;

    if (strcmp(msg->method, "sever") == 0) {
        take_order(c, msg, SEVER_DO);
    } else if (strcmp(msg->method, "connections") == 0) {
        take_order(c, msg, SEVER_LIST);
    } else if (strcmp(msg->method, "cancel") == 0) {
        take_cancel(c, msg);
    } else if (strcmp(msg->method, "status") == 0) {
        msg_put_reply(w, msg->id);
        put_status(c->orders, w);
    } else if (strcmp(msg->method, "version") == 0) {
        msg_put_reply(w, msg->id);
        put_version(c->orders, w);
    } else if (strcmp(msg->method, "published") == 0) {
        sweeps_published(c->orders->parts.sweeps);
        msg_put_reply(w, msg->id);
        msg_put_bool(w, true);
    } else if (strcmp(msg->method, "holders") == 0) {
        msg_put_reply(w, msg->id);
        put_holders(c->orders, w);
    } else {
        msg_put_error(w, msg->id, MSG_ERROR_UNKNOWN_METHOD, "%s: no such method", msg->method);
    }
}

static bool client_take(void *arg, const struct msg *msg)
{
    if (msg->kind == MSG_REQUEST)
        take_request(arg, msg);
    return msg->kind != MSG_REPLY && client_send(arg);
}

static void client_ready(void *arg, int events)
{
    struct client *c = arg;

    if (((events & LOOP_WRITE) && !client_send(c)) ||
        ((events & LOOP_READ) && !msg_receive_some(&c->parser, c->fd, client_take, c)))
        client_drop(c);
}

static bool client_add(struct orders *orders, int fd)
{
    struct client *c = orders->count < ORDERS_CLIENTS_MAX ? calloc(1, sizeof(*c)) : NULL;
    if (!c)
        return false;
    c->orders = orders;
    c->fd = fd;
    c->io = loop_io_new(orders->parts.loop, fd, client_ready, c);
    if (!c->io) {
        free(c);
        return false;
    }
    msg_parser_init(&c->parser, HOMING_REQUEST_MAX);
    msg_writer_init(&c->out, 2 * HOMING_REPLY_MAX); /* a reply behind one that is not read yet */
    c->next = orders->clients;
    orders->clients = c;
    orders->count++;
    loop_io_set(c->io, LOOP_READ);
    return true;
}

static void accept_one(void *arg, int events)
{
    struct orders *orders = arg;
    int fd = accept4(orders->listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd >= 0 && !client_add(orders, fd))
        close(fd);
}

uint64_t orders_idle_ms(const struct orders *orders)
{
    return orders->count ? 0 : loop_now_ms(orders->parts.loop) - orders->left_ms;
}

struct loop_io *orders_watch(void *arg, int fd)
{
    const struct orders *orders = arg;

    stranger_refuse(fd);
    return loop_io_new(orders->parts.loop, fd, accept_one, arg);
}

/* Its few clients that still wait come again. */
void orders_move(void *arg, int fd, struct loop_io *io)
{
    struct orders *orders = arg;

    loop_io_free(orders->io);
    orders->io = io;
    orders->listening = fd;
    loop_io_set(io, LOOP_READ);
}

struct orders *orders_new(const struct orders_parts *parts, int listening)
{
    struct orders *orders = calloc(1, sizeof(*orders));

    if (!orders)
        return NULL;
    orders->parts = *parts;
    orders->listening = listening;
    orders->left_ms = loop_now_ms(parts->loop);
    orders->io = orders_watch(orders, listening);
    if (!orders->io) {
        free(orders);
        return NULL;
    }
    loop_io_set(orders->io, LOOP_READ);
    return orders;
}

void orders_free(struct orders *orders)
{
    if (!orders)
        return;
    while (orders->clients)
        client_drop(orders->clients);
    loop_io_free(orders->io);
    free(orders);
}
