/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_global_mysql_kind.h - what an Aurora Global Database with MySQL is: engine_kind_aurora_global_mysql, for its row in engines.c.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_MYSQL_AURORA_GLOBAL_MYSQL_KIND_H
#define HOMING_AGENT_PROBE_ENGINES_MYSQL_AURORA_GLOBAL_MYSQL_KIND_H

#include "agent/conf/engine_kind.h"

extern const struct engine_kind engine_kind_aurora_global_mysql;

#endif
