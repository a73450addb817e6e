/* SPDX-License-Identifier: Apache-2.0
 *
 * sever.h - what homingd orders of homing-sever over sever.sock, as a struct and as a message.
 *
 * One pass: after a switch homingd orders which connections to sever: those to the demoted member
 * that were made for an endpoint before its answer changed. homing-sever sweeps several times, and
 * replies with counts when it is done. In `observe` it only counts. `connections` names no
 * endpoint: it lists. Both ends are in this file. Method by method: PROTOCOL.md.
 */
#ifndef HOMING_PROTO_SEVER_H
#define HOMING_PROTO_SEVER_H

#include "proto/inet_address.h"
#include "proto/msg.h"
#include "proto/permit.h"

/* Of one order: so many fit into a request (HOMING_REQUEST_MAX). More endpoints take more orders, and
 * so do more addresses than four members can have, each counted with each port. */
#define SEVER_ENDPOINTS_MAX 64
#define SEVER_ADDRESSES_MAX 32
/* Connections of the agent itself to one member: one for its probe, one that it makes anew. */
#define SEVER_SPARED_MAX 64
/* Rows of one `connections` reply: more than a person reads, few enough to be made at once. */
#define SEVER_ROWS_MAX 10000
/* A longer spread would leave connections on a demoted member for more than ten minutes. */
#define SEVER_SPREAD_MAX_MS 600000

enum sever_kind {
    SEVER_DO,
    SEVER_OBSERVE, /* count what would be done */
    SEVER_LIST,
    SEVER_KIND_COUNT
};

struct sever_endpoint {
    uint64_t id;
    uint64_t older_than; /* tags of a smaller generation are outdated */
};

struct sever_order {
    enum sever_kind kind;
    struct sever_endpoint endpoints[SEVER_ENDPOINTS_MAX];
    uint32_t endpoint_count;
    struct inet_address addresses[SEVER_ADDRESSES_MAX]; /* all of the demoted member's */
    uint32_t address_count;
    uint32_t spread_ms;                /* 0: all at once */
    bool untagged;                     /* also those that no permit's tags know */
    bool unasked;                      /* but none that somebody knew before the order */
    uint64_t spared[SEVER_SPARED_MAX]; /* but not these: cookies */
    uint32_t spared_count;
};

/* What became of an order. */
struct sever_counts {
    uint64_t seen;         /* connections to the addresses, at the first sweep */
    uint64_t outdated;     /* of these, tagged for an endpoint with an older generation */
    uint64_t untagged;     /* of these, without any tag */
    uint64_t foreign;      /* tags that name another user's connection, and do not count */
    uint64_t unsure;       /* outdated by a tag, and whose they are could not be told */
    uint64_t older;        /* without any tag, but known before: spared at the first sweep */
    uint64_t severed;      /* aborted, in all sweeps; in observe: would have been */
    uint64_t gone;         /* ended by themselves between look and order */
    uint64_t denied;       /* EPERM: not ours to abort */
    uint64_t failed;       /* any other error */
    uint64_t dropped;      /* permits that hindered the work */
    uint64_t memories;     /* of tags, that were read in all sweeps */
    uint64_t behind;       /* users who had so much that the first sweep left some for later */
    uint64_t given_up;     /* users who had too much: something was never gone through */
    uint64_t mptcp_late;   /* of `severed`: the program notices later, as the peer speaks it, too */
    uint64_t mptcp_hidden; /* subflows that this kernel lists without their MPTCP sockets: spared */
    uint64_t processes;    /* whose permits were used, at the first sweep */
    uint64_t namespaces;   /* network namespaces looked at, at the first sweep */
    uint64_t first_us;     /* how long the first sweep took */
};

/* A connection, as `connections` lists it: a tagged one, or with `untagged` in the order one that has no
 * tag. Of that nothing is known but address, user and inode. */
struct sever_row {
    int pid; /* of the process that handed the permit over; 0: in a pid namespace not seen here */
    uint32_t inode; /* of the socket without a tag; else 0 */
    uint32_t uid;
    char comm[16];
    uint64_t endpoint;
    uint64_t generation;
    uint64_t age_ms;
    struct inet_address address;
    bool mptcp; /* at both ends: if it is aborted, the program notices later */
};

/* A process whose permit is held, as `holders` lists it. */
struct sever_holder {
    int pid;          /* 0: in a pid namespace not seen here */
    uint64_t started; /* of its /proc/PID/stat; 0: not seen */
};

/* Writes the params of `sever` or `connections`: an array of one map. */
void sever_order_put(struct msg_writer *w, const struct sever_order *order);

/* NULL: *ret_order is filled; otherwise what is wrong with the params. */
const char *sever_order_get(const struct msg_value *params, enum sever_kind kind,
                            struct sever_order *ret_order);

void sever_counts_put(struct msg_writer *w, const struct sever_counts *counts);
void sever_counts_get(const struct msg_value *map, struct sever_counts *ret_counts);

/* What processes count themselves, in their tag memories. */
void sever_tag_counts_put(struct msg_writer *w, const uint64_t counts[TAG_COUNT_COUNT]);
void sever_tag_counts_get(const struct msg_value *map, uint64_t ret_counts[TAG_COUNT_COUNT]);

/* An array of maps. */
void sever_rows_put(struct msg_writer *w, const struct sever_row *rows, uint32_t count);
bool sever_row_get(const struct msg_value *map, struct sever_row *ret_row);

/* An array of two numbers. */
void sever_holder_put(struct msg_writer *w, const struct sever_holder *holder);
bool sever_holder_get(const struct msg_value *pair, struct sever_holder *ret_holder);

#endif
