/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_global_postgresql_kind.h - what an Aurora Global Database with PostgreSQL is:
 * engine_kind_aurora_global_postgresql, for its row in engines.c.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_AURORA_GLOBAL_POSTGRESQL_KIND_H
#define HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_AURORA_GLOBAL_POSTGRESQL_KIND_H

#include "agent/conf/engine_kind.h"

extern const struct engine_kind engine_kind_aurora_global_postgresql;

#endif
