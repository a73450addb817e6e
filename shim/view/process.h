/* SPDX-License-Identifier: Apache-2.0
 *
 * process.h - what belongs to this process: its settings, its clock, its turn among the readers.
 */
#ifndef HOMING_SHIM_VIEW_PROCESS_H
#define HOMING_SHIM_VIEW_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

/* Whether this process is to be left alone: HOMING_DISABLE=1 was in its environment at its first
 * lookup. Under AT_SECURE the environment is another user's, and does not
 * count. */
bool process_disabled(void);

/* Whether its connections are not to be severed: HOMING_SEVER=0, in the same way. */
bool process_sever_refused(void);

/* The agent's socket: what HOMING_SOCKET says at the first call, else the default. False: the path
 * is too long for a socket. The second gives permit.sock beside it. */
bool process_socket(struct sockaddr_un *ret_address);
bool process_permit_socket(struct sockaddr_un *ret_address);

/* A page of 4096 bytes, which *keep remembers. It begins as zeros. A forked child finds it zeroed
 * again, except before Linux 4.14; a vforked child sees its parent's. NULL: no memory. */
void *process_page(_Atomic(void *) *keep);

/* CLOCK_MONOTONIC in ms, without a system call, and so up to a few ms behind. */
uint64_t process_now_ms(void);

/* Counts up by one at each call, from a random start. A forked child starts from another number:
 * the workers of a pre-forking server must not all begin with the same reader. */
uint32_t process_turn(void);

/* A number that differs from process to process and from call to call. Not for secrets. */
uint32_t process_random(void);

#endif
