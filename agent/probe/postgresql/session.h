/* SPDX-License-Identifier: Apache-2.0
 *
 * session.h - how a server of PostgreSQL's family is asked: all of an engine but what it asks and
 * what the answers mean, which is a const struct of the engine's own.
 *
 * One pass: the engine's open() calls postgres_session_open() with its dialect. Once per connection
 * `first` is asked, later `full`; read() makes a report of the rows. In between, `cheap` is answered
 * from the last report, if nothing of what it shows has changed since, and no blue/green switchover is
 * under way.
 */
#ifndef HOMING_AGENT_PROBE_POSTGRESQL_SESSION_H
#define HOMING_AGENT_PROBE_POSTGRESQL_SESSION_H

#include "agent/probe/engine.h"
#include "agent/probe/postgresql/advice.h"
#include "agent/probe/postgresql/client.h"
#include "agent/probe/postgresql/deployments.h"

/* What read() makes of an answer. */
struct postgres_seen {
    struct report report; /* the last answer's: what was not asked for stays */
    const char *note;     /* NULL, or a remark for status */
    bool in_recovery;     /* what the answer to `cheap` is compared with */
    bool unready;         /* it says one thing and the other: `cheap` is not enough */
    const char *wrong;    /* if read() refuses it: why; NULL: it is no answer of such a server */
    struct topology *topology; /* while read() is called: for what it tells of others */
};

struct postgres_dialect {
    const char *full, *first;
    /* As `first`, without what the role may not have. `spares` says whether that is what an error of
     * this SQLSTATE is about. NULL: there is no such thing. */
    const char *lesser;
    bool (*spares)(const char *sqlstate);
    /* The remark then; if a GRANT mends that, it ends with it. May return `ret`. */
    const char *(*lesser_note)(const char *database, const char *role,
                               char ret[POSTGRES_NOTE_SIZE]);
    /* A row of one truth: pg_is_in_recovery(). NULL: it is enough that no parameter has changed which
     * the server reports by itself. */
    const char *cheap;
    /* Pure. False: the session is over, and nothing but `wrong` was set. */
    bool (*read)(const struct postgres_rows *rows, struct postgres_seen *seen);
    /* What mends an error with this SQLSTATE, or what is wrong then; NULL, or a function that says NULL:
     * the server's own words are told. */
    const char *(*mend)(const char *sqlstate);
    /* Asked once, if the role is denied something: whether it has each of `grants`, and whether it may ask for the identity;
     * and what these are, as a GRANT names them. NULL is last. So nobody is told to grant what is granted: then
     * something within a function is denied. NULL: there is nothing to ask. */
    const char *rights;
    const char *const *grants;
    /* How it is asked, after a full question, about a blue/green deployment (W4a). NULL: it is not, or
     * read() sees that. */
    const struct postgres_deployments_of *deployments;
    const char *stranger; /* told of an answer that no such server makes */
};

/* For struct engine. */
struct engine_session *postgres_session_open(const struct postgres_dialect *dialect,
                                             struct loop *loop, const struct conf_cluster *cluster,
                                             const struct conf_member *member,
                                             const struct address *address, bool strange,
                                             const struct engine_sink *sink);
void postgres_session_adopt(struct engine_session *session, const struct engine_sink *sink);
void postgres_session_ask(struct engine_session *session, enum question question);
void postgres_session_close(struct engine_session *session);
int postgres_session_descriptor(const struct engine_session *session);
void postgres_session_look(const struct engine_session *session, struct engine_look *ret_look);

/* An engine of the family: engine_NAME and the open() of its own. */
#define POSTGRES_ENGINE(name, its_dialect)                                                         \
    static struct engine_session *name##_open(                                                     \
        struct loop *loop, const struct conf_cluster *cluster, const struct conf_member *member,   \
        const struct address *address, bool strange, const struct engine_sink *sink)               \
    {                                                                                              \
        return postgres_session_open(&(its_dialect), loop, cluster, member, address, strange,      \
                                     sink);                                                        \
    }                                                                                              \
    const struct engine engine_##name = {                                                          \
        .kind = &engine_kind_##name,                                                               \
        .prepare = postgres_client_prepare,                                                        \
        .open = name##_open,                                                                       \
        .adopt = postgres_session_adopt,                                                           \
        .ask = postgres_session_ask,                                                               \
        .close = postgres_session_close,                                                           \
        .descriptor = postgres_session_descriptor,                                                 \
        .look = postgres_session_look,                                                             \
    }

#endif
