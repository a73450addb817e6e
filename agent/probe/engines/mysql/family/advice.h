/* SPDX-License-Identifier: Apache-2.0
 *
 * advice.h - what to do about what a server of MySQL's family says.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_MYSQL_FAMILY_ADVICE_H
#define HOMING_AGENT_PROBE_ENGINES_MYSQL_FAMILY_ADVICE_H

#include "agent/conf/engine_kind.h"

extern const struct engine_advice mysql_advice[];
extern const char *const mysql_grants[];

#endif
