/* SPDX-License-Identifier: Apache-2.0
 *
 * recall.h - connections that were made while homing was not looking: for an endpoint in mode `off` or
 * `names`, before there was a view, or for names that the view did not have; with HOMING_ASSUME also
 * to addresses that no view had. If they come to be of interest, they are told of (late.h). Lock-free,
 * async-signal-safe.
 *
 * 1. They stay in this process' own memory. Nothing is asked of the kernel for them, no descriptor is
 *    opened, and nobody else sees them. A forked child has its parent's, as it has its sockets.
 * 2. What a connection was for is what was known when it was made: its endpoint and the generation of
 *    the answer, or the names that the process had been given the address for (W7).
 * 3. Whether it came about and is open still is found out when it matters: a socket with that number
 *    leads to that address and port. Each connect() to an address that was given for a name is
 *    recalled. So it is the one that was recalled last, unless it was made past libc.
 */
#ifndef HOMING_SHIM_STEER_RECALL_H
#define HOMING_SHIM_STEER_RECALL_H

#include "shim/view/attach.h"
#include "shim/view/seen.h"

/* Descriptor numbers that have a place of their own, for endpoints. A page for 64 of them is mapped
 * when it is needed. */
#define RECALL_NUMBERS 32768

/* The same for names that nobody manages. Of two with numbers that differ by a multiple of it, the later
 * one is recalled. */
#define RECALL_OTHERS 4096

/* What one connect is for. */
struct recall_connect {
    int fd;
    uint16_t port;
    struct seen_address address;
    uint64_t since_ms; /* 0: not known */
};

/* For an endpoint that is idle (finding.h). errno is kept by all of these. */
void recall_for_endpoint(const struct recall_connect *connect, uint64_t endpoint,
                         uint64_t generation);

/* For the name that the address was given for, or for all of its names. Of several, those that were
 * looked up last are kept. */
void recall_for_name(const struct recall_connect *connect, uint64_t name);
void recall_for_names(const struct recall_connect *connect);

/* As recall_for_name(), without a look at whether it is noted already. */
void recall_anew(const struct recall_connect *connect, uint64_t name);

/* For an address that was given for no name, by a process that has HOMING_ASSUME: it may be a member's
 * one day. */
void recall_for_assumed(const struct recall_connect *connect);

/* A socket with that number has a tag of its own now, or needs none. True: what was recalled with it was
 * just being told of, and the tag may be written over. errno is kept. */
bool recall_forget_all(int fd);

/* A connection that is to be told of. */
struct recalled {
    int fd;
    uint64_t cookie;
    uint64_t endpoint;
    uint64_t generation; /* 0: before all that the agent has answered */
    uint64_t since_ms;
};

/* Whether an endpoint is known and not idle in this view, a struct attached. */
bool recall_is_endpoint_wanted(const void *attached, uint64_t endpoint);

/* Calls `fn` for each connection that is there still and is for such an endpoint. It is forgotten,
 * unless `fn` returns false. False: there is one that has to be looked at once more, for this reason or
 * because its connect may come in a moment. By one thread at a time. Changes errno. */
typedef bool recall_fn(void *arg, const struct recalled *recalled);
bool recall_each(const struct attached *head, uint64_t now_ms, recall_fn *fn, void *arg);

#endif
