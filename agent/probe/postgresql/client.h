/* SPDX-License-Identifier: Apache-2.0
 *
 * client.h - one connection to a server that speaks PostgreSQL's protocol, over libpq, without ever
 * waiting. Called by session.c.
 *
 * One pass: postgres_client_new() begins to connect, and ready() or failed() is called. After ready(),
 * each postgres_client_ask() brings exactly one answered() or failed(). After failed() nothing but
 * _free() is left to do. The events are called from the loop only, and last: they may free the client.
 */
#ifndef HOMING_AGENT_PROBE_POSTGRESQL_CLIENT_H
#define HOMING_AGENT_PROBE_POSTGRESQL_CLIENT_H

#include "agent/base/loop.h"
#include "agent/probe/postgresql/failures.h"
#include "agent/probe/postgresql/values.h"

enum {
    /* More than one row for each member of a cluster: with more, an answer is odd. */
    POSTGRES_ROWS_MAX = 64,
    POSTGRES_COLUMNS_MAX = 16,
};

struct postgres_client;

enum postgres_answer_kind {
    POSTGRES_ANSWER_NONE,  /* the server answered with nothing */
    POSTGRES_ANSWER_EMPTY, /* to an empty question */
    POSTGRES_ANSWER_ROWS,
    POSTGRES_ANSWER_LARGE, /* more rows than any answer of ours has */
    POSTGRES_ANSWER_ERROR, /* the session stands all the same */
};

/* It lives until the call that gets it returns. */
struct postgres_answer {
    enum postgres_answer_kind kind;
    struct postgres_rows rows;
    struct postgres_failure failure; /* of POSTGRES_ANSWER_ERROR and _LARGE */
};

struct postgres_events {
    void (*ready)(void *arg);
    void (*answered)(void *arg, const struct postgres_answer *answer);
    void (*failed)(void *arg, const struct postgres_failure *failure);
    void *arg;
};

/* Everything is copied, or not needed after postgres_client_new(). */
struct postgres_settings {
    const char *connection; /* keyword=value, as configured */
    const char *host;       /* as configured: what the certificate has to bear */
    const char *address;    /* the same as numbers */
    uint16_t port;
    const char *password; /* NULL: none */
    /* W11: nobody knows who is there. No password goes there in clear, unless the server proves its
     * name; and a failure of ours says nothing of who is there. */
    bool strange;
};

/* Parameters that a server from version 14 on reports whenever they change. A promotion shows in
 * the first, a switch to read-only in the second. Each is the second letter of "on" or "off"; 0:
 * the server (or a pooler before it) does not report both. */
struct postgres_watched {
    char in_hot_standby;
    char read_only;
};

/* Takes out of the environment what would override the settings. Once, before threads and children. */
void postgres_client_prepare(void);

/* NULL: out of memory. Everything else that goes wrong is told by failed(), from the loop. */
struct postgres_client *postgres_client_new(struct loop *loop,
                                            const struct postgres_settings *settings,
                                            const struct postgres_events *events);
/* NULL is allowed. Says goodbye only if that does not wait. */
void postgres_client_free(struct postgres_client *client);

/* One statement; only when ready, and one at a time. */
void postgres_client_ask(struct postgres_client *client, const char *question);

struct postgres_watched postgres_client_watched(const struct postgres_client *client);
/* The server proved its name (TLS with verify-full). When ready. */
bool postgres_client_authenticated(const struct postgres_client *client);
int postgres_client_descriptor(const struct postgres_client *client);
/* Where and as whom it is logged in; when ready. */
const char *postgres_client_database(const struct postgres_client *client);
const char *postgres_client_role(const struct postgres_client *client);
/* At any time: engine.h's look(). */
void postgres_client_look(const struct postgres_client *client, struct engine_look *ret_look);

#endif
