/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_postgresql_kind.h - what aurora-postgresql, Amazon Aurora with PostgreSQL's protocol is: engine_kind_aurora_postgresql, for its
 * row in engines.c.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_AURORA_POSTGRESQL_KIND_H
#define HOMING_AGENT_PROBE_ENGINES_POSTGRESQL_AURORA_POSTGRESQL_KIND_H

#include "agent/conf/engine_kind.h"

extern const struct engine_kind engine_kind_aurora_postgresql;

#endif
