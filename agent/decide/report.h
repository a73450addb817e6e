/* SPDX-License-Identifier: Apache-2.0
 *
 * report.h - what one member said, once. Engines make reports, agent/decide judges them.
 *
 * One pass: probe asks a member over its own connection; the engine translates the answer ("not in
 * recovery", "primary") into a role, a term and an identity; daemon/cluster.c hands the report to
 * decision_handle(). A report is about the member that made it: a claim (W1).
 */
#ifndef HOMING_AGENT_DECIDE_REPORT_H
#define HOMING_AGENT_DECIDE_REPORT_H

#include <stdbool.h>
#include <stdint.h>

enum role {
    ROLE_NONE,
    ROLE_WRITER,
    ROLE_READER,
    ROLE_COUNT
};

/* The engine's own fencing token, ordered within one identity: hi first, then lo.
 * All zero: none known. */
struct term {
    uint64_t hi;
    uint64_t lo;
};

/* W3: what a claim says of the lock by which its failover manager appoints one leader. */
enum lock {
    LOCK_NONE, /* nothing, or nothing that can be relied on */
    LOCK_HELD,
    LOCK_LOST, /* somebody else may hold it */
    LOCK_COUNT
};

/* W4a: how far a blue/green deployment is, by a server's own word. */
enum phase {
    PHASE_NONE,    /* it tells of no deployment */
    PHASE_STRANGE, /* it tells of one in words that are not known: they count for nothing */
    PHASE_AVAILABLE,
    PHASE_INITIATED,
    PHASE_IN_PROGRESS, /* nobody takes writes */
    PHASE_POST,        /* the green server takes them; names lead there later */
    PHASE_COMPLETED,
    PHASE_COUNT
};

enum report_kind {
    REPORT_ANSWER,  /* it answered: role and all facts are set */
    REPORT_LATE,    /* a question has been unanswered for `interval` */
    REPORT_TIMEOUT, /* for `timeout` there was no answer, or no connection could be made */
    REPORT_BROKEN,  /* its connection broke */
    REPORT_REFUSED, /* no connection can be made: refused, unreachable, "starting up", no such
                     * host */
    REPORT_DENIED,  /* authentication failed: it is not asked again before a reload */
    REPORT_ODD,     /* it answered, but not as this engine does: not asked often */
    REPORT_KIND_COUNT
};

/* Facts other than member, kind and asked_ms are set for REPORT_ANSWER only. */
struct report {
    uint32_t member; /* index in the cluster */
    enum report_kind kind;
    uint64_t asked_ms; /* when the question was sent, CLOCK_MONOTONIC */
    enum role role;
    bool authenticated;   /* the server proved its name (TLS verify-full or its like) */
    uint64_t identity;    /* what proves two members hold the same data set; 0: not known */
    uint64_t incarnation; /* one running server; 0: not known */
    struct term term;     /* of a writer: its own; of a reader: what it follows, or zero */
    uint64_t position;    /* written (writer) or replayed (reader), in bytes; 0: not known */
    uint64_t branch;      /* of a writer: the position at which its term began; 0: not known */
    /* W3a: its servers write into one volume, which shuts the old writer out. `term` is always the
     * same. */
    bool fenced;
    enum lock lock;   /* of a writer */
    uint64_t lock_of; /* whose lock: a hash of its name */
    /* W12, for engines whose servers have no term: `term` is all zero, and these two are set. */
    uint64_t self; /* the name of this data directory, as others name it in `follows`: a hash; 0:
                       * not known, or the engine has a term, and W12 is not for it */
    bool
        bound; /* `self` names a volume, of which nobody attaches an older copy: what it has speaks neither
                    * for it nor against it */
    uint64_t follows; /* `self` of the server that it is set to replicate from, whether or not that
                       * answers; 0: it follows nobody */
    /* W4a */
    enum phase phase;
    bool names_green; /* this answer says anew who these two are */
    uint32_t green;   /* mask of those that it named last */
    uint32_t kin;     /* the same of those that it named as servers of its own cluster */
    bool stray;       /* it named a green one, too, that is no member */
};

const char *role_name(enum role role);
const char *report_kind_name(enum report_kind kind);
const char *phase_name(enum phase phase);

/* < 0, 0, > 0 as a is older than, equal to, newer than b. */
int term_compare(struct term a, struct term b);

#endif
