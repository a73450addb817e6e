/* SPDX-License-Identifier: Apache-2.0
 *
 * small.h - a small cluster of servers without a term (W12), a real struct decision that looks at
 * it, and a bystander who keeps by his own words who is an heir. heirs.c walks through its states.
 *
 * A step is over when nothing is contested any more, so that time is not part of a state.
 */
#ifndef HOMING_TESTS_MODEL_SMALL_H
#define HOMING_TESTS_MODEL_SMALL_H

#include "agent/decide/decision.h"

enum {
    MEMBERS = 3,
    NAMES = 2 * MEMBERS, /* member m is server m, or once it was installed anew, MEMBERS + m */
    STRANGER = NAMES,
    NOBODY,
    ROUND_MS = 60
};

#define SELF(name) (500 + (uint64_t)(name))
#define LONG_MS    31000

struct small {
    const char *title;
    uint32_t members, positions;
    bool anew, others, restarts;
};

/* What a member is now. */
struct situation {
    bool up, writer;
    uint8_t name, follows, position;
};

struct bystander {
    struct situation heard[MEMBERS];
    bool answered[MEMBERS], detached[MEMBERS];
    uint32_t idle_ms[MEMBERS];
    uint32_t heirs; /* mask of names */
    uint8_t name, branch, seen;
    bool lost; /* the writer has less than was seen: what it writes on is another history */
};

enum kind {
    KIND_SAYS,
    KIND_DIES,
    KIND_LONG,
    KIND_RESTART,
    KIND_ACCEPT
};

struct step {
    enum kind kind;
    uint32_t member;
    struct situation says;
};

extern struct small_world {
    const struct small *d;
    struct decision c;
    struct bystander by;
    struct situation is[MEMBERS];
    struct verdict disk;
    uint64_t now_ms, moves;
    const char *broken; /* the rule that was; NULL: none */
} small;

void small_take_step(const struct step *step);
/* After a step: whether what is published fits to what is said. */
void small_check_settled(void);
/* The member does not answer. */
void small_silence(uint32_t member);
uint32_t small_agents_heirs(void);

#endif
