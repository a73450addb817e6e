/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_kind.h - what MySQL and MariaDB are: engine_kind_mysql, for its row in engines.c.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_MYSQL_MYSQL_KIND_H
#define HOMING_AGENT_PROBE_ENGINES_MYSQL_MYSQL_KIND_H

#include "agent/conf/engine_kind.h"

extern const struct engine_kind engine_kind_mysql;

/* A position is one more than this: 0 is "not known". */
void mysql_print_count(uint64_t position, char *ret, size_t size);

#endif
