/* SPDX-License-Identifier: Apache-2.0
 *
 * finding.h - what one name has to do with the destination of a connect().
 *
 * Pure: the view's entry of the name, its members, the clock and the turn are parameters. steer.c
 * asks for a finding for each name that the process was given the address for, and redirect.h
 * decides from all of them.
 */
#ifndef HOMING_SHIM_STEER_FINDING_H
#define HOMING_SHIM_STEER_FINDING_H

#include <stdint.h>

#include "proto/view_read.h"

/* From FINDING_WRONG on, the destination is wrong. */
enum finding_kind {
    FINDING_ELSEWHERE, /* nothing: the port is none of its cluster's */
    FINDING_FOREIGN,   /* the name may be meant, and it is not ours to steer: the view does not have
                          it, or its mode is `off` or `names` */
    FINDING_RIGHT,     /* the destination is right, or nothing confirmed says otherwise */
    FINDING_WRONG,     /* another address is right */
    FINDING_NO_WRITER, /* no address is right now */
    FINDING_NO_FAMILY, /* the destination is demoted, and the writer has no address of its family */
    FINDING_KIND_COUNT
};

struct finding {
    enum finding_kind kind;
    struct inet_address right; /* with FINDING_WRONG only */
    uint64_t stamp;            /* the larger it is, the later the name was looked up */
    /* What the view has for the name. Not set with FINDING_ELSEWHERE and FINDING_FOREIGN. */
    enum view_mode mode;
    enum view_role role;
    uint64_t endpoint;
    uint64_t generation;
    uint32_t hold_ms;
    uint32_t keepalive_ms;
};

/* `turn` says which reader of a reader endpoint's is taken. */
struct finding_question {
    const struct inet_address *to;
    uint64_t now_ms;
    uint32_t turn;
};

/* `entry` is what the view has for the name, and `members` are all addresses of its cluster. The
 * stamp is left to the caller. */
void finding_make(const struct finding_question *question, const struct view_entry *entry,
                  const struct view_address *members, uint32_t count, struct finding *ret);

/* For a name that the view does not have. */
void finding_make_foreign(uint64_t stamp, struct finding *ret);

#endif
