/* SPDX-License-Identifier: Apache-2.0
 *
 * judging.h - one group's connections are judged by the tag memories of its processes, the cheapest
 * first.
 *
 * One pass, by sweep.c: judging_begin() when the connections are listed, judging_turn() as long as
 * there is more. A memory is read if its process can have one of the connections at all, or if there
 * is time for it all the same; as far as it is filled; and once, though several processes handed it
 * over. If it would cost more than its user may (rota.h), it waits for a later round.
 *
 * The group's own tags say what is outdated. If it matters which connections no process has tagged,
 * the other groups of the namespace follow: of them only the memories that can tell.
 */
#ifndef HOMING_AGENT_SEVER_SWEEP_JUDGING_H
#define HOMING_AGENT_SEVER_SWEEP_JUDGING_H

#include "agent/sever/sweep/rota.h"
#include "agent/sever/sweep/tags.h"

struct judging_memory;

/* All zero: none is under way. */
struct judging {
    const struct permits *permits;
    const struct group *group;
    const struct sever_order *order;
    uint64_t mark;               /* of the permits whose memories were read */
    uint64_t ended;              /* permits that had ended when `list` was made */
    const struct permit *newest; /* of the group, then; only compared */
    struct judging_memory *list;
    uint32_t count;
    uint32_t at;
    uint32_t read;   /* memories */
    bool all_read;   /* no memory that can matter was left for a later round */
    bool everything; /* none at all was left out, though it could not matter */
    /* The memory that is being read; fd -1: none. */
    int fd;
    struct tag_reading reading;
    bool matters;
    struct tags_owner owner;
    struct uids uids;
};

/* `tags` holds what was listed. 0; -ENOMEM: then nothing is judged. */
int judging_begin(struct judging *judging, const struct permits *permits, const struct group *group,
                  const struct sever_order *order, struct tags *tags, struct rota *rota);
/* Reads some. False: there is no more. */
bool judging_turn(struct judging *judging, struct tags *tags, struct rota *rota);
void judging_done(struct judging *judging);

#endif
