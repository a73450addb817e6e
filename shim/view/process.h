/* SPDX-License-Identifier: Apache-2.0
 *
 * process.h - what belongs to this process: its settings, its clock, its turn among the readers.
 */
#ifndef HOMING_SHIM_VIEW_PROCESS_H
#define HOMING_SHIM_VIEW_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/un.h>

/* Whether this process is to be left alone: HOMING_DISABLE was in its environment at its first lookup,
 * and says anything but no: "0", "no", "off" and "false" do, in any case, and "". Under AT_SECURE the
 * environment is another user's, and does not count. */
bool process_disabled(void);

/* Whether its connections are not to be severed: HOMING_SEVER says no, and is not empty. */
bool process_sever_refused(void);

/* A variable of the environment. NULL: it is not set, or the environment does not count. May change
 * errno. Who needs one reads it once: programs overwrite the environment. */
const char *process_environment(const char *name);

/* The agent's socket: what HOMING_SOCKET says at the first call, else the default. False: the path
 * is too long for a socket. The second gives permit.sock beside it. */
bool process_socket(struct sockaddr_un *ret_address);
bool process_permit_socket(struct sockaddr_un *ret_address);

/* Memory that *keep remembers: mapped at the first call, and never given back. It begins as zeros. A
 * forked child has what its parent had. `size` is a multiple of PROCESS_PAGE, and the same at each
 * call. NULL: no memory. May change errno. */
#define PROCESS_PAGE 4096
void *process_memory(_Atomic(void *) *keep, size_t size);

/* The same for PROCESS_PAGE bytes, but a forked child finds them zeroed again, except before Linux
 * 4.14; a vforked child sees its parent's. */
void *process_page(_Atomic(void *) *keep);

/* Whether the process has memory locked, as after mlockall(): then new memory may be locked, too,
 * and count for its RLIMIT_MEMLOCK. Asks the kernel each time. False if it cannot be told. Changes
 * errno. */
bool process_is_locked(void);

/* A limit of this process, as RLIMIT_NOFILE is; RLIM64_INFINITY if it cannot be told. Changes
 * errno. */
struct rlimit64 process_limit(int resource);

/* CLOCK_MONOTONIC in ms, without a system call, and so up to a few ms behind. */
uint64_t process_now_ms(void);

/* For how long it is `then_ms`; 0 if that is later than `now_ms`. Who has read the clock may not run for a while, and
 * then find what another thread or the agent has noted since. */
static inline uint64_t process_since_ms(uint64_t now_ms, uint64_t then_ms)
{
    return now_ms > then_ms ? now_ms - then_ms : 0;
}

/* Counts up by one at each call, from a random start. A forked child starts from another number:
 * the workers of a pre-forking server must not all begin with the same reader. */
uint32_t process_turn(void);

/* A number that differs from process to process and from call to call. Not for secrets. */
uint32_t process_random(void);

#endif
