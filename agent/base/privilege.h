/* SPDX-License-Identifier: Apache-2.0
 *
 * privilege.h - gives up what this process may do. Called at start by homingd and homing-sever.
 */
#ifndef HOMING_AGENT_BASE_PRIVILEGE_H
#define HOMING_AGENT_BASE_PRIVILEGE_H

#include <stdbool.h>
#include <stdint.h>

/* Whether the effective set holds the capability (CAP_* of <linux/capability.h>). */
bool privilege_has(int capability);

/* Gives up all capabilities but those of the mask (1 << CAP_*), in all sets, for good: no program
 * started from here gets one back (no_new_privs), and no process of the same uid can look into this
 * process's memory or descriptors. 0 or negative errno. */
int privilege_keep(uint64_t mask);

#endif
