/* SPDX-License-Identifier: Apache-2.0
 *
 * sever_client.c - see sever_client.h.
 *
 * 1. homing-sever has more privilege than homingd, and may be of another version. If it sends what
 *    is not understood, the connection is closed and made again.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/sever/client/sever_client.h"
#include "proto/limits.h"
#include "proto/msg_socket.h"

enum {
    /* Between two attempts to connect. A homing-sever that starts is used within that time. */
    RETRY_MS = 250,
    /* Between two questions for its status. */
    STATUS_MS = 5000,
    /* How long an order waits for a homing-sever. Carried out later, it would abort connections
     * that have outlived the switch. */
    ORDER_WAIT_MS = 10000,
    /* Orders under way: two for each of 256 clusters that switch together. */
    CALLS_MAX = 512
};

enum call_kind {
    CALL_STATUS,
    CALL_ORDER,
    CALL_ROWS
};

struct call {
    struct call *next;
    enum call_kind kind;
    uint32_t id;
    bool sent;
    uint64_t since_ms;
    struct sever_order order;
    sever_client_done_fn *done;
    sever_client_rows_fn *rows;
    void *arg;
};

struct sever_client {
    struct loop *loop;
    struct sockaddr_un at;
    sever_client_changed_fn *changed;
    void *arg;
    struct sever_client_status status;
    struct loop_timer *timer;
    struct loop_io *io;
    int fd;
    struct msg_parser parser;
    struct msg_writer out; /* to be sent */
    struct call *calls;    /* oldest first */
    uint32_t call_count;
    uint32_t next_id;
};

static void ready(void *arg, int events);

/* ---- calls ---- */

static struct call *call_take(struct sever_client *s, struct call *call)
{
    struct call **at = &s->calls;

    while (*at && *at != call)
        at = &(*at)->next;
    if (*at) {
        *at = call->next;
        s->call_count--;
    }
    return call;
}

static void call_fail(struct call *call, int error)
{
    static const struct sever_counts none;

    if (call->kind == CALL_ORDER)
        call->done(call->arg, error, &none);
    else if (call->kind == CALL_ROWS)
        call->rows(call->arg, error, NULL, 0);
    free(call);
}

static int call_add(struct sever_client *s, const struct call *what, struct call **ret_call)
{
    struct call **at = &s->calls;

    if (s->call_count >= CALLS_MAX)
        return -EBUSY;
    struct call *call = malloc(sizeof(*call));
    if (!call)
        return -ENOMEM;
    *call = *what;
    call->next = NULL;
    call->id = ++s->next_id;
    call->since_ms = loop_now_ms(s->loop);
    while (*at)
        at = &(*at)->next;
    *at = call;
    s->call_count++;
    *ret_call = call;
    return 0;
}

/* Fails those that were sent, or those that were not, if they were given by then. */
static void calls_fail(struct sever_client *s, bool sent, uint64_t until_ms, int error)
{
    struct call *call = s->calls;

    while (call) {
        if (call->sent == sent && call->since_ms <= until_ms) {
            call_fail(call_take(s, call), error);
            call = s->calls; /* its owner may have given or taken others */
        } else {
            call = call->next;
        }
    }
}

/* ---- the connection ---- */

static void say_none_answers(struct sever_client *s)
{
    s->status = (struct sever_client_status){0};
    snprintf(s->status.why, sizeof(s->status.why), "no homing-sever answers at %s", s->at.sun_path);
}

static void disconnect(struct sever_client *s)
{
    bool was = s->status.instance != 0;

    loop_io_free(s->io);
    s->io = NULL;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    msg_parser_done(&s->parser);
    msg_writer_done(&s->out);
    say_none_answers(s);
    loop_timer_set(s->timer, RETRY_MS);
    if (!was)
        return;
    log_event(LOG_WARNING, "severer_lost", s->status.why);
    s->changed(s->arg);
}

static bool flush(struct sever_client *s)
{
    if (!msg_send_some(&s->out, s->fd))
        return false;
    loop_io_set(s->io, s->out.len ? LOOP_READ | LOOP_WRITE : LOOP_READ);
    return true;
}

