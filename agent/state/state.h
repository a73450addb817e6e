/* SPDX-License-Identifier: Apache-2.0
 *
 * state.h - verdicts, terms and generations on disk, before they are published (W2).
 *
 * Each cluster has two files in state_dir, which are text and are overwritten in turn; the one with
 * the higher number behind `save` counts. A corrupt one is renamed aside (*.corrupt), and that is
 * logged; then the other one counts. If there is none, the cluster starts unknown. Members are
 * saved as host:port, so that a changed configuration maps them; a member that is gone is
 * MEMBER_NONE. Two agents share the directory under a lock and merge by term.
 */
#ifndef HOMING_AGENT_STATE_STATE_H
#define HOMING_AGENT_STATE_STATE_H

#include "agent/state/missing.h"
#include "agent/state/saved.h"

struct state;

/* Makes the directory (not its parents) if it is missing. It has to be readable. Whether it is
 * writable, state_save() finds out. -errno, with a line for the log in `ret_error`. */
int state_open(const char *dir, char *ret_error, size_t error_size, struct state **ret_state);
void state_close(struct state *state);
/* Whether the name still leads to the directory that was opened: it may have been removed, or something may have been
 * mounted over it. Then what is saved is not found after a restart. */
bool state_is_at(const struct state *state, const char *dir);

/* 0: loaded; have_verdict is false if nothing was ever saved. -EBADMSG: all that was saved is
 * corrupt and was renamed aside. Other -errno: it cannot be read. Times are translated from the
 * boot clock to CLOCK_MONOTONIC; after a reboot they are 0. */
int state_load(struct state *state, const struct conf_cluster *cluster,
               struct state_cluster *ret_saved);

/* 0: it is saved. -errno: the files hold what they held before.
 *
 * A save takes one fdatasync. If nothing is new but the times and the position, there is none, and
 * the save takes some ten system calls. It then outlives the agent, but not a crash of the machine;
 * the boot clock is another one after a crash anyway. The first save of a cluster, and a save that
 * outgrows its files, take three fsyncs. If another agent saved last, two more come first.
 *
 * -ESTALE: since we last loaded or saved, another agent saved a newer term, another identity, a
 * higher generation or an operator's order: load and merge. -EBUSY: another agent held the lock for
 * 100 ms. */
int state_save(struct state *state, const struct conf_cluster *cluster,
               const struct state_cluster *saved);

/* Which programs' permits were lost: missing.h, under the same lock. */
int state_load_missing(struct state *state, struct state_missing *ret_list);
int state_save_missing(struct state *state, const struct state_missing *list);

#endif
