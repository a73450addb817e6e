/* SPDX-License-Identifier: Apache-2.0
 *
 * notes.h - what a walker knows of each of its connections without asking homing: for which name it
 * made it, whom the kernel says it is connected to, between which two switches; and therefore
 * whether it may be severed, must be, or must not.
 *
 * One pass: notes_before() and notes_after() enclose a connect(); notes_check() looks at the
 * connection whenever the walker feels like it.
 */
#ifndef HOMING_TESTS_LIVE_WALK_NOTES_H
#define HOMING_TESTS_LIVE_WALK_NOTES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/live/walk/walk.h"
#include "tests/support/clock.h"

/* The rules, for a connection for endpoint E to the member M, made after switch `low` was in the
 * view and before the one after `high` was begun:
 *
 * 1. It may be severed by the order of a later switch than `low` that names E and M; by that of
 *    `low`, too, if names disagreed, as they may during a switch, and M is wrong before and after.
 *    Any other end of it is a wrong sever.
 * 2. Once the last sweep of such an order of a later switch than `high` is over, it must have been:
 *    else that is a missed sever. So it must if M is already wrong for E at `high`, unless the
 *    process was given M's address for something else, too.
 * 3. An order is over once, whatever it was for: what was seen alive after it is not its any more.
 * 4. A tag is found by the number that the socket had in the process that connected it. Where that
 *    process has since tagged another one there, a duplicate under another number is out of
 *    reach. */

#define NOTES_SHORT_MAX 40 /* connections that are closed again soon */
/* And those that live to see orders. With duplicates they stay below a permit's number. */
#define NOTES_KEPT_MAX 300
/* Of these, for those alone that were connected during a switch. */
#define NOTES_RACING_MAX 60
#define NOTES_NUMBERS    65536
#define NOTES_NOBODY     (-1)

struct target {
    int cluster, member, family; /* 4 or 6 */
    bool mapped, other_port;
};

struct held {
    int fd, twin;     /* twin: a duplicate, or -1 */
    struct target at; /* member: whom the kernel says it is connected to; WALK_MEMBERS: not known */
    int endpoint;     /* or NOTES_NOBODY */
    bool shared;      /* the address is another name's, too */
    enum walk_kind why; /* of endpoint NOTES_NOBODY */
    uint32_t how;       /* enum walk_kind, as bits */
    uint32_t low, high, over;
    uint32_t id;
    int tag_fd;
    _Atomic uint32_t *numbers; /* of the process that connected it */
    uint64_t until_ms;         /* 0: not kept */
};

struct walker {
    struct walk *walk;
    uint64_t dice;
    int first_cluster, clusters, cluster_step; /* which are this thread's */
    uint32_t how;                              /* of all that it connects */
    bool threaded, is_child;
    int8_t owner[WALK_CLUSTERS][WALK_MEMBERS][2]; /* last name that the address was given for */
    uint8_t given[WALK_CLUSTERS][WALK_MEMBERS][2];
    struct held held[NOTES_SHORT_MAX + NOTES_KEPT_MAX + 1];
    uint32_t count, kept;
};

/* By number of descriptor: the connection last tagged there in this process. */
extern _Atomic uint32_t *notes_numbers;
void notes_new_process(void);

socklen_t notes_sockaddr(const struct target *at, struct sockaddr_in6 *ret);
bool notes_member(const struct sockaddr *from, int *ret_cluster, int *ret_member, int *ret_family);

/* A lookup gave `address` for the name. */
void notes_given(struct walker *w, enum walk_name name, int cluster, uint32_t low, uint32_t high,
                 const struct sockaddr *address);

/* `fd` is about to be connected. `held`: noted so far; all of it is filled but the outcome. */
void notes_before(struct walker *w, int fd, const struct target *to, struct held *held);
/* It was; false: it was severed in the meantime, and is counted as that. */
bool notes_after(struct walker *w, const struct target *to, struct held *held);

/* False: it was severed. Wrong and missed severs are counted and printed. */
bool notes_check(struct walker *w, struct held *held);

#endif
