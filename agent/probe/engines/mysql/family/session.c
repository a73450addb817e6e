/* SPDX-License-Identifier: Apache-2.0
 *
 * session.c - asks a server of MySQL's family over the client of agent/probe/mysql: see session.h. The
 * engine's dialect knows what to ask, and what the answers mean.
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
#include "agent/probe/engines/mysql/family/connection.h"
#include "agent/probe/engines/mysql/family/session.h"
#include "agent/probe/mysql/client.h"

struct engine_session {
    const struct mysql_dialect *dialect;
    void *seen; /* the dialect's */
    struct loop *loop;
    struct engine_sink sink;
    struct mysql_client *client;
    struct loop_io *io;       /* NULL if the client failed at once */
    struct loop_timer *later; /* failures found where the sink may not be called */
    bool strange;
    bool ready; /* the sink knows */
    bool asked;
    int step; /* that is being answered */
    struct report report;
    struct mysql_report_failure early; /* a failure before there is a client; text "": none */
};

/* How a session ends. */

static void end_session(struct engine_session *s, const struct mysql_report_failure *failure)
{
    loop_io_free(s->io);
    s->io = NULL;
    s->sink.failed(s->sink.arg, failure->kind, failure->hint, failure->text);
}

static void fail(struct engine_session *s)
{
    struct mysql_report_failure failure;
    mysql_report_failure(mysql_client_failure(s->client), s->strange, &failure);
    end_session(s, &failure);
}

static void fail_later(void *arg)
{
    struct engine_session *s = arg;
    if (s->early.text[0] != '\0')
        end_session(s, &s->early);
    else
        fail(s);
}

/* Asking and answering. */

static void send_question(struct engine_session *s, int step)
{
    s->step = step;
    mysql_client_ask(s->client, s->dialect->question(s->seen, step));
    loop_io_set(s->io, mysql_client_events(s->client));
}

/* What it says of others, then of itself. The first call cannot close the session. */
static void hand_over(struct engine_session *s)
{
    const struct mysql_dialect *dialect = s->dialect;
    const struct topology *topology = dialect->topology ? dialect->topology(s->seen) : NULL;
    const char *note = dialect->report(s->seen, &s->report);
    if (topology && s->sink.topology)
        s->sink.topology(s->sink.arg, topology);
    s->sink.answer(s->sink.arg, &s->report, note);
}

/* The answer of a step has come. */
static void take_answer(struct engine_session *s)
{
    struct mysql_report_failure failure;
    int next = s->dialect->take(s->seen, s->step, mysql_client_answer(s->client), &failure);
    if (next < MYSQL_STEP_DONE) {
        send_question(s, next);
        return;
    }
    s->asked = false;
    if (next == MYSQL_STEP_FAILED) {
        end_session(s, &failure);
        return;
    }
    loop_io_set(s->io, mysql_client_events(s->client));
    hand_over(s);
}

/* Logged in: what it says of itself decides how it is asked, and whether. */
static void begin(struct engine_session *s)
{
    const struct mysql_server *server = mysql_client_server(s->client);
    struct mysql_report_failure refused = {.kind = REPORT_ODD};
    const char *why = s->dialect->greet(s->seen, server);
    s->ready = true;
    loop_io_set(s->io, mysql_client_events(s->client));
    if (!why) {
        s->sink.ready(s->sink.arg);
        return;
    }
    snprintf(refused.text, sizeof(refused.text), "%s (%s)", why, server->version);
    end_session(s, &refused);
}

static void go_on(void *arg, int events)
{
    (void)events;
    struct engine_session *s = arg;
    switch (mysql_client_step(s->client)) {
    case MYSQL_FAILED:
        fail(s);
        break;
    case MYSQL_READY:
        if (!s->ready)
            begin(s);
        else if (s->asked)
            take_answer(s);
        break;
    default:
        loop_io_set(s->io, mysql_client_events(s->client));
        break;
    }
}

/* Connecting. */

/* As an operator of the file needs it: which one, what is wrong, what to do. */
static void note_password(struct engine_session *s, const char *file, int error)
{
    const char *wrong = conf_password_check(file);
    s->early.kind = s->strange ? REPORT_DENIED : REPORT_ODD; /* it says nothing of who is there */
    if (error == -ENOMEM)
        snprintf(s->early.text, sizeof(s->early.text), "out of memory");
    else
        snprintf(s->early.text, sizeof(s->early.text), "password_file %.100s %s", file,
                 wrong ? wrong : "could not be read when it was needed");
}

static void connect_to(struct engine_session *s, const struct conf_cluster *cluster,
                       const struct conf_member *member, const struct address *address)
{
    struct mysql_connection connection;
    char *password = NULL;
    mysql_connection_read(cluster->connection, &connection);
    int rv = conf_password(cluster, &password);
    if (rv < 0) {
        note_password(s, cluster->password_file, rv);
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
static bool watch(struct engine_session *s)
{
    if (s->early.text[0] != '\0' || (s->client && mysql_client_state(s->client) == MYSQL_FAILED)) {
        loop_timer_set(s->later, 0);
        return true;
    }
    s->io = s->client ? loop_io_new(s->loop, mysql_client_descriptor(s->client), go_on, s) : NULL;
    if (!s->io)
        return false;
    loop_io_set(s->io, mysql_client_events(s->client));
    return true;
}

void mysql_session_close(struct engine_session *s)
{
    if (!s)
        return;
    loop_io_free(s->io);
    loop_timer_free(s->later);
    mysql_client_free(s->client);
    free(s->seen);
    free(s);
}

struct engine_session *mysql_session_open(const struct mysql_dialect *dialect, struct loop *loop,
                                          const struct conf_cluster *cluster,
                                          const struct conf_member *member,
                                          const struct address *address, bool strange,
                                          const struct engine_sink *sink)
{
    struct engine_session *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->dialect = dialect;
    s->loop = loop;
    s->sink = *sink;
    s->strange = strange;
    s->seen = calloc(1, dialect->seen_size);
    s->later = loop_timer_new(loop, fail_later, s);
    if (s->seen && dialect->begin)
        dialect->begin(s->seen, cluster);
    if (s->seen && s->later)
        connect_to(s, cluster, member, address);
    if (!s->seen || !s->later || !watch(s)) {
        mysql_session_close(s);
        return NULL;
    }
    return s;
}

void mysql_session_adopt(struct engine_session *s, const struct engine_sink *sink)
{
    s->sink = *sink;
}

void mysql_session_ask(struct engine_session *s, enum question question)
{
    s->asked = true;
    send_question(s, s->dialect->first(s->seen, question));
}

int mysql_session_descriptor(const struct engine_session *s)
{
    return mysql_client_descriptor(s->client);
}

static enum engine_stage stage(const struct engine_session *s)
{
    if (!s->client || mysql_client_descriptor(s->client) < 0)
        return ENGINE_STAGE_BEFORE;
    if (s->ready)
        return ENGINE_STAGE_SESSION;
    if (!mysql_client_is_connected(s->client))
        return ENGINE_STAGE_CONNECTING;
    return mysql_client_is_in_tls(s->client) ? ENGINE_STAGE_TLS : ENGINE_STAGE_LOGIN;
}

void mysql_session_look(const struct engine_session *s, struct engine_look *ret_look)
{
    *ret_look = (struct engine_look){
        .stage = stage(s),
        .encrypted = s->ready && mysql_client_expires(s->client) != 0,
        .version = s->ready ? mysql_client_server(s->client)->version : "",
    };
}
