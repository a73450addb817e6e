/* SPDX-License-Identifier: Apache-2.0
 *
 * reload.h - exchanges the configuration.
 */
#ifndef HOMING_AGENT_DAEMON_RELOAD_H
#define HOMING_AGENT_DAEMON_RELOAD_H

#include "agent/daemon/shared.h"

/* Reads the configuration's file again: all or nothing. On failure -errno, and nothing has changed.
 * Clusters that did not change keep probes, reports, verdicts. *ret_lines is set in either case:
 * malloc'd text, one line per error or warning, "" if there are none. */
int reload_conf(struct daemon *daemon, char **ret_lines);

/* Exchanges the objects of those clusters whose members are others by now (daemon/discovery). */
void reload_members(struct daemon *daemon);

/* Bounds the process to what the configuration in force needs (I6), and finds out whether its limit
 * of open files allows that. At the start, and after each reload. */
void reload_bounds(struct daemon *daemon);

#endif
