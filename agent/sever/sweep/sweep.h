/* SPDX-License-Identifier: Apache-2.0
 *
 * sweep.h - one sweep of one order through all groups: list, judge, abort.
 *
 * One pass, by sweeps.c: sweep_begin(), then sweep_turn() as long as it says that there is more,
 * then sweep_end(). Group by group the kernel lists the connections to the order's addresses; tags
 * say which are outdated (tags.h); those whose turn it is are aborted (turns.h). One turn is a
 * bounded piece of that: one group's list, or TAGS_PER_TURN memories, or ABORTS_PER_TURN aborts.
 */
#ifndef HOMING_AGENT_SEVER_SWEEP_SWEEP_H
#define HOMING_AGENT_SEVER_SWEEP_SWEEP_H

#include "agent/sever/permits/permits.h"
#include "agent/sever/sweep/tags.h"
#include "proto/sever.h"

enum sweep_stage {
    SWEEP_LIST,
    SWEEP_JUDGE,
    SWEEP_ABORT
};

/* What an order's sweeps have done so far, added up. */
struct sweep_results {
    struct sever_counts counts;
    struct sever_row *rows; /* with SEVER_LIST, the tagged connections */
    uint32_t row_count;
    uint32_t row_max;
};

/* All zero but for permits and salt: none is under way. */
struct sweep {
    struct permits *permits;
    uint64_t salt; /* of turns_sort() */
    const struct sever_order *order;
    uint32_t nth; /* of the order's sweeps, from 0 */
    struct sweep_results *results;

    uint64_t mark;       /* counts sweeps and rounds of judging; marks groups and permits as done */
    uint64_t swept;      /* the mark of this sweep */
    struct group *group; /* NULL: the next one */
    enum sweep_stage stage;
    uint64_t netns; /* of the group before */
    struct tags tags;
    uint32_t at; /* entry to be aborted next */
};

/* The order and the results stay the caller's, until sweep_end(). */
void sweep_begin(struct sweep *sweep, const struct sever_order *order, uint32_t nth,
                 struct sweep_results *results);
/* False: all groups are swept. */
bool sweep_turn(struct sweep *sweep, uint64_t now_ms);
void sweep_end(struct sweep *sweep);

/* Before a group is freed. */
void sweep_group_gone(struct sweep *sweep, const struct group *group);

#endif
