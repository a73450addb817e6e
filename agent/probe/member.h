/* SPDX-License-Identifier: Apache-2.0
 *
 * member.h - one server that is asked, in time: connected, asked, waited for, backed off from.
 *
 * Inside of agent/probe only. One pass: probe.c's timer calls member_turn() for what is due; what
 * the engine says comes by its sink, and goes on as a report.
 */
#ifndef HOMING_AGENT_PROBE_MEMBER_H
#define HOMING_AGENT_PROBE_MEMBER_H

#include "agent/decide/pace.h"
#include "agent/probe/backoff.h"
#include "agent/probe/engine.h"
#include "agent/probe/other_family.h"
#include "agent/probe/resolve.h"
#include "agent/probe/sink.h"

enum member_state {
    MEMBER_UNRESOLVED, /* no address yet: resolve.c looks for one */
    MEMBER_WAITING,    /* connects at due_ms */
    MEMBER_CONNECTING, /* gives up at due_ms; silence is reported at late_ms */
    MEMBER_IDLE,       /* asks at due_ms */
    MEMBER_ASKED,      /* gives up at due_ms, is late at late_ms */
    MEMBER_DENIED,     /* until a reload */
};

/* W11: who comes back to a left address later than this was repaired, or is another one. */
#define LEFT_FOR_MS (UINT64_C(24) * 60 * 60 * 1000)

/* A server that is asked: a member, or a place (W11). */

struct member {
    struct probe *probe;
    const struct conf_member *conf;
    uint32_t index;       /* a place: of the member whose name names it, or named it */
    enum place_kind kind; /* PLACE_FREE: a member */
    uint32_t place;       /* if it is one */
    enum member_state state;
    struct resolve_host *host;
    struct other_family other; /* of a member */
    struct addresses where;
    uint32_t askable;        /* those before the other family's */
    struct addresses others; /* the other family's when it fell ill */
    uint32_t next;           /* address of the next attempt */
    uint32_t tried;          /* addresses that failed in this round */
    struct address using;    /* of the attempt or session */
    uint64_t gone_ms;        /* since when DNS does not name `connected`; 0: it does */
    bool ill;                /* it did not answer when it should have, and has not answered since */
    struct address_set named; /* what DNS named last, with the port; of a member */
    uint64_t named_ms;        /* when; of a candidate: when DNS named it first */
    bool named_twice;         /* a candidate, RESOLVE_AGAIN_MS later */
    bool abandoned;           /* a candidate: the member's own address is not named for long */
    uint64_t left_ms;         /* when the member left it */
    bool unnamed;             /* a left address: DNS has ceased to name it */
    struct member *next_dead; /* a place that is free, and has to outlive the call of its sink */
    struct engine_session *session;
    uint64_t due_ms;
    uint64_t late_ms;  /* 0: it has been reported */
    uint32_t patience; /* rounds of attempts that ended in silence, up to PATIENCE_MAX */
    bool graced;       /* it was given GRACE_MS for a stall of this process */
    uint64_t asked_ms; /* when the last question was sent, or the last connect begun */
    uint64_t ready_ms; /* when the session stood */
    uint64_t full_ms;  /* when the last answered full question was sent; 0: none */
    bool full;         /* the question outstanding is a full one */
    bool want_full;
    bool slowly; /* the last failure was odd, or for lack of room */
    struct backoff backoff;
    char text[ENGINE_TEXT_MAX];
    char note[ENGINE_TEXT_MAX];
};

struct probe {
    struct loop *loop;
    const struct conf_cluster *cluster;
    const struct engine *engine;
    struct probe_sink sink;
    void (*noted)(struct member *m, uint64_t now); /* a member fell ill, or answers again */
    struct loop_timer *timer;
    enum pace pace;
    uint64_t fast_since_ms;
    uint32_t phase;
    struct member *places[PLACES_MAX]; /* NULL: free */
    struct member *dead;
    uint32_t member_count;
    struct member members[];
};

/* The earliest thing that is due in the cluster becomes the timer's. */
void member_schedule(struct probe *p);
uint64_t member_due(const struct member *m);
/* What is due for one member. */
void member_turn(struct member *m, uint64_t now);
/* It is to be asked, or tried, as soon as may be. */
void member_wanted(struct member *m, uint64_t now);
/* Tries it now, from its first address on. */
void member_begin(struct member *m, uint64_t now);
void member_close(struct member *m);
/* Takes over the session of `old`, which is the same member, if it stands and all is well with it. */
void member_adopt(struct member *m, struct member *old);

/* For the sink. A place has no news of its own. */
void member_tell(const struct member *m);
void member_report(struct member *m, enum report_kind kind, const struct report *facts);
void member_addresses(struct member *m);

/* It stays where it was heard (W11). A seed is wherever its name leads now. */
static inline bool member_is_known(const struct member *m)
{
    return !m->conf->roams && m->where.connected.inet.family != 0;
}

#endif
