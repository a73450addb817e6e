/* SPDX-License-Identifier: Apache-2.0
 *
 * patroni.c - asks the Patroni of a member over its REST API (base/http); patroni_reports.c knows what
 * the answers mean.
 *
 * Patroni closes each connection behind its answer, so each question has one of its own. A session is
 * what is between: an address at which a Patroni has answered, and where it is asked again.
 *
 * 1. Nothing here waits: the client moves bytes as far as they go, and the loop calls again.
 * 2. The sink is called last, and from the loop only: it may close the session.
 * 3. The sink hears that a session is ready when a first answer was good: another server at this
 *    address is none.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/probe/engines/patroni/patroni.h"
#include "agent/probe/engines/patroni/patroni_kind.h"
#include "agent/probe/engines/patroni/patroni_reports.h"
#include "agent/probe/engines/patroni/patroni_status.h"

struct engine_session {
    struct loop *loop;
    struct engine_sink sink;
    struct patroni_connection connection;
    struct inet_address address; /* of the REST API */
    char *host;
    bool strange;
    bool ready;              /* the sink knows */
    enum engine_stage stage; /* how far the last question came, once it is over */
    struct http_client *client;
    struct loop_io *io;       /* NULL while there is no client, or it failed at once */
    struct loop_timer *later; /* failures found where the sink may not be called */
};

static enum engine_stage session_stage(const struct engine_session *s)
{
    if (s->ready)
        return ENGINE_STAGE_SESSION;
    if (!s->client)
        return s->stage;
    if (http_client_descriptor(s->client) < 0)
        return ENGINE_STAGE_BEFORE;
    if (!http_client_is_connected(s->client))
        return ENGINE_STAGE_CONNECTING;
    return http_client_is_in_tls(s->client) ? ENGINE_STAGE_TLS : ENGINE_STAGE_LOGIN;
}

/* The question that was asked is over. */
static void session_hang_up(struct engine_session *s)
{
    s->stage = session_stage(s);
    loop_io_free(s->io);
    s->io = NULL;
    http_client_free(s->client);
    s->client = NULL;
}

/* Answers. */

static void session_failed(struct engine_session *s, const struct patroni_failure *failure)
{
    session_hang_up(s);
    s->sink.failed(s->sink.arg, failure->kind, failure->hint, failure->text);
}

static void session_fail(struct engine_session *s)
{
    struct patroni_failure failure = {.kind = REPORT_ODD, .text = "out of memory"};
    if (s->client)
        patroni_report_failure(http_client_failure(s->client), s->address.port,
                               s->connection.tls.mode != TLS_OFF, s->strange, &failure);
    session_failed(s, &failure);
}

static void session_take(struct engine_session *s)
{
    const struct http_reader *r = http_client_answer(s->client);
    const struct patroni_answer answer = {r->status, r->date, r->body, r->body_count};
    struct patroni_failure failure;
    struct report report;
    const char *note;

    if (!patroni_report(&answer, &report, &note, &failure)) {
        session_hang_up(s);
        if (failure.kind == REPORT_REFUSED) /* Patroni's own word of its database */
            s->stage = ENGINE_STAGE_SESSION;
        session_failed(s, &failure);
        return;
    }
    session_hang_up(s);
    /* I5: a server that does not prove its name gets no further then. */
    report.authenticated = s->connection.tls.mode == TLS_VERIFY_FULL;
    if (s->ready) {
        s->sink.answer(s->sink.arg, &report, note);
        return;
    }
    s->ready = true;
    s->sink.ready(s->sink.arg);
}

static void session_step(void *arg, int events)
{
    (void)events;
    struct engine_session *s = arg;
    switch (http_client_step(s->client)) {
    case HTTP_BUSY:
        loop_io_set(s->io, http_client_events(s->client));
        break;
    case HTTP_ANSWERED:
        session_take(s);
        break;
    case HTTP_BROKEN:
        session_fail(s);
        break;
    }
}

static void session_fail_later(void *arg)
{
    session_fail(arg);
}

/* Asking. */

static void session_send(struct engine_session *s)
{
    const struct http_settings settings = {
        .host = s->host,
        .address = &s->address,
        .path = PATRONI_QUESTION,
        .tls = s->connection.tls,
        .body_max = PATRONI_STATUS_MAX,
    };
    s->client = http_client_new(&settings);
    if (s->client && http_client_state(s->client) == HTTP_BUSY)
        s->io = loop_io_new(s->loop, http_client_descriptor(s->client), session_step, s);
    if (s->io) {
        loop_io_set(s->io, http_client_events(s->client));
        return;
    }
    if (s->client && http_client_state(s->client) == HTTP_BUSY)
        session_hang_up(s); /* out of memory */
    loop_timer_set(s->later, 0);
}

/* There is no cheaper question: Patroni asks its database for each. */
static void session_ask(struct engine_session *s, enum question question)
{
    (void)question;
    session_send(s);
}

static void session_look(const struct engine_session *s, struct engine_look *ret_look)
{
    *ret_look = (struct engine_look){
        .stage = session_stage(s),
        .encrypted = s->ready && s->connection.tls.mode != TLS_OFF,
        .version = "",
    };
}

static void session_close(struct engine_session *s)
{
    if (!s)
        return;
    session_hang_up(s);
    loop_timer_free(s->later);
    free(s->host);
    free(s);
}

static struct engine_session *session_open(struct loop *loop, const struct conf_cluster *cluster,
                                           const struct conf_member *member,
                                           const struct address *address, bool strange,
                                           const struct engine_sink *sink)
{
    struct engine_session *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->loop = loop;
    s->sink = *sink;
    s->strange = strange;
    patroni_connection_read(cluster->connection, &s->connection);
    s->address = address->inet;
    s->address.port = s->connection.rest_port;
    s->host = strdup(member->host);
    s->later = loop_timer_new(loop, session_fail_later, s);
    if (!s->host || !s->later) {
        session_close(s);
        return NULL;
    }
    session_send(s);
    return s;
}

/* The connection leads to the REST API: how the kernel lists that says nothing of the database's. So
 * there is no .descriptor. */
const struct engine engine_patroni = {
    .kind = &engine_kind_patroni,
    .prepare = patroni_status_prepare,
    .open = session_open,
    .ask = session_ask,
    .close = session_close,
    .look = session_look,
};
