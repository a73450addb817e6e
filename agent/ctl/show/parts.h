/* SPDX-License-Identifier: Apache-2.0
 *
 * parts.h - what the views of agent/ctl/show have in common. Inside of that folder only.
 */
#ifndef HOMING_AGENT_CTL_SHOW_PARTS_H
#define HOMING_AGENT_CTL_SHOW_PARTS_H

#include "agent/ctl/show/show.h"

/* Bytes for a text that was made fit for the terminal; longer ones are cut. */
#define CLEAN_SIZE 1024

/* Whether the string `key` of a map is this one. */
bool show_is(const struct msg_value *map, const char *key, const char *text);

/* An age of the map in milliseconds, or "never"; padded to `width`. */
void show_age(const struct show *show, const struct msg_value *map, const char *key, int width);

/* The table of a cluster's members, with its head. */
void show_members(const struct show *show, const struct msg_value *cluster);

#endif
