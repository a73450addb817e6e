/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_mysql_reports.h - what a server of an Aurora MySQL cluster answered, as a report, and whom else
 * it names. Pure: texts in, report out.
 *
 * One pass: as mysql_reports.h has it, with the steps and functions below. Every byte comes from outside:
 * what is not exactly what such a server answers is odd.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_MYSQL_AURORA_MYSQL_REPORTS_H
#define HOMING_AGENT_PROBE_ENGINES_MYSQL_AURORA_MYSQL_REPORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/decide/report.h"
#include "agent/probe/engines/mysql/family/values.h"
#include "agent/probe/mysql/answer.h"
#include "agent/probe/topology.h"

/* What is asked, in the order in which it is. */
enum aurora_step {
    AURORA_STEP_CHEAP,      /* is it as writable as it was? */
    AURORA_STEP_FIRST,      /* who it is: once in a session */
    AURORA_STEP_TOPOLOGY,   /* who is in the cluster, and who is its writer */
    AURORA_STEP_DEPLOYMENT, /* whether it is to be replaced, and by whom (W4a) */
    AURORA_STEP_STATE,      /* whether it is writable: last, as the newest that is known */
    AURORA_STEP_ACCOUNT,    /* as whom we are logged in; only to name the account in a GRANT */
    AURORA_STEP_COUNT
};

enum {
    /* A row that is older is of a server that is no more: a restored cluster showed the writer of nine
     * hours before. Shorter: a server whose row is late leaves. */
    AURORA_ROW_AGE_S = 180,
    /* A server that does not show its deployments is not asked for them again for so many full questions, a
     * minute. Shorter: its log is full of that. Longer: who has just granted it waits. */
    AURORA_DEPLOYMENT_REST = 60,
};

/* All zero, but for the first, when a session begins. */
struct aurora_seen {
    bool global; /* asked as a server of a Global Database, whose rows have regions and no times */
    bool introduced;
    char id[TOPOLOGY_ID_SIZE]; /* its own name in the cluster */
    uint64_t born;             /* hash of that and its start */

    struct topology topology;
    bool told;   /* by the last question */
    bool master; /* the newest row of a writer is its own */
    bool lonely; /* the rows of all others are too old */
    /* Its row as a reader's, and as the writer's. Another region may have its id, and then there are both. */
    struct aurora_row {
        uint64_t name;     /* hash of region and id; 0: there is no such row that is young enough */
        uint64_t position; /* of a Global Database: what it says to be durable; 0: not known */
    } own[2];
    uint64_t writer;  /* the name of a writer */
    uint32_t writers; /* how many are named */
    uint64_t follows; /* the name of the only one that was named last; 0: none was */

    enum phase phase;       /* of a blue/green deployment */
    uint32_t rest;          /* full questions before it is asked for again */
    uint32_t misses;        /* in a row, since it was shown */
    bool deployment_known;  /* it was shown once, and is asked for each time until it is gone */
    bool deployment_denied; /* the account may not see it */

    bool read_only;
};

/* A server that is no Aurora, from what its greeting says of it: what to do instead; NULL: go on. */
const char *aurora_server_refuse(bool mariadb);

/* The step with which a question begins; `cheap`: a cheap one. */
enum aurora_step aurora_first(const struct aurora_seen *seen, bool cheap);

/* The question of a step before AURORA_STEP_COUNT. */
const char *aurora_question(const struct aurora_seen *seen, enum aurora_step step);

/* As mysql_step_take(). */
int aurora_step_take(struct aurora_seen *seen, enum aurora_step step,
                     const struct mysql_answer *answer, struct mysql_report_failure *ret_failure);

/* The last report does not hold: it is writable, but was not said to be the writer. */
bool aurora_is_unsettled(const struct aurora_seen *seen);

/* As mysql_report(). */
const char *aurora_report(const struct aurora_seen *seen, struct report *report);

#endif
