/* SPDX-License-Identifier: Apache-2.0
 *
 * missing.h - the programs whose permits were lost with a homing-sever, on disk: nobody else can tell the next
 * agent which these are.
 *
 * Called by state.c, with the directory's lock held. One file, `missing`: a text for people with `cat`, which is
 * written under another name and renamed, so that an agent that is killed leaves a whole one. It is not synced:
 * no pid outlives a crash of the machine, and the loop need not wait for the disk. A list of another boot is
 * removed. Whatever is not exactly what missing_encode() writes is renamed to missing.corrupt.
 */
#ifndef HOMING_AGENT_STATE_MISSING_H
#define HOMING_AGENT_STATE_MISSING_H

#include "agent/state/clock.h"
#include "proto/sever.h"

/* Of each kind: as many permits as homing-sever holds. What is more is not saved. */
#define MISSING_MAX 16384

struct state_missing {
    const struct sever_holder *missing; /* whose permits were lost */
    const struct sever_holder *held;    /* whose were held when the agent ended */
    uint32_t missing_count;
    uint32_t held_count;
    uint32_t back;              /* of the processes without a pid, how many have come back */
    bool seen;                  /* pids mean the same to the agent as to homing-sever */
    uint64_t since_ms;          /* when the permits were lost, or the agent ended */
    struct sever_holder *owned; /* of what was loaded: both lists, to be freed */
};

/* Where and when this is: pids mean something in one pid namespace and one boot. */
struct missing_place {
    struct state_clock clock;
    uint64_t pids; /* which pid namespace; 0: not known */
};

/* Without anybody to save the file is removed. -errno: the file is as it was. */
int missing_save(int dir, const struct missing_place *place, const struct state_missing *list);

/* An empty list: there is no file, or it is of another boot. -EBADMSG: it made no sense, and was renamed aside.
 * Other -errno: it cannot be read. */
int missing_load(int dir, const struct missing_place *place, struct state_missing *ret_list);

/* The text; both are pure. *ret_text is malloc'd. -ENOMEM. */
int missing_encode(const struct missing_place *place, const struct state_missing *list,
                   char **ret_text, size_t *ret_len);
/* -EBADMSG: it is not such a text. -ESTALE: of another boot. -ENOMEM. */
int missing_decode(const char *text, size_t len, const struct missing_place *place,
                   struct state_missing *ret_list);

#endif
