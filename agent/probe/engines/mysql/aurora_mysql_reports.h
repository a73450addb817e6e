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
    AURORA_STEP_CHEAP,    /* is it as writable as it was? */
    AURORA_STEP_FIRST,    /* who it is: once in a session */
    AURORA_STEP_TOPOLOGY, /* who is in the cluster, and who is its writer */
    AURORA_STEP_STATE,    /* whether it is writable: last, as the newest that is known */
    AURORA_STEP_ACCOUNT,  /* as whom we are logged in; only to name the account in a GRANT */
    AURORA_STEP_COUNT
};

enum {
    /* A row that is older is of a server that is no more: a restored cluster showed the writer of nine
     * hours before. Shorter: a server whose row is late leaves. */
    AURORA_ROW_AGE_S = 180,
};

/* All zero when a session begins. */
struct aurora_seen {
    bool introduced;
    char id[TOPOLOGY_ID_SIZE]; /* its own name in the cluster */
    uint64_t born;             /* hash of that and its start */

    struct topology topology;
    bool told;     /* by the last question */
    bool master;   /* the newest row of a writer is its own */
    bool unlisted; /* it has no row that is young enough */
    bool lonely;   /* the rows of all others are too old */

    bool read_only;
};

/* The question of a step before AURORA_STEP_COUNT. */
const char *aurora_question(enum aurora_step step);

/* As mysql_step_take(). */
int aurora_step_take(struct aurora_seen *seen, enum aurora_step step,
                     const struct mysql_answer *answer, struct mysql_report_failure *ret_failure);

/* The last report does not hold: it is writable, but was not said to be the writer. */
bool aurora_is_unsettled(const struct aurora_seen *seen);

/* As mysql_report(). */
const char *aurora_report(const struct aurora_seen *seen, struct report *report);

#endif
