/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql.c - asks a server of MySQL's family over the client of agent/probe/mysql;
 * engines/mysql_reports.c knows what to ask, and what the answers mean.
 *
 * 1. Nothing here waits: the client moves bytes as far as they go, and the loop calls again.
 * 2. The sink is called last, and from the loop only: it may close the session.
 * 3. A cheap question is answered from the last full one only if the server is as writable as it was
 *    then.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/conf/password.h"
#include "agent/probe/engines/mysql.h"
#include "agent/probe/engines/mysql_kind.h"
#include "agent/probe/engines/mysql_reports.h"
#include "agent/probe/mysql/client.h"

struct engine_session {
    struct loop *loop;
    struct engine_sink sink;
    struct mysql_client *client;
    struct loop_io *io;       /* NULL if the client failed at once */
    struct loop_timer *later; /* failures found where the sink may not be called */
    bool strange;
    bool ready; /* the sink knows */
    bool asked;
    enum mysql_step step; /* that is being answered */
    struct mysql_seen seen;
    struct report report;
    struct mysql_report_failure early; /* a failure before there is a client; text "": none */
};

/* How a session ends. */

static void session_failed(struct engine_session *s, const struct mysql_report_failure *failure)
{
    loop_io_free(s->io);
    s->io = NULL;
    s->sink.failed(s->sink.arg, failure->kind, failure->hint, failure->text);
}

static void session_fail(struct engine_session *s)
{
    struct mysql_report_failure failure;
    mysql_report_failure(mysql_client_failure(s->client), s->strange, &failure);
    session_failed(s, &failure);
}

static void session_fail_later(void *arg)
{
    struct engine_session *s = arg;
    if (s->early.text[0] != '\0')
        session_failed(s, &s->early);
    else
        session_fail(s);
}

/* Asking and answering. */

static void session_send(struct engine_session *s, enum mysql_step step)
{
    s->step = step;
    mysql_client_ask(s->client, mysql_question(s->seen.mariadb, step));
    loop_io_set(s->io, mysql_client_events(s->client));
}

/* The answer of a step has come. */
static void session_take(struct engine_session *s)
{
    struct mysql_report_failure failure;
    enum mysql_step next =
        mysql_step_take(&s->seen, s->step, mysql_client_answer(s->client), &failure);
    if (next < MYSQL_STEP_COUNT) {
        session_send(s, next);
        return;
    }
    s->asked = false;
    if (next == MYSQL_STEP_FAILED) {
        session_failed(s, &failure);
        return;
    }
    loop_io_set(s->io, mysql_client_events(s->client));
    const char *note = mysql_report(&s->seen, &s->report);
    s->sink.answer(s->sink.arg, &s->report, note);
}

/* Logged in: what it says of itself decides how it is asked, and whether. */
static void session_begin(struct engine_session *s)
{
    const struct mysql_server *server = mysql_client_server(s->client);
    struct mysql_report_failure refused = {.kind = REPORT_ODD};
    const char *why = mysql_server_refuse(server->version, server->number, server->mariadb);
    s->ready = true;
    s->seen.mariadb = server->mariadb;
    loop_io_set(s->io, mysql_client_events(s->client));
    if (!why) {
        s->sink.ready(s->sink.arg);
        return;
    }
    snprintf(refused.text, sizeof(refused.text), "%s (%s)", why, server->version);
    session_failed(s, &refused);
}

static void session_step(void *arg, int events)
{
    (void)events;
    struct engine_session *s = arg;
    switch (mysql_client_step(s->client)) {
    case MYSQL_FAILED:
        session_fail(s);
        break;
    case MYSQL_READY:
        if (!s->ready)
            session_begin(s);
        else if (s->asked)
            session_take(s);
        break;
    default:
        loop_io_set(s->io, mysql_client_events(s->client));
        break;
    }
}

/* Connecting. */

