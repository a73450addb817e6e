/* SPDX-License-Identifier: Apache-2.0
 *
 * decision.h - the decision about one cluster: an event goes in, actions come out.
 *
 * One pass: daemon/cluster.c hands over a report, a tick or an operator's order, with the time.
 * decision_handle() notes it, lets writer_decide() judge, and says what is to be done: persist and
 * publish a changed verdict, ask members at once, change the pace, raise or clear alarms, call
 * again at wake_ms. The storage is the caller's. Nothing is allocated and no clock is read, so that
 * the model tests can walk all states.
 */
#ifndef HOMING_AGENT_DECIDE_DECISION_H
#define HOMING_AGENT_DECIDE_DECISION_H

#include "agent/decide/brake.h"
#include "agent/decide/pace.h"
#include "agent/decide/topo.h"
#include "agent/decide/writer.h"

enum alarm {
    ALARM_AMBIGUOUS, /* I4: names the rival and the command that resolves it */
    ALARM_NO_WRITER,
    ALARM_STALE,
    ALARM_BRAKED,        /* W10 */
    ALARM_DENIED,        /* a member refuses our credentials */
    ALARM_SECOND_WRITER, /* W6: a member still claims, on an older term */
    ALARM_SWITCHOVER,    /* W4a: one is in progress for too long */
    ALARM_DEPLOYMENT,    /* W4a: the writer tells of one in words that are not known */
    ALARM_COUNT
};

enum event_kind {
    EVENT_TICK, /* wake_ms has come */
    EVENT_REPORT,
    EVENT_ACCEPT, /* W4: the operator names `member` */
    EVENT_FREEZE,
    EVENT_UNFREEZE, /* ends frozen, and the brake of W10 */
    EVENT_KIND_COUNT
};

struct event {
    enum event_kind kind;
    uint32_t member;      /* EVENT_ACCEPT; or a place's PLACE_VOICE() */
    struct report report; /* EVENT_REPORT */
};

/* What an event brought about. */
struct actions {
    bool publish;     /* the verdict changed: persist it, then publish it (W2) */
    bool persist;     /* write it to disk: with `publish`, and now and then, so that the next agent
                       * finds a time of confirmation that is not too old */
    bool confirmed;   /* confirmed_ms grew: refresh the view */
    enum pace pace;   /* from now on */
    uint32_t ask;     /* mask: ask these at once, with the full question */
    uint64_t wake_ms; /* call with EVENT_TICK then, at the latest; 0: no need */
    uint32_t raised;  /* mask of alarms (1 << enum alarm) that are new */
    uint32_t cleared; /* mask of alarms that have ended */
    uint32_t moved;   /* W11: this member moved to the place `moved_place`, which is free now. Its
                       * addresses have to follow before anything is published. MEMBER_NONE: none */
    uint32_t moved_place;
    uint64_t left_incarnation; /* what was at the address that it left */
    bool left_behind;          /* W4a: a switchover had left the member behind */
};

/* Why an operator's order (EVENT_ACCEPT and the like) was refused. */
enum refusal {
    REFUSAL_NONE,
    REFUSAL_NO_SUCH_MEMBER,
    REFUSAL_NOT_CLAIMING,    /* accept adopts a present claim only (W1) */
    REFUSAL_NOT_FROZEN,      /* unfreeze: neither frozen nor braked */
    REFUSAL_NO_WRITER_KNOWN, /* freeze: there is no writer to pin */
    REFUSAL_COUNT
};

/* Storage is the caller's. agent/daemon and agent/admin read conf, verdict, topo, alarms and
 * first_round_done. All other fields are private to agent/decide. */
struct decision {
    struct decision_conf conf;
    struct verdict verdict;
    struct topo topo;        /* what each member last said */
    struct brake brake;      /* W10 */
    uint64_t now_ms;         /* the latest time seen: time never goes back here (W2) */
    uint64_t asked_again_ms; /* W3: when the incumbent was asked once more; 0: it was not */
    uint64_t reaffirmed_ms;  /* W3: when it last answered a question sent after that; 0: not yet */
    uint64_t last_call_ms;   /* W3: when its time was first seen to be over; 0: not yet. The
                              * endpoint moves one turn of the loop later. If the agent stood still,
                              * an answer that waited meanwhile is then heard first */
    uint64_t fast_until_ms;
    uint64_t persisted_ms;
    uint64_t wake_ms;
    enum pace pace;
    uint32_t alarms;       /* mask of raised ones */
    bool first_round_done; /* every member answered or timed out once (W3a) */
};

/* Starts with nothing known (`saved` is NULL), or with a verdict from disk, which is copied. Its
 * masks and its writer refer to the members of `conf`. Its confirmed_ms is 0 unless it is of this
 * boot. If it was confirmed within max_stale, it is published at once as suspect. If not, it is
 * held (W2), but stale. */
void decision_init(struct decision *c, const struct decision_conf *conf,
                   const struct verdict *saved, uint64_t now_ms, struct actions *ret_actions);

/* A reload: new members and times; map[i] is the new index of old member i, or MEMBER_NONE. */
void decision_reconfigure(struct decision *c, const struct decision_conf *conf, const uint32_t *map,
                          uint64_t now_ms, struct actions *ret_actions);

/* The one way in. A report is never refused. An operator's order may be refused; then it changes
 * nothing. */
enum refusal decision_handle(struct decision *c, const struct event *event, uint64_t now_ms,
                             struct actions *ret_actions);

/* W11: what the probe knows of a place. If something may follow from it, EVENT_TICK has to come
 * next. */
void decision_set_place(struct decision *c, uint32_t place, const struct topo_place *set);
/* W11: before the agent's start, the member showed this incarnation. */
void decision_note_known(struct decision *c, uint32_t member, uint64_t incarnation);
/* W11: a left address, from before the agent's start, showed this incarnation. */
void decision_note_shown(struct decision *c, uint64_t incarnation);

/* Another agent of this node saved that the writer is pinned, or that it is not. */
void decision_take_frozen(struct decision *c, bool frozen);

const char *alarm_name(enum alarm alarm);
const char *refusal_name(enum refusal refusal);

#endif
