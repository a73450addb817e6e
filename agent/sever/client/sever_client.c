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
#include "agent/sever/client/sever_place.h"
#include "proto/limits.h"
#include "proto/msg_socket.h"

enum {
    /* Between two attempts to connect. A homing-sever that starts is used within that time. */
    RETRY_MS = 250,
    /* Between two questions for its status: what programs counted is acted on within that time. */
    STATUS_MS = 1000,
    /* One that has not answered by then hangs. A shorter time would end orders on a machine that is only busy. */
    HANGS_MS = 5000,
    /* And by then nobody is told any more that it could sever. */
    SILENT_MS = 1000,
    /* How long an order waits for a homing-sever. Carried out later, it would abort connections
     * that have outlived the switch. */
    ORDER_WAIT_MS = 10000,
    /* Orders under way: two for each of 256 clusters that switch together. */
    CALLS_MAX = 512
};

enum call_kind {
    CALL_STATUS,
    CALL_HOLDERS,
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
    char command[LOST_COMMAND]; /* that starts a homing-sever; "": none is installed */
    struct lost *lost;
    uint64_t listed; /* the status' changes when `holders` was asked last */
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

/* homingd and homing-sever have to be one user, or homingd root. */
static void say_not_ours(const struct sever_client *s, char *ret_text, size_t size)
{
    snprintf(ret_text, size,
             "%s is not for uid %u, as which homingd runs: homing-sever may run as another user "
             "(ls -ld %s says as whom): end that one, and start it, as root, with: %s",
             s->at.sun_path, geteuid(), s->at.sun_path, s->command);
}

/* Why: "" at first, or an error of connect(). */
static void say_none_answers(struct sever_client *s, const char *why, int error)
{
    char *text = s->status.why;
    size_t size = sizeof(s->status.why);

    s->listed = 0;
    s->status = (struct sever_client_status){0};
    if (error == EACCES)
        say_not_ours(s, text, size);
    else if (s->command[0])
        snprintf(text, size, "no homing-sever answers at %s%s: start it, as root, with: %s",
                 s->at.sun_path, why, s->command);
    else
        snprintf(text, size,
                 "no homing-sever answers at %s%s, and none is installed beside homingd: install "
                 "it, and start it",
                 s->at.sun_path, why);
}

static void say_why(struct sever_client *s, int error)
{
    char why[128];

    snprintf(why, sizeof(why), " (%s)",
             error == ENOENT         ? "the socket is not there"
             : error == ECONNREFUSED ? "no process listens there"
                                     : strerror(error));
    say_none_answers(s, why, error);
}

static void disconnect(struct sever_client *s, const char *why)
{
    bool was = s->status.instance != 0;

    loop_io_free(s->io);
    s->io = NULL;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    msg_parser_done(&s->parser);
    msg_writer_done(&s->out);
    say_none_answers(s, why, 0);
    loop_timer_set(s->timer, RETRY_MS);
    if (!was)
        return;
    log_event(LOG_WARNING, "severer_lost", s->status.why);
    lost_gone(s->lost);
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
    static const char *const methods[] = {[CALL_STATUS] = "status",
                                          [CALL_HOLDERS] = "holders",
                                          [CALL_ORDER] = "sever",
                                          [CALL_ROWS] = "connections"};

    msg_put_request(&s->out, call->id, methods[call->kind]);
    if (call->kind == CALL_STATUS || call->kind == CALL_HOLDERS)
        msg_put_array(&s->out, 0);
    else
        sever_order_put(&s->out, &call->order);
    call->sent = true;
}

/* Sends what waits. This may come from within a reply, which is read to its end first: that the
 * connection is of no use is found out when it is read next, or when the status is not answered. */
static void send_calls(struct sever_client *s)
{
    for (struct call *call = s->calls; call; call = call->next)
        if (!call->sent)
            put_call(s, call);
    (void)flush(s);
}

static void lose(struct sever_client *s, const char *why)
{
    disconnect(s, why);
    calls_fail(s, true, UINT64_MAX, -EPIPE);
}

static void ask(struct sever_client *s, enum call_kind kind)
{
    struct call *call;

    (void)call_add(s, &(struct call){.kind = kind}, &call);
    send_calls(s);
}

static void try_connect(struct sever_client *s)
{
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd >= 0 && connect(s->fd, (struct sockaddr *)&s->at, sizeof(s->at)) == 0)
        s->io = loop_io_new(s->loop, s->fd, ready, s);
    if (!s->io) {
        say_why(s, errno);
        if (s->fd >= 0)
            close(s->fd);
        s->fd = -1;
        loop_timer_set(s->timer, RETRY_MS);
        return;
    }
    msg_parser_init(&s->parser, HOMING_REPLY_MAX);
    msg_writer_init(&s->out, CALLS_MAX * HOMING_REQUEST_MAX);
    loop_timer_set(s->timer, STATUS_MS);
    ask(s, CALL_STATUS);
}