/* As an operator of the file needs it: which one, what is wrong, what to do. */
static void session_early_password(struct engine_session *s, const char *file, int error)
{
    const char *wrong = conf_password_check(file);
    s->early.kind = s->strange ? REPORT_DENIED : REPORT_ODD; /* it says nothing of who is there */
    if (error == -ENOMEM)
        snprintf(s->early.text, sizeof(s->early.text), "out of memory");
    else
        snprintf(s->early.text, sizeof(s->early.text), "password_file %.100s %s", file,
                 wrong ? wrong : "could not be read when it was needed");
}

static void session_connect(struct engine_session *s, const struct conf_cluster *cluster,
                            const struct conf_member *member, const struct address *address)
{
    struct mysql_connection connection;
    char *password = NULL;
    mysql_connection_read(cluster->connection, &connection);
    int rv = conf_password(cluster, &password);
    if (rv < 0) {
        session_early_password(s, cluster->password_file, rv);
        return;
    }
    const struct mysql_settings settings = {
        .host = member->host,
        .address = &address->inet,
        .user = connection.user,
        .password = password,
        .tls = connection.tls,
        .strange = s->strange,
    };
    s->client = mysql_client_new(&settings);
    /* I5: a server that does not prove its name gets no further then. */
    s->report.authenticated = connection.tls.mode == TLS_VERIFY_FULL;
    if (password)
        explicit_bzero(password, strlen(password));
    free(password);
}

/* False: out of memory. */
static bool session_watch(struct engine_session *s)
{
    if (s->early.text[0] != '\0' || (s->client && mysql_client_state(s->client) == MYSQL_FAILED)) {
        loop_timer_set(s->later, 0);
        return true;
    }
    s->io = s->client ? loop_io_new(s->loop, mysql_client_descriptor(s->client), session_step, s)
                      : NULL;
    if (!s->io)
        return false;
    loop_io_set(s->io, mysql_client_events(s->client));
    return true;
}

static void session_close(struct engine_session *s)
{
    if (!s)
        return;
    loop_io_free(s->io);
    loop_timer_free(s->later);
    mysql_client_free(s->client);
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
    s->seen.circular = cluster->circular;
    s->later = loop_timer_new(loop, session_fail_later, s);
    if (s->later)
        session_connect(s, cluster, member, address);
    if (!s->later || !session_watch(s)) {
        session_close(s);
        return NULL;
    }
    return s;
}

static void session_ask(struct engine_session *s, enum question question)
{
    enum mysql_step step = MYSQL_STEP_CHANNELS;
    if (!s->seen.introduced)
        step = MYSQL_STEP_FIRST;
    else if (question == QUESTION_CHEAP && !s->seen.unready)
        step = MYSQL_STEP_CHEAP;
    s->asked = true;
    session_send(s, step);
}

static int session_descriptor(const struct engine_session *s)
{
    return mysql_client_descriptor(s->client);
}

static enum engine_stage session_stage(const struct engine_session *s)
{
    if (!s->client || mysql_client_descriptor(s->client) < 0)
        return ENGINE_STAGE_BEFORE;
    if (s->ready)
        return ENGINE_STAGE_SESSION;
    if (!mysql_client_is_connected(s->client))
        return ENGINE_STAGE_CONNECTING;
    return mysql_client_is_in_tls(s->client) ? ENGINE_STAGE_TLS : ENGINE_STAGE_LOGIN;
}

static void session_look(const struct engine_session *s, struct engine_look *ret_look)
{
    *ret_look = (struct engine_look){
        .stage = session_stage(s),
        .encrypted = s->ready && mysql_client_expires(s->client) != 0,
        .version = s->ready ? mysql_client_server(s->client)->version : "",
    };
}

const struct engine engine_mysql = {
    .kind = &engine_kind_mysql,
    .open = session_open,
    .ask = session_ask,
    .close = session_close,
    .descriptor = session_descriptor,
    .look = session_look,
};
