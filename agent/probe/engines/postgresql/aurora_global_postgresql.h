/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_global_postgresql.h - how an Aurora Global Database with PostgreSQL is asked:
 * engine_aurora_global_postgresql, for its row in engines.c.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_AURORA_GLOBAL_POSTGRESQL_H
#define HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_AURORA_GLOBAL_POSTGRESQL_H

#include "agent/probe/engine.h"

extern const struct engine engine_aurora_global_postgresql;

#endif
