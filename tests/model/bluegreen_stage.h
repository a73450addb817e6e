/* SPDX-License-Identifier: Apache-2.0
 *
 * bluegreen_stage.h - two blue servers, a green one, and a new one that B's name comes to mean, around a real
 * struct decision (W4a). After each step those who are up say the same again until nothing is contested, so
 * that time is not part of a state. A bystander judges each step; what broke is in stage.broken.
 */
#ifndef HOMING_TESTS_MODEL_BLUEGREEN_STAGE_H
#define HOMING_TESTS_MODEL_BLUEGREEN_STAGE_H

#include "agent/decide/decision.h"

enum {
    A, /* blue */
    B,
    C, /* green */
    MEMBERS,
    ELSEWHERE = PLACE_VOICE(0),               /* to which B's name leads */
    LEFT = PLACE_VOICE(PLACE_CANDIDATES_MAX), /* from which B moved */
    OLD = 100 + B,                            /* incarnations */
    NEW = 200
};

/* What a member is, and says. */
struct situation {
    bool up, writer;
    enum phase phase;
    bool names_b;         /* its rows have B as a server of its own cluster */
    uint32_t incarnation; /* 0: as its number says */
};

/* What DNS says of B's name. */
enum leads {
    LEADS_HOME,
    LEADS_ELSEWHERE,
    LEADS_AWAY /* and has not named the address at which B is known for a minute */
};

struct bystander {
    enum phase phase; /* the writer's last word, that of a switchover that it began */
    bool green;       /* it has named C */
    uint32_t left;    /* mask of those that were left behind */
    bool renamed;     /* the writer's last rows have B, which is one of them */
};

enum kind {
    KIND_SAYS,
    KIND_DIES,
    KIND_RESTART,
    KIND_ACCEPT,
    KIND_LEADS
};

struct step {
    enum kind kind;
    uint32_t member; /* or a place, or enum leads */
    struct situation says;
};

/* Who is there, and what DNS says. */
struct scene {
    struct situation is[MEMBERS], elsewhere, left;
    enum leads leads;
    bool moved; /* B is at the new address */
};

struct state {
    struct scene scene;
    struct bystander by;
    struct verdict verdict;
    struct topo_member at[MEMBERS], elsewhere, left;
    uint64_t shown[TOPO_SHOWN_MAX];
    uint32_t shown_next;
};

struct stage {
    struct decision c;
    struct bystander by;
    struct scene scene;
    uint64_t now_ms, moves, renamed;
    const char *broken; /* the first rule that broke */
};

extern struct stage stage;

void take_step(const struct step *step);
/* The member does not answer. */
void silence(uint32_t voice);

/* Where a step had ended, and back to there. */
void leave(struct state *ret);
void enter(const struct state *s);

#endif
