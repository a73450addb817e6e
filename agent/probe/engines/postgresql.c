/* SPDX-License-Identifier: Apache-2.0
 *
 * postgresql.c - asks a PostgreSQL server over non-blocking libpq. The only file that includes
 * libpq-fe.h; engines/postgresql_reports.c knows what the answers mean.
 *
 * 1. libpq never resolves a name (hostaddr is always given), never reads the environment or a
 *    password file of its own, and never waits: not to connect, not to send, not to close.
 * 2. The sink is called last, and from the loop only: it may close the session.
 * 3. A cheap question is answered from the last full one only if no parameter that the server
 *    reports by itself has changed since that one was sent.
 */
#include "config.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/tls/work.h"
#include "agent/conf/password.h"
#include "agent/probe/engines/postgresql.h"
#include "agent/probe/engines/postgresql_kind.h"
#include "agent/probe/engines/postgresql_reports.h"

enum {
    /* libpq 15 knows 41 keywords. Parameters beyond this number are left out. */
    PARAMS_MAX = 96,
    /* How often we read after a question; once is usual. With a receive buffer of this size, that
     * bounds what a server that sends without end can make us keep. A login is bounded by its
     * time. */
    READS_MAX = 32,
    RECEIVE_BYTES = 16384,
};

/* Parameters that a server from version 14 on reports whenever they change. A promotion shows in
 * the first, a switch to read-only in the second. Each is the second letter of "on" or "off"; 0:
 * the server does not report it. */
struct watched {
    char in_hot_standby;
    char read_only;
};

enum outcome {
    OUTCOME_NONE,
    OUTCOME_STILL, /* the cheap question was answered */
    OUTCOME_ROW,   /* `report` and `note` are new */
    OUTCOME_NO_IDENTITY,
};

struct engine_session {
    struct loop *loop;
    struct engine_sink sink;
    PGconn *conn;
    struct loop_io *io;
    struct loop_timer *later; /* failures found where the sink may not be called */
    enum postgres_stage stage;
    bool verify_full;
    bool strange;
    bool kerberos; /* the operator wants it */
    bool asked;
    uint32_t reads;        /* since the last question was sent */
    bool introduced;       /* identity and incarnation are known, as far as they can be */
    bool identity_denied;  /* the role may not execute pg_control_system() */
    enum outcome outcome;  /* of the question that is being answered */
    struct watched at_ask; /* when the last full question was sent */
    struct report report;  /* the last full answer */
    const char *note;
    struct postgres_failure early;  /* a failure before there is a connection; text "": none */
    char farewell[ENGINE_TEXT_MAX]; /* what the server said unasked, such as why it closes */
};

static const char NOTE_NO_IDENTITY[] =
    "homing's role may not execute pg_control_system(): no identity (GRANT EXECUTE ON FUNCTION "
    "pg_catalog.pg_control_system() TO it)";

static const char KEPT_PASSWORD[] = "no password is sent to a new address without TLS and SCRAM: "
                                    "use both (sslmode=require), or name "
                                    "this address in members, in place of the name, and reload";

/* How a session ends. */

/* W11: whether we would not say the password at a strange address. libpq's own words for that do not
 * tell what to do. */
static bool session_kept_password(const struct engine_session *s,
                                  const struct postgres_failure *failure)
{
    return s->strange && failure->kind == REPORT_ODD &&
           (strstr(failure->text, "channel binding required") ||
            strstr(failure->text, "method requirement"));
}

static void session_failed(struct engine_session *s, const struct postgres_failure *failure)
{
    bool kept = session_kept_password(s, failure);
    bool early = s->strange && failure->kind == REPORT_ODD && failure == &s->early;

    loop_io_free(s->io);
    s->io = NULL;
    /* Neither says anything about who is there. */
    s->sink.failed(s->sink.arg, kept || early ? REPORT_DENIED : failure->kind, failure->hint,
                   kept ? KEPT_PASSWORD : failure->text);
}