static void put_call(struct sever_client *s, struct call *call)
{
    static const char *const methods[] = {
        [CALL_STATUS] = "status", [CALL_ORDER] = "sever", [CALL_ROWS] = "connections"};

    msg_put_request(&s->out, call->id, methods[call->kind]);
    if (call->kind == CALL_STATUS)
        msg_put_array(&s->out, 0);
    else
        sever_order_put(&s->out, &call->order);
    call->sent = true;
}

/* Sends what waits. False: the connection is of no use. */
static bool send_calls(struct sever_client *s)
{
    for (struct call *call = s->calls; call; call = call->next)
        if (!call->sent)
            put_call(s, call);
    return flush(s);
}

static void lose(struct sever_client *s)
{
    disconnect(s);
    calls_fail(s, true, UINT64_MAX, -EPIPE);
}

static void ask_status(struct sever_client *s)
{
    struct call *call;

    (void)call_add(s, &(struct call){.kind = CALL_STATUS}, &call);
    if (!send_calls(s))
        lose(s);
}

static void try_connect(struct sever_client *s)
{
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd >= 0 && connect(s->fd, (struct sockaddr *)&s->at, sizeof(s->at)) == 0)
        s->io = loop_io_new(s->loop, s->fd, ready, s);
    if (!s->io) {
        if (s->fd >= 0)
            close(s->fd);
        s->fd = -1;
        loop_timer_set(s->timer, RETRY_MS);
        return;
    }
    msg_parser_init(&s->parser, HOMING_REPLY_MAX);
    msg_writer_init(&s->out, CALLS_MAX * HOMING_REQUEST_MAX);
    loop_timer_set(s->timer, STATUS_MS);
    ask_status(s);
}

static bool awaits_status(const struct sever_client *s)
{
    const struct call *call = s->calls;

    while (call && call->kind != CALL_STATUS)
        call = call->next;
    return call;
}

static void on_timer(void *arg)
{
    struct sever_client *s = arg;
    uint64_t now_ms = loop_now_ms(s->loop);

    if (now_ms > ORDER_WAIT_MS)
        calls_fail(s, false, now_ms - ORDER_WAIT_MS, -ETIME);
    if (s->fd < 0) {
        try_connect(s);
        return;
    }
    loop_timer_set(s->timer, STATUS_MS);
    if (awaits_status(s))
        lose(s); /* it hangs; its supervisor will replace it */
    else
        ask_status(s);
}

/* ---- replies ---- */

static void take_status(struct sever_client *s, const struct msg_value *map)
{
    const struct msg_value *permits = msg_get(map, "permits");
    const char *why = msg_get_str(map, "ability");
    struct sever_client_status now = {.instance = msg_get_uint(map, "instance", 0),
                                      .able = msg_get_bool(map, "able", false),
                                      .pid = (uint32_t)msg_get_uint(map, "pid", 0),
                                      .processes = (uint32_t)msg_get_uint(permits, "processes", 0),
                                      .groups = (uint32_t)msg_get_uint(permits, "groups", 0)};
    bool differs = now.instance != s->status.instance || now.able != s->status.able;

    snprintf(now.why, sizeof(now.why), "%s", why ? why : "");
    sever_tag_counts_get(msg_get(permits, "counters"), now.counts);
    sever_counts_get(msg_get(map, "severed"), &now.severed);
    s->status = now;
    if (!differs)
        return;
    log_event(now.able ? LOG_INFO : LOG_WARNING, "severer", now.why, LOG_BOOL("able", now.able),
              LOG_INT("pid", now.pid));
    s->changed(s->arg);
}

static void take_rows(struct call *call, const struct msg_value *list)
{
    uint32_t count = 0, len = msg_array_len(list);
    struct sever_row *rows = calloc(len + 1, sizeof(*rows));

    for (uint32_t i = 0; rows && i < len; i++)
        count += sever_row_get(msg_array_at(list, i), &rows[count]);
    call->rows(call->arg, rows ? 0 : -ENOMEM, rows, count);
    free(rows);
    free(call);
}

static void take_counts(struct call *call, const struct msg_value *map)
{
    struct sever_counts counts;

    sever_counts_get(map, &counts);
    call->done(call->arg, 0, &counts);
    free(call);
}

