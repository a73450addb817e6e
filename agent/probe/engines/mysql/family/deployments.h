/* SPDX-License-Identifier: Apache-2.0
 *
 * deployments.h - the table in which servers of AWS's tell of a blue/green deployment (W4a). Pure; shared
 * by the engines of MySQL's family that ask for it.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_MYSQL_FAMILY_DEPLOYMENTS_H
#define HOMING_AGENT_PROBE_ENGINES_MYSQL_FAMILY_DEPLOYMENTS_H

#include "agent/probe/deployment.h"
#include "agent/probe/engines/mysql/family/values.h"

/* A table that has told, and is not there for us in so many full questions in a row, is gone. Fewer: grants
 * that are loaded anew, or a table that is made anew, end a switchover. More: the word of a deployment that
 * was deleted is kept. */
#define MYSQL_DEPLOYMENT_MISSES 5

/* Without a row, there is no such table, or not for us: no error, and nothing in any log. */
#define MYSQL_QUESTION_LOOK                                                                        \
    "SELECT 1 FROM information_schema.TABLES"                                                      \
    " WHERE TABLE_SCHEMA = 'mysql' AND TABLE_NAME = 'rds_topology'"

#define MYSQL_QUESTION_DEPLOYMENT                                                                  \
    "SELECT endpoint, port, role, status, version FROM mysql.rds_topology"

/* The answer to that: how far it is, and the green servers. False: it is none. */
bool mysql_take_deployment(const struct mysql_answer *answer, enum phase *ret_phase,
                           struct topology *topology);

/* Whether the error says that the server has no such table, or not for us. */
bool mysql_has_no_deployment(const struct mysql_error *error);

#endif
