/* SPDX-License-Identifier: Apache-2.0
 *
 * walk.h - the memory that the conductor, which switches writers, and the walkers, which are
 * unmodified programs, share. It holds what happened; what follows each walker says for itself.
 *
 * 1. Of a switch: its record, then `begun`, then the view, then `published`, then the order; so who
 *    reads `published` before a connect and `begun` after it knows between which two the shim
 *    looked at the view.
 * 2. A record's state is DONE when the order's last sweep is over, CANCELLED when homing-sever has
 *    said that it will abort no more for it.
 * 3. `restarts` is odd from before homing-sever is ended until the next one has its orders.
 */
#ifndef HOMING_TESTS_LIVE_WALK_WALK_H
#define HOMING_TESTS_LIVE_WALK_WALK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#define WALK_CLUSTERS    48
#define WALK_MEMBERS     4 /* addresses: the last two are one member's, which moves between them */
#define WALK_WRITERS     3 /* writer endpoints of a cluster; the first has two names */
#define WALK_SWITCHES    4096 /* of one cluster; then it rests */
#define WALK_ENOUGH      250 /* switches in all: however fast the steps are, orders come in between */
#define WALK_PORT        5432
#define WALK_OTHER_PORT  5433 /* of no cluster, at the same addresses */
#define WALK_POOLER_PORT 6432 /* there, too: see walk_has_pooler() */

/* The names that one cluster's addresses are given for. */
enum walk_name {
    WALK_NAME_FIRST,
    WALK_NAME_ALIAS,
    WALK_NAME_SECOND,
    WALK_NAME_THIRD,
    WALK_NAME_READER,
    WALK_NAME_PLAIN, /* not managed: one per member, in the hosts file */
    WALK_NAME_COUNT
};

static const char *const walk_name_patterns[WALK_NAME_COUNT] = {
    "first-%d.walk", "alias-%d.walk",  "second-%d.walk",
    "third-%d.walk", "reader-%d.walk", "plain-%d-%d.walk",
};

enum walk_order {
    WALK_ORDER_NONE,
    WALK_ORDER_GIVEN,
    WALK_ORDER_DONE,
    WALK_ORDER_CANCELLED
};

struct walk_switch {
    _Atomic uint8_t order;
    uint8_t writer;
    uint8_t demoted;   /* members that the order is for */
    uint8_t left;      /* of these, whoever is there is nobody (W11) */
    uint8_t endpoints; /* writer endpoints that the order is for */
};

struct walk_cluster {
    _Atomic uint32_t begun, published;
    _Atomic uint32_t without; /* counts up with its beginning and end; odd: nobody is the writer */
    struct walk_switch switches[WALK_SWITCHES];
};

/* What a connection was, when it is found severed or spared by an order. */
enum walk_kind {
    /* why it is spared */
    WALK_HEALTHY_WRITER,
    WALK_READER_ON_DEMOTED,
    WALK_PLAIN_ON_DEMOTED,
    WALK_STRANGER_ON_DEMOTED, /* to an address that was never looked up */
    WALK_OTHER_PORT_ON_DEMOTED,
    WALK_ENDPOINT_NOT_ORDERED,
    WALK_MADE_AFTERWARDS,
    WALK_WRITER_AGAIN, /* the order was cancelled by the switch back */
    WALK_OVER_A_TAG,   /* not tagged, at the number of one that was */
    /* how it came to be */
    WALK_IPV4,
    WALK_IPV6,
    WALK_MAPPED,
    WALK_NONBLOCKING,
    WALK_BY_ALIAS,
    WALK_REDIRECTED,
    WALK_SHARED_ADDRESS, /* of both a writer name and an unmanaged one of this process */
    WALK_UNTOLD,         /* a reader's name may be meant as well as a writer's */
    WALK_ASKED,          /* it would be a writer's, but the reader's name was just asked for */
    WALK_LEFT,           /* a writer's name had the address before, and has another one now */
    WALK_DURING_SWITCH,
    WALK_IN_THREAD,
    WALK_IN_CHILD,
    WALK_INHERITED,
    WALK_DUPLICATE,
    WALK_HANDED_OVER_ANEW,
    WALK_SOCKET_AGAIN, /* connected, dissolved and connected again */
    WALK_WHILE_CONNECTING,
    WALK_CONNECTING, /* the server has not answered yet, and never will */
    WALK_IN_CHAIN,   /* a child's, that has ended, and held by its child */
    WALK_ON_LEFT,    /* to an address that its member has left */
    WALK_AT_POOLER,  /* at another port of the endpoint's */
    WALK_RESTORED,   /* homing-sever was restarted, and has had its permit all the time */
    WALK_KIND_COUNT
};

