/* SPDX-License-Identifier: Apache-2.0
 *
 * loss.h - what a switch may have cost: compares the last position that was seen on the old writer
 * with the one where the new writer's history parts from it. Pure; called by daemon/events.c.
 *
 * It is evidence, not an account. What the old writer wrote after it was last seen is not known
 * here. And what lies between the two positions need not have been committed.
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
    bool exact;      /* `branch` is the branch point; if not, that is there or before it */
    bool comparable; /* both hold one data set */
};

/* Bytes that were seen on the old writer behind the branch point; at least so many,
 * if not exact. */
uint64_t loss_bytes(const struct loss *loss);

/* One sentence, in the words of the engine's operators. */
void loss_print(const struct loss *loss, const struct engine_kind *engine, const char *from,
                const char *to, char *ret, size_t size);

#endif
