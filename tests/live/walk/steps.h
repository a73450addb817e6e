/* SPDX-License-Identifier: Apache-2.0
 *
 * steps.h - the steps of a walker within one process: what programs do with names, connections and
 * descriptor numbers. Each is random, by the walker's dice.
 */
#ifndef HOMING_TESTS_LIVE_WALK_STEPS_H
#define HOMING_TESTS_LIVE_WALK_STEPS_H

#include "tests/live/walk/notes.h"

/* What a program of strangers cannot go on after. */
void steps_die(const char *what);

int steps_cluster(struct walker *w);

/* False: the name is not known. *ret: its first address. */
bool steps_lookup(struct walker *w, enum walk_name name, int cluster, struct target *ret);
/* False: it is not connected: there is no writer, or it was severed already. */
bool steps_connect_to(struct walker *w, const struct target *to);

/* Closes it; the last of the walker's takes its place. */
void steps_drop(struct walker *w, struct held *held);
/* Looks at it; it is dropped if it was severed, or kept for long enough. */
void steps_check_one(struct walker *w, struct held *held, uint64_t now_ms);
void steps_check_all(struct walker *w, uint64_t now_ms);

void steps_take_lookup(struct walker *w);
void steps_take_connect(struct walker *w);
void steps_take_again(struct walker *w); /* one socket, twice */
void steps_take_close(struct walker *w);
void steps_take_shutdown(struct walker *w);
void steps_take_dup(struct walker *w);
void steps_take_dup_over(struct walker *w);
void steps_take_pipe(struct walker *w);
void steps_take_check(struct walker *w);

#endif
