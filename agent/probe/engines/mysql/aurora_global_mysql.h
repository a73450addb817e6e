/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_global_mysql.h - how an Aurora Global Database is asked: engine_aurora_global_mysql, for its row in engines.c.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_MYSQL_AURORA_GLOBAL_MYSQL_H
#define HOMING_AGENT_PROBE_ENGINES_MYSQL_AURORA_GLOBAL_MYSQL_H

#include "agent/probe/engine.h"

extern const struct engine engine_aurora_global_mysql;

#endif
