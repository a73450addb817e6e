/* SPDX-License-Identifier: Apache-2.0
 *
 * client.c - see client.h. The only file that includes libpq-fe.h.
 *
 * 1. libpq never resolves a name (hostaddr is always given), never reads the environment or a
 *    password file of its own, and never waits: not to connect, not to send, not to close.
 * 2. An event is called last: it may free the client.
 */
#include "config.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/tls/work.h"
#include "agent/probe/postgresql/client.h"

enum {
    /* libpq 15 knows 41 keywords. Parameters beyond this number are left out. */
    PARAMS_MAX = 96,
    /* How often we read after a question; once is usual. With a receive buffer of this size, that
     * bounds what a server that sends without end can make us keep. A login is bounded by its
     * time. */
    READS_MAX = 32,
    RECEIVE_BYTES = 16384,
};

struct postgres_client {
    struct loop *loop;
    struct postgres_events events;
    PGconn *conn;
    struct loop_io *io;
    struct loop_timer *later; /* failures found where no event may be called */
    enum postgres_stage stage;
    bool verify_full;
    bool kerberos; /* the operator wants it, and the agent waits for the KDC */
    bool strange;
    bool asked;
    uint32_t reads;                 /* since the last question was sent */
    PGresult *result;               /* of the question that is being answered */
    struct postgres_failure early;  /* a failure before there is a connection; text "": none */
    char farewell[ENGINE_TEXT_MAX]; /* what the server said unasked, such as why it closes */
};

static const struct postgres_failure TOO_LARGE = {
    .kind = REPORT_ODD, .text = "the server answers with more rows than a cluster has members"};

static const char KEPT_PASSWORD[] = "no password is sent to a new address without TLS and SCRAM: "
                                    "use both (sslmode=require), or name "
                                    "this address in members, in place of the name, and reload";

/* How it ends. */

/* W11: whether we would not say the password at a strange address. libpq's own words for that do not
 * tell what to do. */
static bool kept_password(const struct postgres_client *c, const struct postgres_failure *failure)
{
    return c->strange && failure->kind == REPORT_ODD &&
           (strstr(failure->text, "channel binding required") ||
            strstr(failure->text, "method requirement"));
}

static void failed(struct postgres_client *c, const struct postgres_failure *failure)
{
    struct postgres_failure told = *failure;
    bool kept = kept_password(c, failure);

    loop_io_free(c->io);
    c->io = NULL;
    if (kept)
        snprintf(told.text, sizeof(told.text), "%s", KEPT_PASSWORD);
    /* Neither says anything about who is there. */
    if (kept || (c->strange && failure->kind == REPORT_ODD && failure == &c->early))
        told.kind = REPORT_DENIED;
    c->events.failed(c->events.arg, &told);
}

/* What the server said before it closed is better than libpq's "closed unexpectedly". */
static void fail(struct postgres_client *c)
{
    struct postgres_failure failure;
    const char *message = PQresultErrorMessage(c->result); /* of NULL: "" */
    if (c->farewell[0] != '\0')
        message = c->farewell;
    else if (message[0] == '\0')
        message = PQerrorMessage(c->conn);
    postgres_failure_read(c->stage, message, &failure);
    failed(c, &failure);
}

static void fail_later(void *arg)
{
    struct postgres_client *c = arg;
    if (c->early.text[0] != '\0')
        failed(c, &c->early);
    else
        fail(c);
}

static void fail_odd(struct postgres_client *c, const char *text)
{
    struct postgres_failure failure = {.kind = REPORT_ODD};
    snprintf(failure.text, sizeof(failure.text), "%s", text);
    failed(c, &failure);
}

/* False: the server sends without end, and the connection has failed. */
static bool may_read(struct postgres_client *c)
{
    if (c->reads++ < READS_MAX)
        return true;
    fail_odd(c, "the server sends more than was asked for");
    return false;
}

/* libpq hands over everything that no question asked for; the default would print it. Only what
 * ends the connection is of interest. */
