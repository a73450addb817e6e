/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_postgresql.h - how aurora-postgresql, Amazon Aurora with PostgreSQL's protocol is asked: engine_aurora_postgresql, for its row
 * in engines.c.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_AURORA_POSTGRESQL_H
#define HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_AURORA_POSTGRESQL_H

#include "agent/probe/engine.h"

extern const struct engine engine_aurora_postgresql;

#endif
