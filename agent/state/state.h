/* SPDX-License-Identifier: Apache-2.0
 *
 * state.h - verdicts, terms and generations on disk, before they are published (W2).
 *
 * Two files per cluster in state_dir, as text, overwritten in turn; the one whose `save` is the
 * higher number counts. A corrupt one is renamed aside (*.corrupt) and said so; then the other one
 * counts, and if there is none, the cluster starts unknown. Members are saved as host:port, so that
 * a changed configuration maps them; one that is gone is MEMBER_NONE. Two agents share the
 * directory under a lock and merge by term.
 */
#ifndef HOMING_AGENT_STATE_STATE_H
#define HOMING_AGENT_STATE_STATE_H

#include "agent/state/saved.h"

struct state;

/* Makes the directory (not its parents) if it is missing; it has to be readable, and is found not
 * to be writable by state_save(). -errno, with a line for the log in `ret_error`. */
int state_open(const char *dir, char *ret_error, size_t error_size, struct state **ret_state);
void state_close(struct state *state);

/* 0 (have_verdict may be false: never saved); -EBADMSG: all there was is corrupt and renamed aside;
 * -errno. confirmed_ms is translated from boot clock and boot id to now's CLOCK_MONOTONIC, 0 after
 * a reboot. */
int state_load(struct state *state, const struct conf_cluster *cluster,
               struct state_cluster *ret_saved);

/* On disk when it returns 0, as before when not; takes one fdatasync, but no longer than a system
 * call or ten if nothing changed but the times and the position: those outlive the agent, not a
 * crash of the machine, after which the boot clock is another anyway. The first save there is, and
 * one that outgrows its files, take three fsyncs, an agent's first one after another's two.
 * -ESTALE: since we last loaded or saved, another agent saved a newer term, another identity, a
 * higher generation or an operator's order there: load and merge. -EBUSY: another agent holds the
 * lock for 100 ms. */
int state_save(struct state *state, const struct conf_cluster *cluster,
               const struct state_cluster *saved);

#endif