/* What the server said before it closed is better than libpq's "closed unexpectedly". */
static void session_fail(struct engine_session *s)
{
    struct postgres_failure failure;
    const char *message = s->farewell[0] != '\0' ? s->farewell : PQerrorMessage(s->conn);
    postgres_report_failure(s->stage, message, &failure);
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

static void session_fail_odd(struct engine_session *s, const char *text)
{
    struct postgres_failure failure = {.kind = REPORT_ODD};
    snprintf(failure.text, sizeof(failure.text), "%s", text);
    session_failed(s, &failure);
}

/* False: the server sends without end, and the session has failed. */
static bool session_may_read(struct engine_session *s)
{
    if (s->reads++ < READS_MAX)
        return true;
    session_fail_odd(s, "the server sends more than was asked for");
    return false;
}

/* libpq hands over everything that no question asked for; the default would print it. Only what
 * ends the connection is of interest. */
static void session_notice(void *arg, const PGresult *result)
{
    struct engine_session *s = arg;
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (!severity || (strcmp(severity, "FATAL") != 0 && strcmp(severity, "PANIC") != 0))
        return;
    snprintf(s->farewell, sizeof(s->farewell), "%s", PQresultErrorMessage(result));
}

/* Asking and answering. */

static struct watched session_watched(const struct engine_session *s)
{
    const char *standby = PQparameterStatus(s->conn, "in_hot_standby");
    const char *read_only = PQparameterStatus(s->conn, "default_transaction_read_only");
    if (!standby || !read_only)
        return (struct watched){0};
    return (struct watched){
        .in_hot_standby = standby[0] == 'o' ? standby[1] : '\0',
        .read_only = read_only[0] == 'o' ? read_only[1] : '\0',
    };
}

/* Invariant 3; never for a server (or a pooler before it) that does not report both. */
static bool session_unchanged(const struct engine_session *s)
{
    struct watched now = session_watched(s);
    return now.in_hot_standby != '\0' && now.in_hot_standby == s->at_ask.in_hot_standby &&
           now.read_only != '\0' && now.read_only == s->at_ask.read_only;
}

static void session_send(struct engine_session *s, const char *question)
{
    s->outcome = OUTCOME_NONE;
    s->asked = true;
    s->reads = 0;
    int left = PQsendQuery(s->conn, question) == 1 ? PQflush(s->conn) : -1;
    if (left < 0)
        loop_timer_set(s->later, 0);
    else
        loop_io_set(s->io, left > 0 ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

static void session_send_full(struct engine_session *s)
{
    s->at_ask = session_watched(s);
    if (s->introduced)
        session_send(s, POSTGRES_QUESTION);
    else
        session_send(s,
                     s->identity_denied ? POSTGRES_QUESTION_FIRST_DENIED : POSTGRES_QUESTION_FIRST);
}

static void session_answer(struct engine_session *s)
{
    const char *note = s->note;
    if (!note && s->identity_denied)
        note = NOTE_NO_IDENTITY;
    s->asked = false;
    s->introduced = true;
    s->sink.answer(s->sink.arg, &s->report, note);
}

/* The answer is complete. */
static void session_conclude(struct engine_session *s)
{
    switch (s->outcome) {
    case OUTCOME_NONE:
        session_fail_odd(s, "the server answered a question with nothing");
        return;
    case OUTCOME_NO_IDENTITY:
        session_send_full(s);
        return;
    case OUTCOME_ROW:
        /* What has changed while the row was made may have changed after it: ask once more. */
        if (s->at_ask.in_hot_standby != '\0' && !session_unchanged(s)) {
            s->introduced = true;
            session_send_full(s);
            return;
        }
        session_answer(s);
        return;
    case OUTCOME_STILL:
        if (session_unchanged(s))
            session_answer(s);
        else
            session_send_full(s);
        return;
    }
}

static bool session_take_row(struct engine_session *s, const PGresult *result)
{
    const char *columns[POSTGRES_COLUMN_COUNT];
    int count = PQnfields(result);
    if (PQntuples(result) != 1 || count > POSTGRES_COLUMN_COUNT)
        return false;
    for (int i = 0; i < count; i++)
        columns[i] = PQgetisnull(result, 0, i) ? NULL : PQgetvalue(result, 0, i);
    return postgres_report_row(columns, count, &s->report, &s->note);
}

/* False: the session has failed, and may be gone. */
static bool session_take(struct engine_session *s, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    switch (PQresultStatus(result)) {
    case PGRES_EMPTY_QUERY:
        s->outcome = OUTCOME_STILL;
        return true;
    case PGRES_TUPLES_OK:
        s->outcome = OUTCOME_ROW;
        if (session_take_row(s, result))
            return true;
        session_fail_odd(s, "the server does not answer as a PostgreSQL does");
        return false;
    default:
        /* 42501: insufficient_privilege. The only thing we ask for that can be refused. */
        if (sqlstate && strcmp(sqlstate, "42501") == 0 && !s->introduced && !s->identity_denied) {
            s->identity_denied = true;
            s->outcome = OUTCOME_NO_IDENTITY;
            return true;
        }
        session_fail(s);
        return false;
    }
}

static void session_collect(struct engine_session *s)
{
    while (s->asked && PQisBusy(s->conn) == 0) {
        PGresult *result = PQgetResult(s->conn);
        if (!result) {
            session_conclude(s);
            return;
        }
        bool going_on = session_take(s, result);
        PQclear(result);
        if (!going_on)
            return;
    }
}

static void session_ready(void *arg, int events)
{
    struct engine_session *s = arg;
    if (events & LOOP_WRITE) {
        int left = PQflush(s->conn);
        if (left < 0) {
            session_fail(s);
            return;
        }
        loop_io_set(s->io, left > 0 ? LOOP_READ | LOOP_WRITE : LOOP_READ);
    }
    if (events & LOOP_READ && session_may_read(s)) {
        if (PQconsumeInput(s->conn) == 0) {
            session_fail(s);
            return;
        }
        PQisBusy(s->conn); /* takes in what came unasked: notices, parameters */
        session_collect(s);
    }
}

/* Connecting. */

static void session_connecting(void *arg, int events);

/* The watcher is made anew for each step: libpq may close its socket and open another one, with
 * the same number, when it tries again without TLS. False: the session has failed. */
static bool session_wait(struct engine_session *s, int events, loop_io_fn *fn)
{
    const int bytes = RECEIVE_BYTES;
    setsockopt(PQsocket(s->conn), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    s->io = loop_io_new(s->loop, PQsocket(s->conn), fn, s);
    if (!s->io) {
        session_fail_odd(s, "out of memory");
        return false;
    }
    loop_io_set(s->io, events);
    return true;
}

static void session_connected(struct engine_session *s)
{
    PQsetnonblocking(s->conn, 1);
    s->stage = POSTGRES_STAGE_SESSION;
    /* I5: with verify-full, a server that does not prove its name does not get here. */
    s->report.authenticated = s->verify_full && PQsslInUse(s->conn);
    if (session_wait(s, LOOP_READ, session_ready))
        s->sink.ready(s->sink.arg);
}

static void session_connecting(void *arg, int events)
{
    (void)events;
    struct engine_session *s = arg;
    loop_io_free(s->io);
    s->io = NULL;
    s->stage =
        PQstatus(s->conn) == CONNECTION_STARTED ? POSTGRES_STAGE_CONNECTING : POSTGRES_STAGE_LOGIN;
    tls_work_begin(s->kerberos);
    PostgresPollingStatusType next = PQconnectPoll(s->conn);
    const char *wanted = tls_work_end();
    if (wanted) {
        session_fail_odd(s, wanted);
        return;
    }
    switch (next) {
    case PGRES_POLLING_READING:
        session_wait(s, LOOP_READ, session_connecting);
        break;
    case PGRES_POLLING_WRITING:
        session_wait(s, LOOP_WRITE, session_connecting);
        break;
    case PGRES_POLLING_OK:
        session_connected(s);
        break;
    default:
        session_fail(s);
        break;
    }
}

/* Connection parameters: a later one overrides an earlier one. */

struct params {
    const char *keywords[PARAMS_MAX + 1];
    const char *values[PARAMS_MAX + 1];
    int count;
};

static void params_add(struct params *p, const char *keyword, const char *value)
{
    if (!value || p->count == PARAMS_MAX)
        return;
    p->keywords[p->count] = keyword;
    p->values[p->count++] = value;
}

/* What the configuration may change. */
static void params_add_defaults(struct params *p)
{
    params_add(p, "application_name", "homingd");
    params_add(p, "dbname", "postgres");
    /* Asking the kernel's key ring or a KDC can block. */
    params_add(p, "gssencmode", "disable");
}

/* The configuration's own; `replication` would make a connection that answers no SELECT. */
static void params_add_options(struct params *p, const PQconninfoOption *options)
{
    for (const PQconninfoOption *o = options; o->keyword; o++)
        if (strcmp(o->keyword, "replication") != 0)
            params_add(p, o->keyword, o->val);
}

static void params_add_fixed(struct params *p, const char *host, const char *hostaddr,
                             const char *port, const char *password)
{
    params_add(p, "host", host); /* for TLS: the name that the certificate must bear */
    params_add(p, "hostaddr", hostaddr);
    params_add(p, "port", port);
    params_add(p, "password", password);
    /* A path that cannot exist: libpq would look for ~/.pgpass, and complains about /dev/null. */
    params_add(p, "passfile", "/dev/null/none");
    params_add(p, "client_encoding", "UTF8");
}

/* NULL: it is not given. */
static const char *option_value(const PQconninfoOption *options, const char *keyword)
{
    for (const PQconninfoOption *o = options; o->keyword; o++)
        if (strcmp(o->keyword, keyword) == 0)
            return o->val;
    return NULL;
}

static bool option_is(const PQconninfoOption *options, const char *keyword, const char *value)
{
    const char *given = option_value(options, keyword);
    return given && strcmp(given, value) == 0;
}

/* Invariant 1: PGHOST and the like would override what the configuration says. */
static void environment_clear(void)
{
    char name[64];
    for (char **e = environ; e && *e;) {
        size_t length = strcspn(*e, "=");
        if (strncmp(*e, "PG", 2) == 0 && length < sizeof(name)) {
            snprintf(name, sizeof(name), "%.*s", (int)length, *e);
            unsetenv(name);
            e = environ;
        } else {
            e++;
        }
    }
}

static const char *options_find(const PQconninfoOption *options, const char *keyword)
{
    for (const PQconninfoOption *o = options; o->keyword; o++)
        if (strcmp(o->keyword, keyword) == 0)
            return o->val && o->val[0] != '\0' ? o->val : NULL;
    return NULL;
}

/* W11: whoever is at an address that only DNS vouches for must not be told the password. A server
 * that proves its name may; to others, SCRAM proves that we know it, and does not tell it. libpq
 * before version 16 can be bound to SCRAM only together with TLS: without TLS it refuses then. */
static void params_add_strange(struct params *p, const PQconninfoOption *options)
{
    static const char ANY_BUT[] = "!password";
    const char *wanted = options_find(options, "require_auth");

    if (PQlibVersion() < 160000)
        params_add(p, "channel_binding", "require");
    else if (!wanted || (strstr(wanted, "password") && !strstr(wanted, ANY_BUT)))
        params_add(p, "require_auth", ANY_BUT);
}

/* Starts to connect. False: libpq has the reason; without s->conn it had no memory. */
static bool session_start(struct engine_session *s, const PQconninfoOption *options,
                          const struct conf_member *member, const struct address *address,
                          const char *password)
{
    struct params params = {.count = 0};
    char port[8];
    snprintf(port, sizeof(port), "%u", address->inet.port);
    s->kerberos =
        option_value(options, "gssencmode") && !option_is(options, "gssencmode", "disable");
    params_add_defaults(&params);
    params_add_options(&params, options);
    params_add_fixed(&params, member->host, address->text, port, password);
    if (s->strange && password && !s->verify_full)
        params_add_strange(&params, options);
    s->conn = PQconnectStartParams(params.keywords, params.values, 0);
    if (!s->conn)
        return false;
    PQsetErrorVerbosity(s->conn, PQERRORS_VERBOSE); /* for the SQLSTATE */
    PQsetNoticeReceiver(s->conn, session_notice, s);
    return PQstatus(s->conn) != CONNECTION_BAD;
}

static void session_early(struct engine_session *s, const char *what, const char *why)
{
    s->early.kind = REPORT_ODD;
    snprintf(s->early.text, sizeof(s->early.text), "%s: %s", what, why);
    s->early.text[strcspn(s->early.text, "\n")] = '\0';
}

/* As an operator of the file needs it: which one, what is wrong, what to do. */
static void session_early_password(struct engine_session *s, const char *file, int error)
{
    const char *wrong = conf_password_check(file);
    char what[ENGINE_TEXT_MAX];

    snprintf(what, sizeof(what), "password_file %s %s", file,
             wrong ? wrong : "could not be read when it was needed");
    if (error == -ENOMEM)
        snprintf(what, sizeof(what), "out of memory");
    s->early.kind = REPORT_ODD;
    memcpy(s->early.text, what, sizeof(what));
}

/* As session_start(), from the configuration. If early.text is not empty, that is the reason. */
static bool session_begin(struct engine_session *s, const struct conf_cluster *cluster,
                          const struct conf_member *member, const struct address *address)
{
    char *error = NULL;
    char *password = NULL;
    bool started = false;
    PQconninfoOption *options = PQconninfoParse(cluster->connection, &error);
    if (!options) {
        session_early(s, "connection", error ? error : "out of memory");
        PQfreemem(error);
        return false;
    }
    s->verify_full = option_is(options, "sslmode", "verify-full");
    int rv = conf_password(cluster, &password);
    if (rv < 0)
        session_early_password(s, cluster->password_file, rv);
    else
        started = session_start(s, options, member, address, password);
    if (password)
        explicit_bzero(password, strlen(password));
    free(password);
    PQconninfoFree(options);
    return started;
}

static void postgres_close(struct engine_session *s)
{
    if (!s)
        return;
    loop_io_free(s->io);
    loop_timer_free(s->later);
    PQfinish(s->conn); /* NULL is allowed. Sends a goodbye only if that does not block. */
    free(s);
}

static struct engine_session *postgres_open(struct loop *loop, const struct conf_cluster *cluster,
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
    s->later = loop_timer_new(loop, session_fail_later, s);
    if (!s->later)
        goto fail;
    if (!session_begin(s, cluster, member, address)) {
        if (!s->conn && s->early.text[0] == '\0')
            goto fail;
        loop_timer_set(s->later, 0);
        return s;
    }
    s->io = loop_io_new(loop, PQsocket(s->conn), session_connecting, s);
    if (!s->io)
        goto fail;
    loop_io_set(s->io, LOOP_WRITE);
    return s;
fail:
    postgres_close(s);
    return NULL;
}

static void postgres_ask(struct engine_session *s, enum question question)
{
    if (question == QUESTION_CHEAP && s->introduced && session_unchanged(s))
        session_send(s, "");
    else
        session_send_full(s);
}

static int postgres_descriptor(const struct engine_session *s)
{
    return PQsocket(s->conn);
}

const struct engine engine_postgresql = {
    .kind = &engine_kind_postgresql,
    .prepare = environment_clear,
    .open = postgres_open,
    .ask = postgres_ask,
    .close = postgres_close,
    .descriptor = postgres_descriptor,
};