/* The question for its status that is not answered yet. */
static const struct call *awaited_status(const struct sever_client *s)
{
    const struct call *call = s->calls;

    while (call && call->kind != CALL_STATUS)
        call = call->next;
    return call;
}

static void on_timer(void *arg)
{
    struct sever_client *s = arg;
    const struct call *awaited = awaited_status(s);
    uint64_t now_ms = loop_now_ms(s->loop);
    bool hangs = awaited && now_ms - awaited->since_ms >= HANGS_MS;

    if (now_ms > ORDER_WAIT_MS)
        calls_fail(s, false, now_ms - ORDER_WAIT_MS, -ETIME);
    if (s->fd < 0) {
        try_connect(s);
        return;
    }
    loop_timer_set(s->timer, STATUS_MS);
    if (hangs)
        lose(s, " (it hung)"); /* its supervisor will replace it */
    else if (!awaited)
        ask(s, CALL_STATUS);
}

/* ---- replies ---- */

/* Whether a pid means the same there as here: its own does. */
static bool sees_pids(const struct sever_client *s)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return getsockopt(s->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.pid > 0 &&
           (uint32_t)peer.pid == s->status.pid;
}

static void take_holders(struct sever_client *s, const struct msg_value *list)
{
    uint32_t count = 0, len = msg_array_len(list);
    struct sever_holder *holders = calloc(len + 1, sizeof(*holders));

    for (uint32_t i = 0; holders && i < len; i++)
        count += sever_holder_get(msg_array_at(list, i), &holders[count]);
    if (holders)
        lost_held(s->lost, holders, count, sees_pids(s));
}

/* One that has just come and holds no permit yet is not asked whose it holds. */
static void look_at_holders(struct sever_client *s, bool is_new)
{
    if (s->status.changes != s->listed) {
        s->listed = s->status.changes;
        ask(s, CALL_HOLDERS);
    } else if (is_new) {
        lost_held(s->lost, NULL, 0, sees_pids(s));
    }
}

/* Which user is short of permits. */
static void take_short(struct sever_client_status *status, const struct msg_value *permits)
{
    const struct msg_value *list = msg_get(permits, "short");

    status->without_room =
        msg_get_uint(permits, "over_quota", 0) + msg_get_uint(permits, "taken_away", 0);
    for (uint32_t i = 0; i < msg_array_len(list); i++) {
        const struct msg_value *user = msg_array_at(list, i);
        uint64_t count = msg_get_uint(user, "refused", 0) + msg_get_uint(user, "taken_away", 0);
        if (count <= status->short_count)
            continue;
        status->short_count = count;
        status->short_uid = (uint32_t)msg_get_uint(user, "uid", 0);
    }
}

/* Logged here, too, because this is where an operator looks. */
static void take_unreachable(const struct sever_client *s, const char *why,
                             struct sever_client_status *status)
{
    snprintf(status->unreachable, sizeof(status->unreachable), "%s", why ? why : "");
    if (strcmp(status->unreachable, s->status.unreachable) == 0)
        return;
    if (why)
        log_event(LOG_ERROR, "severer_unreachable", why);
    else
        log_event(LOG_INFO, "severer_reachable", "its sockets can be reached again");
}

