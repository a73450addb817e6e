/* SPDX-License-Identifier: Apache-2.0
 *
 * engine.h - how to ask the members of one kind of database which of them is the writer.
 *
 * One pass: probe.c has an address for a member and calls open(). The engine connects without
 * blocking, and calls the sink's ready(). After that, each ask() brings exactly one call of
 * answer(), in order, or one of failed(); then probe.c closes the session. probe.c owns schedule,
 * time-outs and back-off; the engine owns the wire.
 *
 * An engine is this const struct of functions in <engine>.c (I/O), one <engine>_kind.c (what it is:
 * conf/engine_kind.h), one <engine>_reports.c (pure: rows in, report out), and a row of engines.c. Engines
 * of one family share their client.
 */
#ifndef HOMING_AGENT_PROBE_ENGINE_H
#define HOMING_AGENT_PROBE_ENGINE_H

#include "agent/base/address.h"
#include "agent/base/loop.h"
#include "agent/conf/conf.h"
#include "agent/decide/report.h"
#include "agent/probe/topology.h"

enum question {
    QUESTION_CHEAP, /* is your role still what you said? */
    QUESTION_FULL,  /* role, term, identity, position */
    QUESTION_COUNT
};

/* What makes a failure better or worse, for the back-off. */
enum engine_hint {
    HINT_NONE,
    HINT_STARTING, /* it is there and will be ready soon: keep asking */
    HINT_CROWDED,  /* it has no room: asking again makes it worse */
    HINT_COUNT
};

/* Bytes of a failure's text or a note, with its final NUL; longer ones are cut. */
#define ENGINE_TEXT_MAX 200

struct engine_session;

/* How far a session has come, or had come when it failed. */
enum engine_stage {
    ENGINE_STAGE_BEFORE,     /* nothing was sent: the settings or this machine are in the way */
    ENGINE_STAGE_CONNECTING, /* no TCP connection */
    ENGINE_STAGE_TLS,        /* TCP stands, and TLS was asked for */
    ENGINE_STAGE_LOGIN,      /* TCP stands; as the engine can tell, TLS does where it is wanted */
    ENGINE_STAGE_SESSION,    /* logged in */
    ENGINE_STAGE_COUNT
};

/* What a session shows of itself. */
struct engine_look {
    enum engine_stage stage;
    bool encrypted;      /* when ready: TLS is in use */
    const char *version; /* "": not known. As the server sent it: not fit for a terminal */
};

/* Where a session's answers go. `text` is the server's own words, or the library's, one line. */
struct engine_sink {
    /* Connected and authenticated; asks may follow. */
    void (*ready)(void *arg);
    /* report: role, authenticated, identity, incarnation, term, position are set; the rest is
     * probe's. note: NULL, or a remark for status ("the role's own settings make it read-only"). */
    void (*answer)(void *arg, const struct report *report, const char *note);
    /* Of an engine whose kind tells of other servers: what this one says of them now. It comes before
     * the answer() to a full question, which says whether it counts. Without any row it is a failure
     * of the question, and no empty cluster. It lives until the call returns. */
    void (*topology)(void *arg, const struct topology *topology);
    /* The session is over; kind is REFUSED, DENIED, ODD or BROKEN. */
    void (*failed)(void *arg, enum report_kind kind, enum engine_hint hint, const char *text);
    void *arg;
};

struct engine {
    const struct engine_kind *kind;
    /* Called once, at the start of the process, before another is started: takes away what would
     * override the configuration, as environment variables do. NULL: there is no such thing. */
    void (*prepare)(void);
    /* Begins to connect to `address` of `member`. `strange`: nobody knows who is there (W11): no
     * password goes there in clear, unless the server proves its name first. The sink is called
     * only from the loop, never from inside open(), ask() or close(). NULL: out of memory. */
    struct engine_session *(*open)(struct loop *loop, const struct conf_cluster *cluster,
                                   const struct conf_member *member, const struct address *address,
                                   bool strange, const struct engine_sink *sink);
    /* From now on the session's calls go to this sink: another object asks the same member, of the same
     * configuration. NULL: the engine cannot do that, and the member is connected to anew. */
    void (*adopt)(struct engine_session *session, const struct engine_sink *sink);
    /* Only when ready, and one question at a time. */
    void (*ask)(struct engine_session *session, enum question question);
    /* Ends the session at once, without waiting for anything. No sink call comes after it. */
    void (*close)(struct engine_session *session);
    /* The descriptor of its one connection, when it is ready. NULL: it cannot be told, and members
     * whose addresses the kernel replaces are not severed (listed.h). */
    int (*descriptor)(const struct engine_session *session);
    /* At any time until close(), and inside of a sink's call. The version lives as long as the session.
     * NULL: nothing is shown. */
    void (*look)(const struct engine_session *session, struct engine_look *ret_look);
};

/* The engine of this kind in a list that ends with NULL; NULL: it is not in it. */
const struct engine *engine_find(const struct engine *const *list, const struct engine_kind *kind);

#endif
