/* SPDX-License-Identifier: Apache-2.0
 *
 * rds_postgresql.h - how a Multi-AZ DB cluster with PostgreSQL is asked: engine_rds_postgresql, for its row
 * in engines.c.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_RDS_POSTGRESQL_H
#define HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_RDS_POSTGRESQL_H

#include "agent/probe/engine.h"

extern const struct engine engine_rds_postgresql;

#endif
