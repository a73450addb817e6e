/* SPDX-License-Identifier: Apache-2.0
 *
 * offer.h - what a program sends to permit.sock, before it is known whether that is a permit: read
 * and checked. Runs in the receiver (receiver.h), which has no privilege.
 *
 * 1. F_GET_SEALS comes before any other look at the second descriptor. It fails for what is no
 *    memory, without asking the file system, as fstat() would.
 * 2. Memory is read with pread(), never mapped: a page of it can be missing for ever.
 */
#ifndef HOMING_AGENT_SEVER_PERMITS_OFFER_H
#define HOMING_AGENT_SEVER_PERMITS_OFFER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/sever/permits/rights.h"
#include "agent/sever/permits/uids.h"

enum offer_result {
    OFFER_PERMIT,
    OFFER_NOTHING,   /* the connection ended, or had nothing to read */
    OFFER_NO_HELLO,  /* no hello of this version, or a number of slots out of bounds */
    OFFER_TRUNCATED, /* more descriptors than a permit has (MSG_CTRUNC) */
    OFFER_TOO_FEW,   /* fewer descriptors than a permit has */
    OFFER_NETLINK,   /* the first descriptor is no such socket */
    OFFER_SEALS,     /* the second descriptor is no sealed memory */
    OFFER_SIZE,      /* the memory has another size than the hello says */
    OFFER_LAYOUT,    /* the memory does not begin like tags, or cannot be read */
    OFFER_UNLISTED,  /* the netlink socket does not list the connection that it came over */
    OFFER_RESULT_COUNT
};

/* Why it is refused, for people. */
const char *offer_result_name(enum offer_result result);

struct offer {
    enum offer_result result;
    uint64_t netns;   /* SO_NETNS_COOKIE; 0: this kernel does not tell */
    struct uids uids; /* whose connections it can speak for */
    struct rights rights;
};

/* Reads one message from a connection. The caller closes the descriptors that came, whatever the
 * result. */
void offer_read(int connection, struct offer *ret_offer);

/* The checks of one descriptor each, for those that were kept (keep.h). */
bool offer_is_netlink(int fd);
bool offer_is_tags(int fd);

#endif
