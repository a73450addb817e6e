/* SPDX-License-Identifier: Apache-2.0
 *
 * state_text.h - a cluster's saved state as text: one `key value` per line, for people with `cat`.
 *
 * Called by state.c. Pure: no file, no clock. The first line is the format's version, the last one
 * a sum over all before it, so that a file that was cut or changed anywhere is seen. Keys that are
 * not known are skipped: an older agent reads what a newer one wrote. Times are kept on the boot
 * clock with the boot's id; members by host and port.
 */
#ifndef HOMING_STATE_TEXT_H
#define HOMING_STATE_TEXT_H

#include <stddef.h>

#include "agent/publish/state.h"

/* Three readings of one moment. boot_id "": not known, then times of before mean nothing. */
struct state_clock {
    uint64_t monotonic_ms;
    uint64_t boot_ms;
    char boot_id[40];
};

/* *ret_text is malloc'd. -ENOMEM; -EINVAL: a name holds what would break a line. */
int state_text_encode(const struct conf_cluster *cluster, const struct state_cluster *saved,
                      const struct state_clock *clock, char **ret_text, size_t *ret_len);

/* -EBADMSG: not what state_text_encode() wrote for a cluster of this name. -ENOMEM. */
int state_text_decode(const char *text, size_t len, const struct conf_cluster *cluster,
                      const struct state_clock *clock, struct state_cluster *ret_saved);

/* What changes all the time while nothing happens, as a text beside that of the state: position and
 * time of confirmation. `of`: the sum of the state's text, to which alone it belongs. Of constant
 * length for one boot, so that it can be overwritten in place. Returns the length. */
#define STATE_RECENT_MAX 256
size_t state_text_encode_recent(const struct verdict *verdict, const struct state_clock *clock,
                                uint64_t of, char ret_text[STATE_RECENT_MAX]);

/* Brings the verdict up to date. False: this is another state's, or of before a reboot, or damaged,
 * all of which can happen, and mean that there is nothing newer than the state. */
bool state_text_decode_recent(const char *text, size_t len, const struct state_clock *clock,
                              uint64_t of, struct verdict *verdict);

/* FNV-1a: any change of one byte changes it. Two texts with one sum are taken for the same. */
uint64_t state_text_sum(const char *text, size_t len);

#endif
