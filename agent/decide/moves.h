/* SPDX-License-Identifier: Apache-2.0
 *
 * moves.h - W11: whether what is said at another address is the member's own word.
 *
 * Used by decision.c, which lets a member move before writer.c judges what members say, and by
 * writer.c, which makes visible what is claimed at a place and is nobody's.
 */
#ifndef HOMING_AGENT_DECIDE_MOVES_H
#define HOMING_AGENT_DECIDE_MOVES_H

#include "agent/decide/verdict.h"

/* What the server at a place is to its member. */
enum move {
    MOVE_NOTHING, /* it says nothing that matters: it does not speak, it is another member, ... */
    MOVE_GOOD,    /* it is the member's: the member moves there */
    MOVE_WAITS,   /* it may be, but not all is known yet */
    MOVE_STALE,   /* it claims on what has been left behind (W6): no rival, but a second writer */
    MOVE_RIVAL,   /* it claims, and is not the member's by itself */
    MOVE_COUNT
};

/* Judges the server at a place. *ret_reason is set for MOVE_RIVAL: why it is not the member's. */
enum move moves_judge(const struct writer_input *in, uint32_t place, enum reason *ret_reason);

/* The first place to which a member moves now; MEMBER_NONE: none. */
uint32_t moves_find(const struct writer_input *in);

/* What is claimed at places and is not the members'. */
struct moves_claims {
    uint32_t rival;     /* the first place that is MOVE_RIVAL; MEMBER_NONE: none */
    enum reason reason; /* of `rival` */
    uint32_t stale;     /* mask of the places that are MOVE_STALE */
    bool unsettling;    /* W9: as in struct claims */
};

void moves_collect(const struct writer_input *in, struct moves_claims *ret_claims);

/* When a claim that waits has waited for long enough: then it is a rival. */
uint64_t moves_deadline_ms(const struct decision_conf *conf, const struct topo_place *place);

#endif
