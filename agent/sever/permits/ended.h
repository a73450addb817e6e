/* SPDX-License-Identifier: Apache-2.0
 *
 * ended.h - restored permits whose process has ended: does a child that it has forked go on with its memory?
 *
 * Only the kernel knows, and where somebody holds a page of the memory back, it has whoever asks wait
 * (tag_memory.h). So a turn of the loop asks about one memory at most, and if that took long, other work comes
 * first for several times as long. A permit whose memory is held back ends. So do all others here of the same
 * user, without being asked about: however many he has, he costs one such wait.
 */
#ifndef HOMING_AGENT_SEVER_PERMITS_ENDED_H
#define HOMING_AGENT_SEVER_PERMITS_ENDED_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/loop.h"
#include "agent/sever/deputy/deputies.h"
#include "agent/sever/permits/held.h"

/* Takes the permit out with ended_remove(), and frees it. */
typedef void ended_drop_fn(struct permit *permit);

struct ended {
    struct loop *loop;
    struct loop_timer *look;
    struct deputies asking;
    ended_drop_fn *drop;
    struct permit *first; /* who is asked about next; in the order of their look_ms */
    struct permit *last;
    uint64_t from_ms; /* nothing is asked before */
    uint64_t pinned;  /* permits that ended because a memory was held back */
};

/* False: out of memory. */
bool ended_init(struct ended *ended, struct loop *loop, ended_drop_fn *drop);
void ended_free(struct ended *ended);

/* The permit is asked about soon, and then again and again until it is dropped. It is in there once at most. */
void ended_add(struct ended *ended, struct permit *permit);

/* Does nothing if it is not there. */
void ended_remove(struct ended *ended, struct permit *permit);

#endif
