/* SPDX-License-Identifier: Apache-2.0
 *
 * probe.h - asks the members of one cluster, in time, and hands on what they say.
 *
 * One pass: resolve.c (c-ares) keeps each member's addresses; probe.c keeps one session per member,
 * asks it at the pace that decide chose, and calls report() with every answer, lateness and
 * failure. It decides nothing. After errors it backs off, with jitter, up to 10 s. A member that
 * denied us is left alone. Each question is bounded by `timeout`, each connect by up to eight times
 * that.
 */
#ifndef HOMING_AGENT_PROBE_PROBE_H
#define HOMING_AGENT_PROBE_PROBE_H

#include "agent/decide/pace.h"
#include "agent/probe/engine.h"
#include "agent/probe/resolve.h"

struct probe;

/* What is known of one member. All of it lives until the sink call returns. */
struct probe_member {
    const struct addresses *where;
    const char *error; /* the last one in the server's own words; "" if all is well */
    const char *note;  /* "" or the engine's remark */
    uint64_t retry_ms; /* when it is tried again; 0: it is connected or denied */
};

struct probe_sink {
    /* What is known of the member changed. If `report` or `addresses` is to tell why, that call
     * comes next. This one keeps what it is given, and calls nothing of the probe. */
    void (*member)(void *arg, uint32_t member, const struct probe_member *known);
    void (*report)(void *arg, const struct report *report);
    /* The addresses of a member, or the one its session is connected to, changed. */
    void (*addresses)(void *arg, uint32_t member);
    void *arg;
};

/* `cluster` must live as long as the probe. Starts at once, at PACE_FAST. NULL: out of memory. From
 * inside a sink call all functions but probe_free() may be called. */
struct probe *probe_new(struct loop *loop, struct resolver *resolver, const struct engine *engine,
                        const struct conf_cluster *cluster, const struct probe_sink *sink);
void probe_free(struct probe *probe);

/* For a reload: a member that both probes have begins with the addresses that the old one knows, so
 * that they do not vanish from the view while DNS is asked. Calls sink.member for it. */
void probe_inherit(struct probe *probe, const struct probe *old);

void probe_set_pace(struct probe *probe, enum pace pace);

/* Asks these members (a mask) now, with the full question. A member that still has a question is
 * asked when it has answered that. A member without a connection is tried as soon as a fast pace
 * would try it. */
void probe_ask(struct probe *probe, uint32_t members);

#endif
