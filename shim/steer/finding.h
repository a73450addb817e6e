/* SPDX-License-Identifier: Apache-2.0
 *
 * finding.h - what one name has to do with the destination of a connect().
 *
 * Pure: the view, its entry of the name, the clock and the turn are parameters. steer.c asks for a
 * finding for each name that the process was given the address for, and redirect.h decides from all
 * of them. Little of the stack is used: connect() may be called on a small one.
 */
#ifndef HOMING_SHIM_STEER_FINDING_H
#define HOMING_SHIM_STEER_FINDING_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/view_read.h"

/* From FINDING_WRONG on, the destination is wrong. */
enum finding_kind {
    FINDING_ELSEWHERE, /* nothing: the port is none of its cluster's */
    FINDING_FOREIGN,   /* the name may be meant, and the view does not have it */
    FINDING_RIGHT,     /* the destination is right, or nothing confirmed says otherwise */
    FINDING_WRONG,     /* another address is right */
    FINDING_NO_WRITER, /* no address is right now */
    FINDING_NO_FAMILY, /* the destination is demoted, and the writer has no address of its family */
    FINDING_KIND_COUNT
};

struct finding {
    uint64_t stamp; /* the larger it is, the later the name was looked up */
    bool left : 1;  /* the process was given another address for the name since */
    bool asked : 1; /* this thread has just looked the name up (seen.h) */
    bool idle : 1;  /* its mode is `off` or `names`: it is not ours to steer. What is found is what
                       would be if it were */
    enum finding_kind kind : 4;
    /* This and `idle` are what the view has for the name. Not set with FINDING_ELSEWHERE and FINDING_FOREIGN. */
    enum view_mode mode : 4;
    enum view_role role : 2;
    bool behind : 1; /* nothing is confirmed, and a writer endpoint's destination is demoted */
    uint32_t hold_ms;
    uint32_t keepalive_ms;
    struct inet_address right; /* with FINDING_WRONG only */
    uint64_t endpoint;
    uint64_t generation;
};

struct finding_question {
    const struct inet_address *to;
    const struct view_entry *entry; /* what the view has for the name */
    const struct view_map *map;     /* the view */
    uint64_t now_ms;
    uint32_t turn; /* says which reader of a reader endpoint's is taken */
    bool assumed;  /* the address is meant for the name if it is a member's, and else not */
    /* For finding.c alone. */
    bool changed;
    bool by_host; /* the port is another one of the endpoint's */
    struct view_list list;
    struct view_address at;
};

/* All addresses of the entry's cluster are looked at as of one moment. If it never holds still, it
 * is taken for a cluster without any. What a lookup says, from `stamp` to `asked`, is left to the
 * caller. */
void finding_make(struct finding_question *question, struct finding *ret);

/* Whether both say the same of the destination, whichever name they are for. */
bool finding_same(const struct finding *a, const struct finding *b);

/* For a name that the view does not have. */
void finding_make_foreign(uint64_t stamp, struct finding *ret);

#endif
