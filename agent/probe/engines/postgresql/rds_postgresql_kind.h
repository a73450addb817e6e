/* SPDX-License-Identifier: Apache-2.0
 *
 * rds_postgresql_kind.h - what a Multi-AZ DB cluster of RDS with PostgreSQL is: engine_kind_rds_postgresql,
 * for its row in engines.c.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_RDS_POSTGRESQL_KIND_H
#define HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_RDS_POSTGRESQL_KIND_H

#include "agent/conf/engine_kind.h"

extern const struct engine_kind engine_kind_rds_postgresql;

#endif
