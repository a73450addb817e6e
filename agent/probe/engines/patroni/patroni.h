/* SPDX-License-Identifier: Apache-2.0
 *
 * patroni.h - how the members of a Patroni cluster are asked: engine_patroni, for its row in engines.c.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_PATRONI_PATRONI_H
#define HOMING_AGENT_PROBE_ENGINES_PATRONI_PATRONI_H

#include "agent/probe/engine.h"

extern const struct engine engine_patroni;

#endif
