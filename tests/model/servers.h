/* SPDX-License-Identifier: Apache-2.0
 *
 * servers.h - servers that replicate asynchronously and have no term, and a failover manager that
 * does with them what managers and operators do: W12's world as it really is. successions.c lets
 * agents look at it.
 *
 * What a server has is counted by origin, as MySQL's GTIDs count it. So a tail that was lost in a
 * crash, and what a zombie writes, are histories that part.
 */
#ifndef HOMING_TESTS_MODEL_SERVERS_H
#define HOMING_TESTS_MODEL_SERVERS_H

#include "agent/decide/report.h"

enum {
    SERVERS = 3,
    ORIGINS = 128
};

struct server {
    bool up, read_only, by_word; /* by_word: read_only was turned off by word, not by a restart */
    bool wiped;                  /* it was installed anew, and got no copy of the data since */
    uint32_t self;               /* index of its origin */
    uint32_t follows;            /* SERVERS: nobody */
    uint32_t starts;
    uint32_t has[ORIGINS];
};

struct servers {
    struct server at[SERVERS];
    uint32_t primary;   /* the truth: whom the manager made it */
    uint32_t changes;   /* how often it did */
    uint32_t origins;   /* given so far */
    bool wiped_primary; /* it once promoted what lacked the data */
    uint64_t dice;
    /* Called in the middle of what the manager does, when others may look. */
    void (*look)(void *arg);
    void *arg;
};

/* What happens next. Each is as likely as it stands here; servers_next() draws. */
enum deed {
    DEED_WRITE,
    DEED_REPLICATE,
    DEED_PLANNED,            /* a switchover; all others follow the new one */
    DEED_PLANNED_UNFOLLOWED, /* the same, and nobody is told */
    DEED_UNDO,               /* there and back */
    DEED_CRASH,              /* and the furthest replica is promoted */
    DEED_CRASH_IN_PLACE,     /* and it is started again */
    DEED_RETURN,             /* one that was down is started again, some writable: a zombie */
    DEED_REJOIN,             /* one that follows nobody is made a replica */
    DEED_ERRANT,             /* a write on a replica */
    DEED_WIPE,               /* one that is not the primary is installed anew, and is writable */
    DEED_OTHER,              /* nothing here: something happens to an agent */
    DEED_COUNT
};

void servers_begin(struct servers *s, uint64_t seed, void (*look)(void *arg), void *arg);
enum deed servers_next(struct servers *s);
/* False: there is nothing to do it with. */
bool servers_do(struct servers *s, enum deed deed);

/* What the server answers now; REPORT_REFUSED if it is down. */
struct report servers_answer(const struct servers *s, uint32_t server, uint64_t now_ms);

const char *deed_name(enum deed deed);

#endif
