/* SPDX-License-Identifier: Apache-2.0
 *
 * process.h - what is this process' own: its settings, its clock, its turn among readers.
 */
#ifndef HOMING_SHIM_PROCESS_H
#define HOMING_SHIM_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

/* Whether this process asked to be left alone: HOMING_DISABLE=1 in its environment when it made its
 * first lookup. Under AT_SECURE the environment is somebody else's and says nothing. */
bool process_disabled(void);

/* Whether it asked not to have its connections severed: HOMING_SEVER=0, likewise. */
bool process_sever_refused(void);

/* The agent's socket: HOMING_SOCKET when first asked for, else the default. False: a path that no
 * socket can have. And permit.sock beside it. */
bool process_socket(struct sockaddr_un *ret_address);
bool process_permit_socket(struct sockaddr_un *ret_address);

/* A page of 4096 bytes that begins as zeros, and as zeros again in a forked child, except before
 * Linux 4.14; a vforked child sees its parent's. *keep remembers it. NULL: it cannot be had. */
void *process_page(_Atomic(void *) *keep);

/* CLOCK_MONOTONIC in ms, coarse: a few ms behind at most, and no system call. */
uint64_t process_now_ms(void);

/* Counts up by one at each call from a random start. A forked child starts from another one: the
 * workers of a pre-forking server must not all begin with the same reader. */
uint32_t process_turn(void);

/* A number that differs from process to process and from call to call. Not for secrets. */
uint32_t process_random(void);

#endif
