/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql.h - how MySQL and MariaDB are asked: engine_mysql, for its row in engines.c.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_MYSQL_MYSQL_H
#define HOMING_AGENT_PROBE_ENGINES_MYSQL_MYSQL_H

#include "agent/probe/engine.h"

extern const struct engine engine_mysql;

#endif
