/* SPDX-License-Identifier: Apache-2.0
 *
 * engines.h - the engines of this version, one row each in engines.c. main.c hands them to conf and
 * to the daemon.
 */
#ifndef HOMING_AGENT_PROBE_ENGINES_ENGINES_H
#define HOMING_AGENT_PROBE_ENGINES_ENGINES_H

#include "agent/probe/engine.h"

/* Both in the order of the rows, with NULL behind the last. */
extern const struct engine_kind *const engine_kinds[]; /* for conf_load() */
extern const struct engine *const engines[];           /* for daemon_new() */

#endif
