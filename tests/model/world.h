/* SPDX-License-Identifier: Apache-2.0
 *
 * world.h - the small worlds in which the model tests walk: a real struct cluster, what a witness
 * remembers of its history, and the events that can happen next.
 *
 * One pass: world_start(), then world_step() with one event of world_steps() after the other; after
 * each the rules of rules.h are checked. world_pack() makes a state small and independent of the
 * date, so that a walk can tell whether it has been there; world_unpack() goes back to it.
 */
#ifndef HOMING_MODEL_WORLD_H
#define HOMING_MODEL_WORLD_H

#include "../../agent/decide/cluster.h"

/* All times of a world are multiples of a beat, so that few differ: patience is two beats. */
#define BEAT_MS      75
#define TIMEOUT_MS   (4 * BEAT_MS)
#define MAX_STALE_MS (6 * BEAT_MS)
#define START_MS     10000000
#define MODEL_MAX    3
#define PACKED_BYTES 160

/* What can be varied; the rest is one value. */
struct domain {
    const char *name;
    uint32_t members;
    uint32_t terms;       /* 1..terms */
    uint32_t identities;  /* 1..identities */
    uint32_t positions;   /* 1..positions */
    uint32_t no_failover; /* mask */
    bool aliases;         /* the last member may be the first one's server */
    bool old_questions;   /* answers to a question sent two beats ago */
    bool operators;       /* accept, freeze, unfreeze */
    bool restarts;
    bool reloads;
    uint32_t max_switches;
};

enum step_kind {
    STEP_REPORT,
    STEP_BEAT,  /* time passes, the agent is called when it asked for it */
    STEP_STALL, /* four beats pass, the agent sleeps through them */
    STEP_QUIET, /* ten minutes pass */
    STEP_ACCEPT,
    STEP_FREEZE,
    STEP_UNFREEZE,
    STEP_RESTART, /* killed; the next one knows what was persisted */
    STEP_ROTATE,  /* a reload that renumbers all members */
    STEP_REPLACE, /* a reload in which another member takes the place of the first */
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
    bool short_of; /* its claim was once behind what had been seen on its term */
    struct report said;
    uint64_t said_ms;
};

struct witness {
    struct witness_member at[MODEL_MAX];
    uint64_t asked_ms;      /* the agent asked the writer once more: start of the contest */
    uint64_t reaffirmed_ms; /* the writer's last answer to a question sent after that */
    uint64_t evidence_ms;   /* W9: the last thing that can be called a confirmation */
    uint64_t seen_position; /* of the published writer on the published term */
    uint32_t switches;      /* W10: since ten quiet minutes */
    uint64_t switched_ms;
    uint32_t alarms;
    bool alarmed_twice;
};

struct world {
    struct cluster c;
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
};

struct packed {
    uint8_t bytes[PACKED_BYTES];
};

#define STEPS_MAX 256

void world_start(struct world *w, const struct domain *d);

/* All steps of this domain, the same for each state. */
uint32_t world_steps(const struct domain *d, struct step *ret_steps);

/* Does it, checking the rules after each event. NULL, or the name of the rule that broke. */
const char *world_step(struct world *w, const struct domain *d, const struct step *step);

void world_pack(const struct world *w, const struct domain *d, struct packed *ret_packed);
void world_unpack(const struct packed *packed, const struct domain *d, struct world *ret_world);

void step_print(const struct step *step);
void world_print(const struct world *w);

#endif
