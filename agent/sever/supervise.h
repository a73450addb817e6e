/* SPDX-License-Identifier: Apache-2.0
 *
 * supervise.h - keeps a holder running, and what its permits need. A holder that dies or hangs is replaced by one
 * that goes on with the same permits (kept.h). It has another instance: each process hands over once more, at
 * its next managed connect, and gets its connection to permit.sock back by that.
 *
 * If the supervisor dies, the holder becomes a supervisor in its place, of a new holder.
 */
#ifndef HOMING_AGENT_SEVER_SUPERVISE_H
#define HOMING_AGENT_SEVER_SUPERVISE_H

#include "agent/sever/holder.h"

/* Returns when the holder ended by itself, could not start at all, or this process is told to end
 * (SIGTERM, SIGINT): the code to exit with. beat_fd and keep_fd of the config are filled in here.
 * `kept` is what was kept before. */
int supervise(struct holder_config config, struct kept kept);

#endif