static const char *const walk_kind_names[WALK_KIND_COUNT] = {
    "healthy writer",
    "reader on the demoted",
    "unmanaged name on the demoted",
    "stranger on the demoted",
    "other port of the demoted",
    "endpoint not ordered",
    "made after the switch",
    "writer again",
    "number of an old tag",
    "IPv4",
    "IPv6",
    "v4-mapped",
    "non-blocking",
    "by an alias",
    "redirected",
    "address of an unmanaged name, too",
    "writer's or reader's",
    "of the reader just asked for",
    "left by a writer's name",
    "connected during the switch",
    "in a thread",
    "in a forked child",
    "inherited by a child",
    "duplicated",
    "permit handed over anew",
    "socket connected again",
    "while connecting",
    "still connecting",
    "inherited from a child",
    "on an address that was left",
    "at the pooler's port",
    "before a restart of homing-sever",
};

enum walk_step {
    WALK_LOOKUP,
    WALK_CONNECT,
    WALK_CLOSE,
    WALK_CHECK,
    WALK_DUP,
    WALK_DUP_OVER,
    WALK_PIPE,
    WALK_SHUTDOWN,
    WALK_AGAIN,
    WALK_CHILD,
    WALK_WORKER,
    WALK_CHAIN,
    WALK_SPAWN,
    WALK_LOSE_PERMIT,
    WALK_STEP_COUNT
};

static const char *const walk_step_names[WALK_STEP_COUNT] = {
    "lookup", "connect", "close", "check",  "dup",   "dup2 over", "pipe",
    "shut",   "again",   "child", "worker", "chain", "spawn",     "lose permit",
};

struct walk {
    uint64_t seed, target;
    _Atomic uint64_t steps;
    _Atomic bool enough;           /* steps and switches */
    _Atomic bool quiet;            /* and no order is under way any more */
    _Atomic uint32_t restarts;     /* of homing-sever, as in 3. */
    _Atomic uint64_t restarted_ms; /* when the last one was over */
    _Atomic uint64_t taken[WALK_STEP_COUNT];
    _Atomic uint64_t severed[WALK_KIND_COUNT], spared[WALK_KIND_COUNT];
    _Atomic uint64_t aborted, checked, wrong, missed, astray, displaced, passed_by;
    _Atomic uint64_t refused, waited; /* connects while nobody was the writer */
    struct walk_cluster clusters[WALK_CLUSTERS];
};

/* Of every eighth cluster, nobody accepts at the IPv6 addresses, and the queues there are full: who
 * connects goes on trying. Only writers' names lead there, so that it is known to whom. */
static inline bool walk_is_full(int cluster, int family)
{
    return family == 6 && cluster % 8 == 6;
}

/* Of every third cluster, all endpoints but the third writer's have the pooler's port. */
static inline bool walk_has_pooler(int cluster, enum walk_name name)
{
    return cluster % 3 == 1 && name < WALK_NAME_PLAIN && name != WALK_NAME_THIRD;
}

static inline void walk_raise_limit(void)
{
    struct rlimit files;

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

#endif
