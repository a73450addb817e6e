/* SPDX-License-Identifier: Apache-2.0
 *
 * processes.h - which permits are one process', without a walk through all.
 *
 * Called by permits.c. Every permit that is held is in there once. One process has one pid here, or 0 if it is not
 * seen. So its permits are in one chain, the newest first. Chains are short, but that of the pid 0.
 */
#ifndef HOMING_AGENT_SEVER_PERMITS_PROCESSES_H
#define HOMING_AGENT_SEVER_PERMITS_PROCESSES_H

#include "agent/sever/permits/held.h"

#define PROCESSES_CHAINS 4096

/* All zero: there is none. */
struct processes {
    struct permit *newest[PROCESSES_CHAINS];
};

static inline struct permit **processes_chain(struct processes *processes, pid_t pid)
{
    return &processes->newest[(uint32_t)pid % PROCESSES_CHAINS];
}

static inline void processes_add(struct processes *processes, struct permit *permit)
{
    struct permit **at = processes_chain(processes, permit->pid);

    permit->process_before = *at;
    *at = permit;
}

static inline void processes_remove(struct processes *processes, const struct permit *permit)
{
    struct permit **at = processes_chain(processes, permit->pid);

    while (*at != permit)
        at = &(*at)->process_before;
    *at = permit->process_before;
}

static inline bool processes_are_same(const struct permit *a, const struct permit *b)
{
    return (a->started && a->started == b->started && a->pid == b->pid) ||
           (a->process_id && a->process_id == b->process_id);
}

/* From `permit` on, the first one of the same process as `of`; NULL: there is none. */
static inline struct permit *processes_find(struct permit *permit, const struct permit *of)
{
    while (permit && !processes_are_same(permit, of))
        permit = permit->process_before;
    return permit;
}

/* The newest one of the same process as `of`, which need not be in there. */
static inline struct permit *processes_newest(struct processes *processes, const struct permit *of)
{
    return processes_find(*processes_chain(processes, of->pid), of);
}

/* The one before it. */
static inline struct permit *processes_before(const struct permit *permit, const struct permit *of)
{
    return processes_find(permit->process_before, of);
}

#endif
