/* SPDX-License-Identifier: Apache-2.0
 *
 * postgresql.h - PostgreSQL, as engines.c lists it: what it is (postgresql_kind.c), and how it is
 * asked (postgresql.c).
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_H
#define HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_H

#include "agent/probe/engine.h"

extern const struct engine_kind engine_kind_postgresql;
extern const struct engine engine_postgresql;

#endif
