/* SPDX-License-Identifier: Apache-2.0
 *
 * supervise.h - keeps a holder running: one that dies, or hangs, is replaced.
 *
 * Its permits are lost then; every process hands its own over again at its next managed connect,
 * because the new one has another instance.
 */
#ifndef HOMING_AGENT_SEVER_SUPERVISE_H
#define HOMING_AGENT_SEVER_SUPERVISE_H

#include "agent/sever/holder.h"

/* Returns the process's exit code: when the holder ended by itself, could not start at all, or we
 * are told to end (SIGTERM, SIGINT). beat_fd of the config is filled in here. */
int supervise(struct holder_config config);

#endif
