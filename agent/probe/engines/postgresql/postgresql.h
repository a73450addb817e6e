/* SPDX-License-Identifier: Apache-2.0
 *
 * postgresql.h - how PostgreSQL is asked: engine_postgresql, for its row in engines.c.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_POSTGRESQL_H
#define HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_POSTGRESQL_H

#include "agent/probe/engine.h"

extern const struct engine engine_postgresql;

#endif
