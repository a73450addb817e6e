/* SPDX-License-Identifier: Apache-2.0
 *
 * loss.h - what a switch may have cost: the old writer's last position that was seen, against where
 * the new writer's history parts from it. Pure; called by daemon/events.c.
 *
 * It is evidence, not an account: what the old writer wrote after it was last seen nobody here
 * knows, and what lies between the two need not have been committed.
 */
#ifndef HOMING_AGENT_DAEMON_LOSS_H
#define HOMING_AGENT_DAEMON_LOSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/conf/engine_kind.h"

struct loss {
    uint64_t last;   /* newest position seen on the old writer; 0: none */
    uint64_t branch; /* of the new writer; 0: not known */
    bool exact;      /* it is the branch point; else the truth is there or before it */
    bool comparable; /* one data set */
};

/* Bytes that were seen on the old writer behind the branch point; at least so many,
 * if not exact. */
uint64_t loss_bytes(const struct loss *loss);

/* One sentence, in the words of the engine's own people. */
void loss_print(const struct loss *loss, const struct engine_kind *engine, const char *from,
                const char *to, char *ret, size_t size);

#endif
