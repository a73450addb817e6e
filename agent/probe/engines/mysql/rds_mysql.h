/* SPDX-License-Identifier: Apache-2.0
 *
 * rds_mysql.h - how a Multi-AZ DB cluster is asked: engine_rds_mysql, for its row in engines.c.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_MYSQL_RDS_MYSQL_H
#define HOMING_AGENT_PROBE_ENGINES_MYSQL_RDS_MYSQL_H

#include "agent/probe/engine.h"

extern const struct engine engine_rds_mysql;

#endif
