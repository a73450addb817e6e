/* SPDX-License-Identifier: Apache-2.0
 *
 * rds_mysql_reports.h - what a server of a Multi-AZ DB cluster of RDS answered, and whom else it names.
 * Pure: texts in, report out. Such a server is a MySQL that replicates: mysql_reports.h has the rest.
 *
 * One pass: as mysql_reports.h has it, with its steps and one more.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_MYSQL_RDS_MYSQL_REPORTS_H
#define HOMING_AGENT_PROBE_ENGINES_MYSQL_RDS_MYSQL_REPORTS_H

#include "agent/probe/engines/mysql/mysql_reports.h"
#include "agent/probe/topology.h"

enum {
    RDS_STEP_TOPOLOGY =
        MYSQL_STEP_COUNT, /* who is in the cluster: before all that decides its role */
    RDS_STEP_COUNT,
};

/* All zero, but for what mysql_reports.h says, when a session begins. */
struct rds_seen {
    struct mysql_seen mysql;
    struct topology topology;
    bool told; /* by the last question */
};

/* The question of a step before RDS_STEP_COUNT. */
const char *rds_question(const struct rds_seen *seen, int step);

/* As mysql_step_take(); mysql_report() of seen->mysql is the report. */
int rds_step_take(struct rds_seen *seen, int step, const struct mysql_answer *answer,
                  struct mysql_report_failure *ret_failure);

#endif
