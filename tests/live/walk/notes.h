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
 * 4. Which endpoint it is for: I1 and W7. A name does not count once the walker was given another
 *    address of the family for it, unless none counts then. Of a writer's and a reader's names the
 *    reader's count if the thread has just asked for it, and has not connected for that yet; else
 *    the writer's. Of those the one counts that was looked up last. A name that is not managed
 *    keeps the connect from being changed, and not the tag from being written.
 * 5. While nobody is the writer, and at no other time, a connect for a writer's name may be refused,
 *    or waits. If names disagree about that, it passes as asked: then it is as in rule 1.
 * 6. A tag is found by the number that the socket had in the process that connected it. Where that
 *    process has since tagged another one there, a duplicate under another number is out of
 *    reach. A child has its parent's tags, by the same numbers. When its parent has ended, the child's own
 *    are all that is left, once it has handed over: so where it has tagged another one there, it is
 *    out of reach, too (tests/live/forks.py).
 * 7. An order passes by a process whose permit homing-sever has not read yet. homingd repeats
 *    orders for that; here no such order has to sever anything.
 * 8. A restart of homing-sever takes no permit away that had been read before it began. One that was
 *    read later may have been lost with the one that read it. After a restart, the permit of a process that
 *    has ended lasts only as long as a child goes on with its memory: who holds what that one has connected
 *    needs a permit of its own, which may come a little later. */

#define NOTES_SHORT_MAX 40 /* connections that are closed again soon */
/* And those that live to see orders. With duplicates they stay below a permit's number. */
#define NOTES_KEPT_MAX 300
/* Of these, for those alone that were connected during a switch. */
#define NOTES_RACING_MAX 60
#define NOTES_NUMBERS    65536
/* Times without a permit: the first, and one for each loss. */
#define NOTES_GAPS_MAX 8
/* Where the shim leaves its connection open; those that were inherited are there, too. */
#define NOTES_PERMIT      1000
#define NOTES_PERMITS_MAX 64
#define NOTES_NOBODY      (-1)
/* For so long after a restart a process may wait until it hands over, and its child, too. */
#define NOTES_PAUSE_MS 5000

struct target {
    int cluster, member, family; /* 4 or 6 */
    bool mapped;
    uint16_t port;
};

/* A time without a permit: of each cluster, the last order that was over by then, and the last that
 * had begun when homing-sever had read the next one. */
struct gap {
    uint32_t over[WALK_CLUSTERS], begun[WALK_CLUSTERS];
};

struct notes_process {
    _Atomic bool unknown;      /* homing-sever may have no permit: the last gap goes on */
    _Atomic uint32_t known_at; /* else: how many restarts there were when it had one */
    _Atomic uint64_t ended_ms; /* 0: not yet. What it has connected, its child has */
    _Atomic uint32_t gap_count;
    struct gap gaps[NOTES_GAPS_MAX];
    _Atomic uint32_t numbers[NOTES_NUMBERS]; /* which connection was last tagged there */
};

struct held {
    int fd, twin;     /* twin: a duplicate, or -1 */
    struct target at; /* member: whom the kernel says it is connected to; WALK_MEMBERS: not known */
    int endpoint;     /* or NOTES_NOBODY */
    bool shared;      /* the address is an unmanaged name's, too */
    enum walk_kind why; /* of endpoint NOTES_NOBODY */
    uint32_t how;       /* enum walk_kind, as bits */
    uint32_t low, high, over;
    uint32_t without; /* what the cluster counted before the connect */
    uint32_t restarts;
    bool interrupted; /* nobody was the writer for some of the time */
    uint32_t id;
    int tag_fd;
    struct notes_process *of; /* who connected it */
    uint64_t until_ms;        /* 0: not kept */
};

struct walker {
    struct walk *walk;
    uint64_t dice;
    int first_cluster, clusters, cluster_step; /* which are this thread's */
    uint32_t how;                              /* of all that it connects */
    bool threaded, is_child;
    bool keeps; /* all that it connects now */
    uint8_t given[WALK_CLUSTERS][WALK_MEMBERS]
                 [2]; /* names that the address was given for, as bits */
    uint32_t when[WALK_CLUSTERS][WALK_MEMBERS][2][WALK_NAME_COUNT]; /* and when, by lookups */
    uint8_t present[WALK_CLUSTERS][2][WALK_NAME_COUNT]; /* 1 + member that a name has now */
    uint32_t lookups;
    struct {
        int cluster;
        enum walk_name name;
        uint8_t used; /* families */
    } asked;          /* the last lookup */
    struct held held[NOTES_SHORT_MAX + NOTES_KEPT_MAX + 1];
    uint32_t count, kept;
};

/* What is known of this process, and shared with its children, which hold what it connected. */
extern struct notes_process *notes_own;
void notes_new_process(void);

/* All descriptors from NOTES_PERMIT on will be closed: the permit goes. */
void notes_permit_lost(struct walker *w);
/* Looks whether homing-sever has read the permit; called often. */
void notes_permit_look(struct walker *w);
/* Waits for that, if there is one. */
void notes_permit_wait(struct walker *w);

socklen_t notes_sockaddr(const struct target *at, struct sockaddr_in6 *ret);
bool notes_member(const struct sockaddr *from, int *ret_cluster, int *ret_member, int *ret_family);

/* A lookup of the name begins. */
void notes_asked(struct walker *w, enum walk_name name, int cluster);
/* It gave `address`. */
void notes_given(struct walker *w, enum walk_name name, int cluster, uint32_t low, uint32_t high,
                 const struct sockaddr *address);

/* `fd` is about to be connected. `held`: noted so far; all of it is filled but the outcome. */
void notes_before(struct walker *w, int fd, const struct target *to, struct held *held);
/* It was; false: it was severed in the meantime, and is counted as that. */
bool notes_after(struct walker *w, const struct target *to, struct held *held);
/* It goes on trying; false: nobody can tell to whom. */
bool notes_connecting(struct walker *w, const struct target *to, struct held *held);
/* It was refused, as may only be while nobody is the writer. */
void notes_refused(struct walker *w, const struct target *to, struct held *held);

/* Rules 7 and 8, and 6: it may outlive an order that it is due for. */
bool notes_passed_by(const struct walker *w, const struct held *h, uint32_t number);
bool notes_out_of_reach(const struct held *h);
/* For one that was missed: what there is to say of the permits. */
void notes_tell_permit(const struct walker *w, const struct held *h);
/* And where its tag is: in memories of this process, and of any homing-sever. */
void notes_tell_memories(const struct held *h);

/* False: it was severed. Wrong and missed severs are counted and printed. */
bool notes_check(struct walker *w, struct held *held);

#endif
