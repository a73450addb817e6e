/* SPDX-License-Identifier: Apache-2.0
 *
 * supervise.h - keeps a holder running. One that dies or hangs is replaced.
 *
 * Its permits are lost with it. The new holder has another instance, so that every process hands
 * its permit over again at its next managed connect.
 */
#ifndef HOMING_AGENT_SEVER_SUPERVISE_H
#define HOMING_AGENT_SEVER_SUPERVISE_H

#include "agent/sever/holder.h"

/* Returns when the holder ended by itself, could not start at all, or this process is told to end
 * (SIGTERM, SIGINT): the code to exit with. beat_fd of the config is filled in here. */
int supervise(struct holder_config config);

#endif
