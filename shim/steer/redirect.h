/* SPDX-License-Identifier: Apache-2.0
 *
 * redirect.h - what is to be done with one connect(), decided from what was found for each name
 * that its address was given for (finding.h). Pure.
 *
 * I1: a connect is changed only if every endpoint that may be meant says that it should be, and no
 * name that is not managed may be meant.
 */
#ifndef HOMING_SHIM_STEER_REDIRECT_H
#define HOMING_SHIM_STEER_REDIRECT_H

#include "shim/steer/finding.h"

/* The first three let the connect go on as it is. */
enum redirect_action {
    REDIRECT_PASS,     /* there is nothing to change */
    REDIRECT_SHARED,   /* one name says that it is wrong, and another name may be meant */
    REDIRECT_OBSERVED, /* it would be changed, but a name that says so is in mode `observe` */
    REDIRECT_GO,       /* connect to `to` instead */
    REDIRECT_WAIT,     /* a blocking socket waits for a writer, for hold_ms at most; then refuse */
    REDIRECT_REFUSE,   /* ECONNREFUSED */
    REDIRECT_ACTION_COUNT
};

struct redirect {
    enum redirect_action action;
    struct inet_address to;
    uint32_t hold_ms;
    /* The endpoint that the connection is tagged for: the one most recently looked up of those that
     * may be meant. 0: there is none, and no tag. */
    uint64_t endpoint;
    bool idle; /* it is one in mode `off` or `names`: the tag is not told to anybody yet */
    uint64_t generation; /* for the tag */
    uint32_t keepalive_ms;
    bool untold; /* a writer and a reader endpoint may be meant, and nothing told which */
    bool behind; /* for a writer endpoint it goes to a demoted member, and the next one will not */
};

void redirect_decide(const struct finding *findings, uint32_t count, struct redirect *ret);

#endif
