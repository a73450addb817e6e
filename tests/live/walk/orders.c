/* SPDX-License-Identifier: Apache-2.0
 *
 * orders.c - see conductor.h. As homingd does: what a homing-sever did not reply to is ordered from the
 * next one, but for what is cancelled by then.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/limits.h"
#include "proto/msg_socket.h"
#include "proto/sever.h"
#include "tests/live/walk/conductor.h"

enum {
    CALLS_MAX = 4096,
    SPREAD_MS = 100
};

/* Requests without a reply so far, by id. */
static struct call {
    bool cancel, waiting;
    uint16_t cluster;
    uint32_t number;
} calls[CALLS_MAX];
static uint32_t last_id;

static struct {
    int fd;
    struct msg_parser parser;
} client = {.fd = -1};

static void send_whole(struct msg_writer *w)
{
    bool sent = msg_writer_finish(w) == 0 &&
                send(client.fd, w->data, w->len, MSG_NOSIGNAL) == (ssize_t)w->len;

    msg_writer_done(w);
    if (!sent && walk->restarts % 2 == 0)
        die("order");
    if (!sent)
        orders_lost();
}

static uint32_t take_id(int cluster, uint32_t number, bool cancel)
{
    struct call *call = &calls[++last_id % CALLS_MAX];

    if (call->waiting)
        die("too many calls");
    *call = (struct call){cancel, true, (uint16_t)cluster, number};
    return last_id % CALLS_MAX;
}

/* The address, and that of the pooler at the same host. */
static void put_addresses(struct sever_order *order, int c, const char *text)
{
    inet_address_parse(text, WALK_PORT, &order->addresses[order->address_count++]);
    if (walk_has_pooler(c, WALK_NAME_FIRST))
        inet_address_parse(text, WALK_POOLER_PORT, &order->addresses[order->address_count++]);
}

static void send_order(uint32_t id)
{
    struct sever_order order = {.kind = SEVER_DO, .spread_ms = roll(4) ? 0 : SPREAD_MS};
    uint32_t number = calls[id].number;
    int c = calls[id].cluster;
    const struct walk_switch *now = &walk->clusters[c].switches[number];
    struct msg_writer w;
    char text[48];

    for (int e = 0; e < WALK_WRITERS; e++)
        if (now->endpoints >> e & 1)
            order.endpoints[order.endpoint_count++] =
                (struct sever_endpoint){endpoint_id(c, e), generation(e, number)};
    for (int m = 0; m < WALK_MEMBERS; m++)
        for (int family = 4; family <= 6 && now->demoted >> m & 1; family += 2) {
            address_text(family, c, m, text);
            put_addresses(&order, c, text);
        }
    msg_writer_init(&w, HOMING_REQUEST_MAX);
    msg_put_request(&w, id, "sever");
    sever_order_put(&w, &order);
    send_whole(&w);
}

void orders_send(int cluster, uint32_t number)
{
    uint32_t id = take_id(cluster, number, false);

    if (client.fd >= 0)
        send_order(id);
}

static void send_cancel(uint32_t id)
{
    struct msg_writer w;

    msg_writer_init(&w, HOMING_REQUEST_MAX);
    msg_put_request(&w, id, "cancel");
    msg_put_array(&w, 1);
    msg_put_array(&w, WALK_WRITERS);
    for (int e = 0; e < WALK_WRITERS; e++)
        msg_put_uint(&w, endpoint_id(calls[id].cluster, e));
    send_whole(&w);
}

/* An order that was cancelled is also replied to, after the cancellation was. */
static void settle(struct call *call)
{
    struct walk_cluster *shared = &walk->clusters[call->cluster];

    call->waiting = false;
    for (uint32_t n = call->cancel ? 1 : call->number; n <= call->number; n++) {
        uint8_t given = WALK_ORDER_GIVEN;

        atomic_compare_exchange_strong(&shared->switches[n].order, &given,
                                       call->cancel ? WALK_ORDER_CANCELLED : WALK_ORDER_DONE);
    }
    if (clusters[call->cluster].settled < call->number)
        clusters[call->cluster].settled = call->number;
}

void orders_cancel(int cluster, uint32_t number)
{
    uint32_t id = take_id(cluster, number, true);

    if (client.fd >= 0)
        send_cancel(id);
    else
        settle(&calls[id]); /* nobody aborts anything */
}

static bool replied(void *arg, const struct msg *msg)
{
    struct call *call = &calls[msg->id % CALLS_MAX];

    (void)arg;
    if (msg->kind != MSG_REPLY || msg->error || !call->waiting)
        die("an order was refused");
    settle(call);
    return true;
}

void orders_hear(void)
{
    if (msg_receive_some(&client.parser, client.fd, replied, NULL))
        return;
    if (walk->restarts % 2 == 0)
        die("homing-sever");
    orders_lost();
}

int orders_fd(void)
{
    return client.fd;
}

bool orders_all_settled(void)
{
    for (int i = 0; i < CALLS_MAX; i++)
        if (calls[i].waiting)
            return false;
    return true;
}

/* ---- a restart ---- */

/* What was to be cancelled is by nobody under way any more. */
void orders_lost(void)
{
    if (client.fd < 0)
        return;
    close(client.fd);
    client.fd = -1;
    msg_parser_done(&client.parser);
    for (int i = 0; i < CALLS_MAX; i++)
        if (calls[i].waiting && calls[i].cancel)
            settle(&calls[i]);
}

static bool is_given(const struct call *call)
{
    const struct walk_cluster *c = &walk->clusters[call->cluster];

    return atomic_load(&c->switches[call->number].order) == WALK_ORDER_GIVEN;
}

void orders_dial(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    client.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(client.fd, (struct sockaddr *)&at, sizeof(at)))
        die(path);
    msg_parser_init(&client.parser, HOMING_REPLY_MAX);
    for (uint32_t i = 0; i < CALLS_MAX; i++)
        if (calls[i].waiting && is_given(&calls[i]))
            send_order(i);
        else
            calls[i].waiting = false;
}
