/* SPDX-License-Identifier: Apache-2.0
 *
 * handover.h - permit.sock: programs come, hand over a permit, and stay connected.
 *
 * One pass: a connection is accepted and waits in line (queue.h). When it has sent something, and
 * those before it are done, the receiver is asked what it is (receiver.h). A permit goes to
 * permits.c together with its connection; every other connection is closed.
 *
 * 1. Nothing that a program sent is read in this process. Only the receiver reads it.
 * 2. A receiver that has ended, or that sleeps instead of answering, is replaced. The connection
 *    it was asked about is closed; the others wait on.
 * 3. While no receiver can be started, no permits are taken. That is tried again all the time.
 */
#ifndef HOMING_AGENT_SEVER_PERMITS_HANDOVER_H
#define HOMING_AGENT_SEVER_PERMITS_HANDOVER_H

#include "agent/sever/permits/permits.h"

struct handover;

struct handover_figures {
    uint64_t taken;
    uint64_t refused; /* offers that are no permit */
    uint64_t stuck;   /* receivers that were replaced */
    uint32_t waiting; /* connections in line */
    bool paused;      /* too many receivers hang and could not be killed */
};

/* The listening socket stays the caller's. -errno: no receiver, or out of memory. */
int handover_new(struct loop *loop, struct permits *permits, int listening,
                 struct handover **ret_handover);
void handover_free(struct handover *handover);

void handover_figures(const struct handover *handover, struct handover_figures *ret_figures);

#endif
