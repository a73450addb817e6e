/* SPDX-License-Identifier: Apache-2.0
 *
 * guard.h - around calls that another process's descriptor can make wait: an interval timer
 * interrupts them. Called wherever a received descriptor is read, received or closed.
 */
#ifndef HOMING_AGENT_SEVER_GUARD_H
#define HOMING_AGENT_SEVER_GUARD_H

/* Installs the signal's handler, once per process. */
void guard_init(void);

/* From the first to the second, waiting calls fail with EINTR every GUARD_MS. No nesting. */
#define GUARD_MS 20
void guard_begin(void);
void guard_end(void);

/* Closes a descriptor that came from, or holds what came from, somebody else: sockets without
 * lingering. Keeps errno. */
void guard_close(int fd);

#endif