static void take_status(struct sever_client *s, const struct msg_value *map)
{
    const struct msg_value *permits = msg_get(map, "permits");
    const char *why = msg_get_str(map, "ability");
    struct sever_client_status now = {.instance = msg_get_uint(map, "instance", 0),
                                      .able = msg_get_bool(map, "able", false),
                                      .pid = (uint32_t)msg_get_uint(map, "pid", 0),
                                      .processes = (uint32_t)msg_get_uint(permits, "processes", 0),
                                      .changes = msg_get_uint(permits, "changes", 0),
                                      .groups = (uint32_t)msg_get_uint(permits, "groups", 0)};
    bool differs = now.instance != s->status.instance || now.able != s->status.able;

    snprintf(now.why, sizeof(now.why), "%s", why ? why : "");
    take_unreachable(s, msg_get_str(map, "unreachable"), &now);
    take_short(&now, permits);
    sever_tag_counts_get(msg_get(permits, "counters"), now.counts);
    sever_counts_get(msg_get(map, "severed"), &now.severed);
    s->status = now;
    if (differs)
        log_event(now.able ? LOG_INFO : LOG_WARNING, "severer", now.why, LOG_BOOL("able", now.able),
                  LOG_INT("pid", now.pid));
    look_at_holders(s, differs);
    if (differs)
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

/* A reply to a call that does not wait is dropped. So is every reply to `cancel`
 * and to `published`. */
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
    } else if (call->kind == CALL_HOLDERS) {
        free(call);
        take_holders(s, msg->result);
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
        lose(s, " (it has ended)");
}

/* ---- from outside ---- */

struct sever_client *sever_client_new(struct loop *loop, const char *run_dir, const char *command,
                                      sever_client_changed_fn *changed, lost_alarm_fn *alarm,
                                      lost_changed_fn *lost_changed, void *arg)
{
    struct sever_client *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    *s = (struct sever_client){.loop = loop, .changed = changed, .arg = arg, .fd = -1};
    snprintf(s->command, sizeof(s->command), "%s", command);
    s->timer = loop_timer_new(loop, on_timer, s);
    s->lost = lost_new(loop, s->command, alarm, lost_changed, arg);
    if (!s->timer || !s->lost || !sever_place_address(run_dir, &s->at)) {
        loop_timer_free(s->timer);
        lost_free(s->lost);
        free(s);
        return NULL;
    }
    say_none_answers(s, "", 0);
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
    lost_free(s->lost);
    free(s);
}

const struct lost *sever_client_lost(const struct sever_client *s)
{
    return s->lost;
}

void sever_client_restore(struct sever_client *s, const struct lost_list *list)
{
    lost_restore(s->lost, list);
}

const struct sever_client_status *sever_client_status(const struct sever_client *s)
{
    return &s->status;
}

const char *sever_client_hindrance(const struct sever_client *s)
{
    const struct call *awaited = awaited_status(s);

    if (!s->status.instance || !s->status.able)
        return s->status.why;
    if (awaited && loop_now_ms(s->loop) - awaited->since_ms >= SILENT_MS)
        return "homing-sever does not answer at the moment: one that hangs is replaced within "
               "seconds, and orders wait until then";
    return NULL;
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
        send_calls(s);
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
    send_calls(s);
}

void sever_client_published(struct sever_client *s)
{
    if (s->fd < 0)
        return;
    msg_put_request(&s->out, ++s->next_id, "published");
    msg_put_array(&s->out, 0);
    send_calls(s);
}

int sever_client_connections(struct sever_client *s, const struct sever_order *order,
                             sever_client_rows_fn *done, void *arg)
{
    return call_begin(s,
                      &(struct call){.kind = CALL_ROWS, .order = *order, .rows = done, .arg = arg});
}