static void take_notice(void *arg, const PGresult *result)
{
    struct postgres_client *c = arg;
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (!severity || (strcmp(severity, "FATAL") != 0 && strcmp(severity, "PANIC") != 0))
        return;
    snprintf(c->farewell, sizeof(c->farewell), "%s", PQresultErrorMessage(result));
}

/* Asking and answering. */

struct postgres_watched postgres_client_watched(const struct postgres_client *c)
{
    const char *standby = PQparameterStatus(c->conn, "in_hot_standby");
    const char *read_only = PQparameterStatus(c->conn, "default_transaction_read_only");
    if (!standby || !read_only)
        return (struct postgres_watched){0};
    return (struct postgres_watched){
        .in_hot_standby = standby[0] == 'o' ? standby[1] : '\0',
        .read_only = read_only[0] == 'o' ? read_only[1] : '\0',
    };
}

void postgres_client_ask(struct postgres_client *c, const char *question)
{
    c->asked = true;
    c->reads = 0;
    int left = PQsendQuery(c->conn, question) == 1 ? PQflush(c->conn) : -1;
    if (left < 0)
        loop_timer_set(c->later, 0);
    else
        loop_io_set(c->io, left > 0 ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

/* False: there are more rows than any answer of ours has. */
static bool read_rows(const PGresult *result, const char **texts, struct postgres_rows *ret_rows)
{
    int count = PQntuples(result), columns = PQnfields(result);
    if (count > POSTGRES_ROWS_MAX || columns > POSTGRES_COLUMNS_MAX)
        return false;
    for (int row = 0; row < count; row++)
        for (int i = 0; i < columns; i++)
            texts[row * columns + i] =
                PQgetisnull(result, row, i) ? NULL : PQgetvalue(result, row, i);
    *ret_rows = (struct postgres_rows){.count = count, .columns = columns, .texts = texts};
    return true;
}

static void read_answer(const PGresult *result, const char **texts,
                        struct postgres_answer *ret_answer)
{
    switch (PQresultStatus(result)) { /* of NULL, it is an error without words */
    case PGRES_EMPTY_QUERY:
        ret_answer->kind = POSTGRES_ANSWER_EMPTY;
        break;
    case PGRES_TUPLES_OK:
        ret_answer->kind = POSTGRES_ANSWER_ROWS;
        if (!read_rows(result, texts, &ret_answer->rows)) {
            ret_answer->kind = POSTGRES_ANSWER_LARGE;
            ret_answer->failure = TOO_LARGE;
        }
        break;
    default:
        ret_answer->kind = POSTGRES_ANSWER_ERROR;
        postgres_failure_read(POSTGRES_STAGE_SESSION, PQresultErrorMessage(result),
                              &ret_answer->failure);
    }
}

/* The answer is complete. */
static void conclude(struct postgres_client *c)
{
    const char *texts[POSTGRES_ROWS_MAX * POSTGRES_COLUMNS_MAX];
    struct postgres_answer answer = {.kind = POSTGRES_ANSWER_NONE};
    PGresult *result = c->result;

    if (result)
        read_answer(result, texts, &answer);
    c->result = NULL;
    c->asked = false;
    c->events.answered(c->events.arg, &answer);
    PQclear(result);
}

static void collect(struct postgres_client *c)
{
    while (c->asked && PQisBusy(c->conn) == 0) {
        PGresult *result = PQgetResult(c->conn);
        if (!result) {
            conclude(c);
            return;
        }
        PQclear(c->result);
        c->result = result;
    }
}

static void converse(void *arg, int events)
{
    struct postgres_client *c = arg;
    if (events & LOOP_WRITE) {
        int left = PQflush(c->conn);
        if (left < 0) {
            fail(c);
            return;
        }
        loop_io_set(c->io, left > 0 ? LOOP_READ | LOOP_WRITE : LOOP_READ);
    }
    if (events & LOOP_READ && may_read(c)) {
        if (PQconsumeInput(c->conn) == 0) {
            fail(c);
            return;
        }
        PQisBusy(c->conn); /* takes in what came unasked: notices, parameters */
        collect(c);
    }
}

/* Connecting. */

/* The watcher is made anew for each step: libpq may close its socket and open another one, with
 * the same number, when it tries again without TLS. False: the connection has failed. */
static bool wait_for(struct postgres_client *c, int events, loop_io_fn *fn)
{
    const int bytes = RECEIVE_BYTES;
    setsockopt(PQsocket(c->conn), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    c->io = loop_io_new(c->loop, PQsocket(c->conn), fn, c);
    if (!c->io) {
        fail_odd(c, "out of memory");
        return false;
    }
    loop_io_set(c->io, events);
    return true;
}

static void connected(struct postgres_client *c)
{
    PQsetnonblocking(c->conn, 1);
    c->stage = POSTGRES_STAGE_SESSION;
    if (wait_for(c, LOOP_READ, converse))
        c->events.ready(c->events.arg);
}

static void connecting(void *arg, int events)
{
    (void)events;
    struct postgres_client *c = arg;
    loop_io_free(c->io);
    c->io = NULL;
    c->stage =
        PQstatus(c->conn) == CONNECTION_STARTED ? POSTGRES_STAGE_CONNECTING : POSTGRES_STAGE_LOGIN;
    tls_work_begin(c->kerberos);
    PostgresPollingStatusType next = PQconnectPoll(c->conn);
    const char *wanted = tls_work_end();
    if (wanted) {
        fail_odd(c, wanted);
        return;
    }
    switch (next) {
    case PGRES_POLLING_READING:
        wait_for(c, LOOP_READ, connecting);
        break;
    case PGRES_POLLING_WRITING:
        wait_for(c, LOOP_WRITE, connecting);
        break;
    case PGRES_POLLING_OK:
        connected(c);
        break;
    default:
        fail(c);
        break;
    }
}

/* I5: with verify-full, a server that does not prove its name does not get here. */
bool postgres_client_authenticated(const struct postgres_client *c)
{
    return c->verify_full && PQsslInUse(c->conn);
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

static void params_add_fixed(struct params *p, const struct postgres_settings *settings,
                             const char *port)
{
    params_add(p, "host", settings->host); /* for TLS: the name that the certificate must bear */
    params_add(p, "hostaddr", settings->address);
    params_add(p, "port", port);
    params_add(p, "password", settings->password);
    /* A path that cannot exist: libpq would look for ~/.pgpass, and complains about /dev/null. */
    params_add(p, "passfile", "/dev/null/none");
    params_add(p, "client_encoding", "UTF8");
}

/* Invariant 1: PGHOST and the like would override what the configuration says. */
void postgres_client_prepare(void)
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

/* NULL: it is not given, or empty. */
static const char *option_value(const PQconninfoOption *options, const char *keyword)
{
    for (const PQconninfoOption *o = options; o->keyword; o++)
        if (strcmp(o->keyword, keyword) == 0)
            return o->val && o->val[0] != '\0' ? o->val : NULL;
    return NULL;
}

static bool option_is(const PQconninfoOption *options, const char *keyword, const char *value)
{
    const char *given = option_value(options, keyword);
    return given && strcmp(given, value) == 0;
}

/* W11: whoever is at an address that only DNS vouches for must not be told the password. A server
 * that proves its name may; to others, SCRAM proves that we know it, and does not tell it. libpq
 * before version 16 can be bound to SCRAM only together with TLS: without TLS it refuses then. */
static void params_add_strange(struct params *p, const PQconninfoOption *options)
{
    static const char ANY_BUT[] = "!password";
    const char *wanted = option_value(options, "require_auth");

    if (PQlibVersion() < 160000)
        params_add(p, "channel_binding", "require");
    else if (!wanted || (strstr(wanted, "password") && !strstr(wanted, ANY_BUT)))
        params_add(p, "require_auth", ANY_BUT);
}

/* Starts to connect. False: libpq has the reason; without c->conn it had no memory. */
static bool start(struct postgres_client *c, const PQconninfoOption *options,
                  const struct postgres_settings *settings)
{
    struct params params = {.count = 0};
    char port[8];
    snprintf(port, sizeof(port), "%u", settings->port);
    params_add_defaults(&params);
    params_add_options(&params, options);
    params_add_fixed(&params, settings, port);
    if (c->strange && settings->password && !c->verify_full)
        params_add_strange(&params, options);
    c->conn = PQconnectStartParams(params.keywords, params.values, 0);
    if (!c->conn)
        return false;
    PQsetErrorVerbosity(c->conn, PQERRORS_VERBOSE); /* for the SQLSTATE */
    PQsetNoticeReceiver(c->conn, take_notice, c);
    return PQstatus(c->conn) != CONNECTION_BAD;
}

/* As start(), from the configuration. If early.text is not empty, that is the reason. */
static bool begin(struct postgres_client *c, const struct postgres_settings *settings)
{
    char *error = NULL;
    PQconninfoOption *options = PQconninfoParse(settings->connection, &error);
    if (!options) {
        c->early.kind = REPORT_ODD;
        snprintf(c->early.text, sizeof(c->early.text), "connection: %s",
                 error ? error : "out of memory");
        c->early.text[strcspn(c->early.text, "\n")] = '\0';
        PQfreemem(error);
        return false;
    }
    c->verify_full = option_is(options, "sslmode", "verify-full");
    c->kerberos =
        option_value(options, "gssencmode") && !option_is(options, "gssencmode", "disable");
    bool started = start(c, options, settings);
    PQconninfoFree(options);
    return started;
}

void postgres_client_free(struct postgres_client *c)
{
    if (!c)
        return;
    loop_io_free(c->io);
    loop_timer_free(c->later);
    PQclear(c->result);
    PQfinish(c->conn); /* NULL is allowed. Sends a goodbye only if that does not block. */
    free(c);
}

/* False: out of memory. */
static bool watch(struct postgres_client *c, bool started)
{
    if (!started) {
        loop_timer_set(c->later, 0);
        return c->conn || c->early.text[0] != '\0';
    }
    c->io = loop_io_new(c->loop, PQsocket(c->conn), connecting, c);
    if (c->io)
        loop_io_set(c->io, LOOP_WRITE);
    return c->io;
}

struct postgres_client *postgres_client_new(struct loop *loop,
                                            const struct postgres_settings *settings,
                                            const struct postgres_events *events)
{
    struct postgres_client *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->loop = loop;
    c->events = *events;
    c->strange = settings->strange;
    c->later = loop_timer_new(loop, fail_later, c);
    if (!c->later || !watch(c, begin(c, settings))) {
        postgres_client_free(c);
        return NULL;
    }
    return c;
}

int postgres_client_descriptor(const struct postgres_client *c)
{
    return PQsocket(c->conn);
}

const char *postgres_client_database(const struct postgres_client *c)
{
    return PQdb(c->conn);
}

const char *postgres_client_role(const struct postgres_client *c)
{
    return PQuser(c->conn);
}

static enum engine_stage stage(const struct postgres_client *c)
{
    ConnStatusType status = PQstatus(c->conn);
    if (!c->conn || c->early.text[0] != '\0')
        return ENGINE_STAGE_BEFORE;
    if (c->stage == POSTGRES_STAGE_SESSION)
        return ENGINE_STAGE_SESSION;
    if (status == CONNECTION_STARTED ||
        (status == CONNECTION_BAD && c->stage == POSTGRES_STAGE_CONNECTING))
        return ENGINE_STAGE_CONNECTING;
    return status == CONNECTION_SSL_STARTUP ? ENGINE_STAGE_TLS : ENGINE_STAGE_LOGIN;
}

void postgres_client_look(const struct postgres_client *c, struct engine_look *ret_look)
{
    const char *version = PQparameterStatus(c->conn, "server_version");
    *ret_look = (struct engine_look){
        .stage = stage(c),
        .encrypted = PQsslInUse(c->conn) == 1,
        .version = version ? version : "",
    };
}
