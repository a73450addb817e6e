/* SPDX-License-Identifier: Apache-2.0
 *
 * agent.h - one exchange with the agent: connect, ask, receive the view, map it.
 */
#ifndef HOMING_SHIM_VIEW_AGENT_H
#define HOMING_SHIM_VIEW_AGENT_H

#include <stddef.h>

#include "proto/view_read.h"

/* A view that was checked (V2) and is mapped. */
struct agent_view {
    struct view_map map;
    void *base;
    size_t size;
};

/* Asks the agent for its view. Waits for the reply for `patience_ms` at most, which is below 1000;
 * the time counts from the request. 0, or a negative errno: -ETIMEDOUT if the agent did not answer
 * in time, -EAGAIN if too many wait for it already. Then *ret_view is untouched, and nothing is
 * left open or mapped. May change errno. */
int agent_ask(unsigned patience_ms, struct agent_view *ret_view);

/* Unmaps a view. Only for one that no lookup has seen. */
void agent_view_done(const struct agent_view *view);

#endif
