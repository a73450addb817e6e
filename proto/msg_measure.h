/* SPDX-License-Identifier: Apache-2.0
 *
 * msg_measure.h - finds where a MessagePack value ends, while its bytes arrive.
 *
 * Called by msg.c before anything is unpacked: what passes holds every element it declares, so
 * that unpacking needs memory in proportion to bytes that were really sent.
 */
#ifndef HOMING_PROTO_MSG_MEASURE_H
#define HOMING_PROTO_MSG_MEASURE_H

#include <stddef.h>
#include <stdint.h>

/* Deepest nesting of a message; ours have 7 (a member's addresses in `status`). Bounds recursion on
 * both ends. */
#define MSG_DEPTH_MAX 16

enum msg_measured {
    MSG_MEASURED_MORE,     /* the value goes on after these bytes */
    MSG_MEASURED_WHOLE,    /* it ends at `done` */
    MSG_MEASURED_BAD,      /* no such encoding, or an extension type: this protocol has none */
    MSG_MEASURED_TOO_LONG, /* will be longer than max, or is too deep */
    MSG_MEASURED_COUNT
};

struct msg_measure {
    size_t done;                         /* bytes that need not be looked at again */
    uint32_t depth;                      /* levels in use */
    uint64_t missing[MSG_DEPTH_MAX + 1]; /* values still to come, per level */
};

void msg_measure_init(struct msg_measure *m);

/* Goes on with the value that starts at `data`, of which `len` bytes have arrived in all. */
enum msg_measured msg_measure(struct msg_measure *m, const uint8_t *data, size_t len, size_t max);

#endif
