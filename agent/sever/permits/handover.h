/* SPDX-License-Identifier: Apache-2.0
 *
 * handover.h - permit.sock: programs come, hand over a permit, and stay connected.
 *
 * One pass: a connection is accepted and waits in line (queue.h). When it has sent something, and it
 * is its user's turn, the receiver is asked what it is (receiver.h). A permit goes to permits.c
 * together with its connection; every other connection is closed.
 *
 * 1. Nothing that a program sent is read in this process. Only the receiver reads it.
 * 2. A receiver that has ended, or that sleeps instead of answering, is replaced. The connection
 *    it was asked about is closed; the others wait on. A user whose descriptors hang a receiver for
 *    good is barred.
 * 3. While no receiver can be started, no permits are taken. That is tried again all the time.
 */
#ifndef HOMING_AGENT_SEVER_PERMITS_HANDOVER_H
#define HOMING_AGENT_SEVER_PERMITS_HANDOVER_H

#include "agent/base/sockpath.h"
#include "agent/sever/permits/permits.h"

struct handover;

struct handover_figures {
    uint64_t taken;
    uint64_t refused;     /* offers that are no permit */
    uint64_t left;        /* connections whose program had gone before they were looked at */
    uint64_t stuck;       /* receivers that were replaced */
    uint32_t waiting;     /* connections in line */
    uint64_t crowded_out; /* closed because the line was full */
    uid_t crowded_uid;    /* whose the last of them was */
    bool paused;          /* too many receivers hang and could not be killed */
};

/* The socket stays the caller's; `closer` closes connections to it; at most `queue_max` wait. -errno: no receiver, or out of
 * memory. */
int handover_new(struct loop *loop, struct closer *closer, struct permits *permits,
                 const struct sockpath *sock, uint32_t queue_max, struct handover **ret_handover);
void handover_free(struct handover *handover);

/* Another socket, which gets the old one's name (names_listener of names.h). handover_renewed(): `sock`
 * is that one by now. */
struct loop_io *handover_watch(void *handover, int fd);
void handover_move(void *handover, int fd, struct loop_io *io);
void handover_renewed(const struct handover *handover);

void handover_figures(const struct handover *handover, struct handover_figures *ret_figures);

/* Whether no permit is on its way here, also none of a program that waits in the kernel. */
bool handover_is_idle(const struct handover *handover);

#endif
