/* SPDX-License-Identifier: Apache-2.0
 *
 * agent.h - one exchange with the agent: connect, ask, receive the view, map it.
 */
#ifndef HOMING_SHIM_AGENT_H
#define HOMING_SHIM_AGENT_H

#include <stddef.h>

#include "proto/view_read.h"

/* A mapped view that was checked (V2). */
struct agent_view {
    struct view_map map;
    void *base;
    size_t size;
};

/* Asks the agent for its view, and waits for the reply, from the request on, for `patience_ms` at
 * most (below 1000). 0; or a negative errno, -ETIMEDOUT when it did not answer in time, -EAGAIN
 * when too many wait for it already, with *ret_view untouched and nothing left open or mapped. May
 * change errno. */
int agent_ask(unsigned patience_ms, struct agent_view *ret_view);

/* Unmaps a view that no lookup has seen. */
void agent_view_done(const struct agent_view *view);

#endif
