/* SPDX-License-Identifier: Apache-2.0
 *
 * world.h - the small worlds in which the model tests walk: a real struct decision, what a witness
 * remembers of its history, and the events that can happen next.
 *
 * One pass: world_start(), then world_step() with one event of world_steps() after the other; after
 * each the rules of rules.h are checked. merge.h and pack.h make a state small and independent of
 * the date, so that a walk can tell whether it has been there.
 */
#ifndef HOMING_TESTS_MODEL_WORLD_H
#define HOMING_TESTS_MODEL_WORLD_H

#include "agent/decide/decision.h"

#define START_MS       10000000
#define MODEL_MAX      3
#define QUIET_MS       BRAKE_WINDOW_MS
#define OLD_ANSWER_MS  150 /* how long ago the question of an old answer was sent */
#define SWITCHES_LIMIT (BRAKE_SWITCHES_MAX + 1)

/* W11: member 0 may have one candidate and one left address; where addresses are exchanged, so may
 * member 1. */
#define MODEL_MOVERS      2
#define MODEL_PLACES      (2 * MODEL_MOVERS)
#define CANDIDATE(member) PLACE_VOICE(member)
#define LEFT(member)      PLACE_VOICE(PLACE_CANDIDATES_MAX + (member))
#define MOVED_TO          200 /* an incarnation that a place shows first; MOVED_TO + 1: likewise */

/* All times of a world are multiples of a beat, so that few differ. Their order is production's:
 * patience (150 ms), patience after an answer, timeout, patience with one unheard, max_stale. */
#define BEATS_COARSE .beat_ms = 150, .timeout_ms = 300, .max_stale_ms = 600
#define BEATS_MIDDLE .beat_ms = 150, .timeout_ms = 450, .max_stale_ms = 750
#define BEATS_FINE   .beat_ms = 75, .timeout_ms = 300, .max_stale_ms = 525

/* Terms told apart by order: below, at and above each of the members' and the held one. */
#define TERM_RANKS(members) (2 * ((members) + 1) + 1)

/* What can be varied; the rest is one value. */
struct domain {
    const char *name;
    uint32_t members;
    uint32_t beat_ms, timeout_ms, max_stale_ms;
    uint32_t terms;       /* 1..terms; 0: any, told apart by their order only */
    uint32_t identities;  /* 1..identities */
    uint32_t positions;   /* 1..positions */
    uint32_t no_failover; /* mask */
    bool aliases;         /* the last member may be the first one's server */
    bool readers;         /* who serves reader endpoints */
    bool paces;           /* the fast pace ends */
    bool old_questions;   /* answers to a question sent before the incumbent was asked again */
    bool operators;       /* accept, freeze, unfreeze */
    bool restarts;
    bool reloads;
    bool moves;  /* W11 */
    bool swaps;  /* W11: names of two members lead to each other's servers; with `moves` */
    bool fenced; /* W3a: the servers share one volume */
    uint32_t max_switches;
};

enum step_kind {
    STEP_REPORT,
    STEP_BEAT,    /* time passes, the agent is called when it asked for it */
    STEP_STALL,   /* timeout passes, the agent sleeps through it */
    STEP_TICK,    /* the agent is called, though nothing happened */
    STEP_QUIET,   /* ten minutes pass in silence */
    STEP_MINUTES, /* five minutes pass in which everybody goes on saying what he said */
    STEP_PERSIST, /* the verdict is written to disk: its schedule there is not part of a state */
    STEP_ACCEPT,
    STEP_FREEZE,
    STEP_UNFREEZE,
    STEP_RESTART, /* killed; the next one knows what was persisted */
    STEP_ROTATE,  /* a reload that renumbers all members */
    STEP_REPLACE, /* a reload in which another member takes the place of the first */
    STEP_NAMED,   /* DNS names another address of the member */
    STEP_NAMED_TWICE,
    STEP_UNNAMED, /* it names only the old one */
    STEP_FORGET,  /* the left address is forgotten */
    STEP_KIND_COUNT
};

struct step {
    enum step_kind kind;
    uint32_t member;
    struct report report;
    uint32_t asked_ago_ms;
};

/* What a bystander who heard everything that members said would remember, written without a look
 * at how the agent remembers it. Times are absolute; 0: never. */
struct witness_member {
    bool heard;     /* something definite since the agent's start */
    bool connected; /* its last answer's connection stands */
    bool late;
    bool short_of;   /* its claim was once behind what had been seen on its term */
    bool unyielding; /* W3a: nor was it a reader or started again since then */
    bool outdated;   /* W3a: a fenced one took over from it since it spoke */
    bool gone;       /* W11: broken, or two questions in a row were not answered */
    bool unanswered;
    struct report said;
    uint64_t said_ms;
};

struct witness_place {
    struct witness_member is;
    bool there, named;
    uint64_t claims_since_ms;
};

struct witness {
    struct witness_member at[MODEL_MAX];
    struct witness_place places[MODEL_PLACES]; /* in the order of moved_places */
    uint32_t left;          /* mask of incarnations that were left: witness_bit() */
    uint64_t asked_ms;      /* the agent asked the writer once more: start of the contest */
    uint64_t reaffirmed_ms; /* the writer's last answer to a question sent after that */
    uint64_t evidence_ms;   /* W9: the last thing that can be called a confirmation */
    uint64_t seen_position; /* of the published writer on the published term */
    uint64_t switched_ms[SWITCHES_LIMIT]; /* W10: the last switches, newest first */
    uint64_t unquiet_ms;                  /* the newest, or a restart that found the brake on */
    bool braked;
    uint32_t alarms;
    bool alarmed_twice;
};

struct world {
    struct decision c;
    struct verdict disk; /* what was persisted last */
    struct witness w;
    uint64_t now_ms;
};

/* What a step did, for the rules. */
struct outcome {
    struct verdict before;
    struct actions actions;
    enum refusal refusal;
    uint64_t asked_ms, reaffirmed_ms; /* of the witness, before it learned what was decided */
    uint64_t seen_position;
};

#define STEPS_MAX 384

void world_start(struct world *w, const struct domain *d);

/* Copies what can differ between two worlds of one domain: a third of the whole, or a walk would do
 * little but copy. The rest of `to` is only looked at by world_step(). */
void world_copy(const struct world *from, struct world *to);

/* All steps of this domain, the same for each state. */
uint32_t world_steps(const struct domain *d, struct step *ret_steps);

/* Does it, checking the rules after each event. NULL, or the name of the rule that broke. */
const char *world_step(struct world *w, const struct domain *d, const struct step *step);

void step_print(const struct step *step);
void world_print(const struct world *w);

#endif
