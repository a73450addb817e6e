/* SPDX-License-Identifier: Apache-2.0
 *
 * guard.h - a call on a descriptor that another process sent can wait for ever. Between
 * guard_begin() and guard_end() an interval timer interrupts such calls.
 *
 * Used wherever a descriptor from a program is received or closed. For calls that no signal ends there are
 * deputies (deputies.h).
 */
#ifndef HOMING_AGENT_SEVER_PERMITS_GUARD_H
#define HOMING_AGENT_SEVER_PERMITS_GUARD_H

/* Installs the signal's handler, once per process. */
void guard_init(void);

/* From the first to the second, waiting calls fail with EINTR every GUARD_MS. No nesting. */
#define GUARD_MS 20
void guard_begin(void);
void guard_end(void);

/* Closes a descriptor that another process sent, or a connection in which such descriptors may
 * still lie. A socket is closed without lingering. Keeps errno. */
void guard_close(int fd);

#endif