/* A reply to a call that does not wait is dropped. So is every reply to `cancel`. */
static void take_reply(struct sever_client *s, const struct msg *msg)
{
    struct call *call = s->calls;

    while (call && (call->id != msg->id || !call->sent))
        call = call->next;
    if (!call)
        return;
    call_take(s, call);
    if (msg->error) {
        const char *why = msg_get_str(msg->error, "message");
        log_event(LOG_ERROR, "severer_refused", why ? why : "");
        call_fail(call, -EPROTO);
    } else if (call->kind == CALL_STATUS) {
        free(call);
        take_status(s, msg->result);
    } else if (call->kind == CALL_ROWS) {
        take_rows(call, msg->result);
    } else {
        take_counts(call, msg->result);
    }
}

static bool take_message(void *arg, const struct msg *msg)
{
    if (msg->kind == MSG_REPLY)
        take_reply(arg, msg);
    return msg->kind != MSG_REQUEST;
}

static void ready(void *arg, int events)
{
    struct sever_client *s = arg;

    if (((events & LOOP_READ) && !msg_receive_some(&s->parser, s->fd, take_message, s)) ||
        ((events & LOOP_WRITE) && !flush(s)))
        lose(s);
}

/* ---- from outside ---- */

bool sever_client_address(const char *run_dir, struct sockaddr_un *ret_at)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = strlen(run_dir);

    while (len > 1 && run_dir[len - 1] == '/')
        len--;
    if ((size_t)snprintf(at.sun_path, sizeof(at.sun_path), "%.*s-admin/sever.sock", (int)len,
                         run_dir) >= sizeof(at.sun_path))
        return false;
    *ret_at = at;
    return true;
}

struct sever_client *sever_client_new(struct loop *loop, const char *run_dir,
                                      sever_client_changed_fn *changed, void *arg)
{
    struct sever_client *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    *s = (struct sever_client){.loop = loop, .changed = changed, .arg = arg, .fd = -1};
    s->timer = loop_timer_new(loop, on_timer, s);
    if (!s->timer || !sever_client_address(run_dir, &s->at)) {
        loop_timer_free(s->timer);
        free(s);
        return NULL;
    }
    say_none_answers(s);
    loop_timer_set(s->timer, 0);
    return s;
}

void sever_client_free(struct sever_client *s)
{
    if (!s)
        return;
    while (s->calls)
        call_fail(call_take(s, s->calls), -ECANCELED);
    loop_io_free(s->io);
    if (s->fd >= 0) {
        close(s->fd);
        msg_parser_done(&s->parser);
        msg_writer_done(&s->out);
    }
    loop_timer_free(s->timer);
    free(s);
}

const struct sever_client_status *sever_client_status(const struct sever_client *s)
{
    return &s->status;
}

uint64_t sever_client_instance(const struct sever_client *s)
{
    return s->status.instance;
}

/* If the connection turns out to be lost, its own event will find that: `done` is never called from
 * here. */
static int call_begin(struct sever_client *s, const struct call *what)
{
    struct call *call;
    int rv = call_add(s, what, &call);

    if (rv == 0 && s->fd >= 0)
        (void)send_calls(s);
    return rv;
}

int sever_client_order(struct sever_client *s, const struct sever_order *order,
                       sever_client_done_fn *done, void *arg)
{
    return call_begin(
        s, &(struct call){.kind = CALL_ORDER, .order = *order, .done = done, .arg = arg});
}

/* An order and its cancel go over one connection, so that the cancel cannot overtake it. */
void sever_client_cancel(struct sever_client *s, const uint64_t *endpoints, uint32_t count)
{
    if (s->fd < 0)
        return;
    msg_put_request(&s->out, ++s->next_id, "cancel");
    msg_put_array(&s->out, 1);
    msg_put_array(&s->out, count);
    for (uint32_t i = 0; i < count; i++)
        msg_put_uint(&s->out, endpoints[i]);
    (void)send_calls(s);
}

int sever_client_connections(struct sever_client *s, const struct sever_order *order,
                             sever_client_rows_fn *done, void *arg)
{
    return call_begin(s,
                      &(struct call){.kind = CALL_ROWS, .order = *order, .rows = done, .arg = arg});
}
