/* SPDX-License-Identifier: Apache-2.0
 *
 * text.h - a cluster's saved state as text: one `key value` per line, for people with `cat`.
 *
 * Called by state.c. Pure: no file, no clock. The first line is the format's version. state/disk.c
 * finds out whether the text is whole. Keys that are not known are skipped, so that an older agent
 * reads what a newer one wrote. Times are those of the boot clock, with the boot's id. Members are
 * written as host and port.
 */
#ifndef HOMING_AGENT_STATE_TEXT_H
#define HOMING_AGENT_STATE_TEXT_H

#include <stddef.h>

#include "agent/state/clock.h"
#include "agent/state/saved.h"

/* *ret_text is malloc'd. -ENOMEM; -EINVAL: a name holds a character that would break a line. */
int state_text_encode(const struct conf_cluster *cluster, const struct state_cluster *saved,
                      const struct state_clock *clock, char **ret_text, size_t *ret_len);

/* -EBADMSG: it is not what state_text_encode() wrote for a cluster of this name. -ENOMEM. */
int state_text_decode(const char *text, size_t len, const struct conf_cluster *cluster,
                      const struct state_clock *clock, struct state_cluster *ret_saved);

#endif
