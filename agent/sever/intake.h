/* SPDX-License-Identifier: Apache-2.0
 *
 * intake.h - permit.sock: programs come, hand over a permit, and stay connected.
 *
 * One pass: a connection is accepted; when it is readable it goes, after those that came before it,
 * to the receiver (receive.h), one at a time; what that says is a permit goes to permits.c with
 * its connection, all else is closed.
 *
 * 1. Nothing of a stranger is read or closed here but the connection itself.
 * 2. A receiver that does not answer is killed and replaced; the connection that it was busy with
 *    is closed, the others wait on. What cannot even be killed is left behind, RECEIVERS_STUCK_MAX
 *    of them at most; then no permits are taken until one of them has ended.
 */
#ifndef HOMING_AGENT_SEVER_INTAKE_H
#define HOMING_AGENT_SEVER_INTAKE_H

#include "agent/base/sockpath.h"
#include "agent/sever/permits.h"

struct intake;

struct intake_figures {
    uint64_t taken;
    uint64_t refused; /* not a permit */
    uint64_t stuck;   /* receivers that were replaced */
    uint32_t waiting; /* connections without a permit so far */
    bool paused;      /* too many receivers are stuck */
};

/* Takes over the listening socket. -errno: no receiver. */
int intake_new(struct loop *loop, struct permits *permits, int listening,
               struct intake **ret_intake);
void intake_free(struct intake *intake);

void intake_figures(const struct intake *intake, struct intake_figures *ret_figures);

#endif
