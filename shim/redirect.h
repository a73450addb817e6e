/* SPDX-License-Identifier: Apache-2.0
 *
 * redirect.h - what to do with one connect(). Pure: what the process was given the address for, the
 * view's answers, its members, clock and turn are parameters.
 *
 * One pass: for each name that the address was given for, redirect_claim() says what that name has
 * to do with the destination, and redirect_add() takes it into account; redirect_end() decides. A
 * connect is touched only if every name that it may be for says that it should be.
 */
#ifndef HOMING_SHIM_REDIRECT_H
#define HOMING_SHIM_REDIRECT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/view_read.h"

/* Of IPv4 the first four bytes. */
struct redirect_address {
    uint8_t bytes[16];
    uint8_t family; /* 4 or 6 */
    uint16_t port;
};

/* What one endpoint has to do with a destination. */
enum redirect_claim {
    REDIRECT_ELSEWHERE, /* nothing: the port is none of its cluster's */
    REDIRECT_STRANGE,   /* it may be meant, and is none of ours: not managed, or off, or `names` */
    REDIRECT_RIGHT,     /* it names the destination, or nothing that it says is confirmed */
    REDIRECT_WRONG,     /* another one is right */
    REDIRECT_NO_WRITER, /* none is right now */
    REDIRECT_NO_FAMILY, /* the destination is demoted, and what is right is not in its family */
    REDIRECT_CLAIM_COUNT
};

/* What is asked of the view for one name. `entry` NULL: the view does not have it. `members`: of
 * its cluster, all. `turn`: which of the readers. *ret_to is set with REDIRECT_WRONG only. */
struct redirect_question {
    const struct redirect_address *to;
    uint64_t now_ms;
    uint32_t turn;
};

enum redirect_claim redirect_claim(const struct redirect_question *question,
                                   const struct view_entry *entry,
                                   const struct view_address *members, uint32_t count,
                                   struct redirect_address *ret_to);

enum redirect_action {
    REDIRECT_PASS,   /* as it is */
    REDIRECT_GO,     /* to `to` */
    REDIRECT_WAIT,   /* blocking: until there is a writer, hold_ms at most; then refuse */
    REDIRECT_REFUSE, /* ECONNREFUSED */
    REDIRECT_ACTION_COUNT
};

/* endpoint: the one most recently looked up of those that claim the destination, 0 if that one is
 * none of ours; it is what the connection is tagged as. generation and keepalive_ms are its; the
 * generation is the one before where writer endpoints alone differ about the destination: their
 * answers are published one after the other, and the connection is of before the switch.
 * would: what `action` would be if it were not for an endpoint in mode `observe`. shared: it was
 * passed because somebody else may be meant. */
struct redirect {
    enum redirect_action action, would;
    bool shared;
    struct redirect_address to;
    uint32_t hold_ms;
    uint64_t endpoint, generation;
    uint32_t keepalive_ms;
    /* while names are added */
    enum redirect_claim wrong; /* 0: none was yet */
    enum view_role wrong_role;
    bool disputed, split, observed; /* split: among those that say it is wrong */
    bool bystander;                 /* somebody may be meant to whom no writer matters */
    bool outdated;                  /* the endpoint says that it is wrong */
    uint64_t latest;
};

/* `stamp`: the larger, the later was the name looked up. Begins with zeros. */
void redirect_add(struct redirect *r, enum redirect_claim claim, const struct view_entry *entry,
                  const struct redirect_address *to, uint64_t stamp);
void redirect_end(struct redirect *r);

#endif
