/* SPDX-License-Identifier: Apache-2.0
 *
 * session.h - a session with a server of MySQL's family, over the client of agent/probe/mysql: one for
 * all engines of the family.
 *
 * An engine says with a const struct mysql_dialect what is asked and what the answers mean, and opens its
 * sessions with mysql_session_open(); the rest of its struct engine is the functions below.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_MYSQL_FAMILY_SESSION_H
#define HOMING_AGENT_PROBE_ENGINES_MYSQL_FAMILY_SESSION_H

#include "agent/probe/engine.h"
#include "agent/probe/engines/mysql/family/values.h"
#include "agent/probe/mysql/login.h"

/* `seen` is what the engine keeps of the answers in a session: `seen_size` bytes, all zero at first. None of
 * these has an effect but on it. */
struct mysql_dialect {
    size_t seen_size;
    /* What the configuration says. NULL: nothing of it matters. */
    void (*begin)(void *seen, const struct conf_cluster *cluster);
    /* Logged in. Returns NULL, or what this server is and why it is not asked. */
    const char *(*greet)(void *seen, const struct mysql_server *server);
    /* The step with which this question begins. */
    int (*first)(const void *seen, enum question question);
    const char *(*question)(const void *seen, int step);
    /* Takes in the answer of a step; returns the next one, MYSQL_STEP_DONE or MYSQL_STEP_FAILED, with which
     * alone the failure is set. */
    int (*take)(void *seen, int step, const struct mysql_answer *answer,
                struct mysql_report_failure *ret_failure);
    /* After MYSQL_STEP_DONE; `authenticated` is left as it is. Returns NULL, or a remark for status. */
    const char *(*report)(const void *seen, struct report *report);
    /* What it said of others since its last question began; NULL: nothing. NULL itself: its kind tells of nobody. */
    const struct topology *(*topology)(const void *seen);
};

/* As struct engine has them. */
struct engine_session *mysql_session_open(const struct mysql_dialect *dialect, struct loop *loop,
                                          const struct conf_cluster *cluster,
                                          const struct conf_member *member,
                                          const struct address *address, bool strange,
                                          const struct engine_sink *sink);
void mysql_session_adopt(struct engine_session *s, const struct engine_sink *sink);
void mysql_session_ask(struct engine_session *s, enum question question);
void mysql_session_close(struct engine_session *s);
int mysql_session_descriptor(const struct engine_session *s);
void mysql_session_look(const struct engine_session *s, struct engine_look *ret_look);

/* An engine of the family: engine_NAME and the open() of its own. */
#define MYSQL_ENGINE(name, its_dialect)                                                            \
    static struct engine_session *name##_open(                                                     \
        struct loop *loop, const struct conf_cluster *cluster, const struct conf_member *member,   \
        const struct address *address, bool strange, const struct engine_sink *sink)               \
    {                                                                                              \
        return mysql_session_open(&(its_dialect), loop, cluster, member, address, strange, sink);  \
    }                                                                                              \
    const struct engine engine_##name = {                                                          \
        .kind = &engine_kind_##name,                                                               \
        .open = name##_open,                                                                       \
        .adopt = mysql_session_adopt,                                                              \
        .ask = mysql_session_ask,                                                                  \
        .close = mysql_session_close,                                                              \
        .descriptor = mysql_session_descriptor,                                                    \
        .look = mysql_session_look,                                                                \
    }

#endif
