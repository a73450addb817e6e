/* SPDX-License-Identifier: Apache-2.0
 *
 * guard.h - a call on a descriptor that another process sent can wait for ever. Between
 * guard_begin() and guard_end() an interval timer interrupts such calls.
 *
 * Used wherever a descriptor from a program is received or closed. For calls that no signal ends there are
 * deputies, below.
 */
#ifndef HOMING_AGENT_SEVER_PERMITS_GUARD_H
#define HOMING_AGENT_SEVER_PERMITS_GUARD_H

#include <stdbool.h>
#include <stdint.h>

/* Installs the signal's handler, once per process. */
void guard_init(void);

/* From the first to the second, waiting calls fail with EINTR every GUARD_MS. No nesting. */
#define GUARD_MS 20
void guard_begin(void);
void guard_end(void);

/* Closes a descriptor that another process sent, or a connection in which such descriptors may
 * still lie. A socket is closed without lingering. Keeps errno. */
void guard_close(int fd);

/* ---- deputies ----
 *
 * What may hang in the kernel where no signal reaches it is done by a process of its own: with a file or a socket that
 * a stranger may keep locked for as long as he likes. If it hangs, it is killed and left behind: it ends when the kernel
 * lets it. */

/* Of one kind, that are left behind. */
#define DEPUTIES_MAX 8
/* Of these, on account of one user. */
#define DEPUTIES_OF_ONE 3

/* All zero: none. */
struct deputies {
    struct {
        int pid; /* 0: a free place */
        uint64_t what;
        uint32_t uid;
    } left[DEPUTIES_MAX];
};

/* What it does with the descriptors that it is given, the only ones that it has: they have other numbers there, `fd`
 * and DEPUTY_SECOND. Its return value is 0 to 200. */
#define DEPUTY_SECOND 4
typedef int deputy_fn(int fd, const void *arg);

/* `second` -1: there is none. Returns what `fn` has returned; -EDEADLK: it hangs, and deputies_blame() is to
 * be called; -ENOSPC: too many do; or another negative errno: no process can be started. */
int deputy_run(struct deputies *deputies, int fd, int second, deputy_fn *fn, const void *arg);

/* On what, and on whose account, the last one hangs. */
void deputies_blame(struct deputies *deputies, uint64_t what, uint32_t uid);

/* Whether one hangs on that, or as many as may on account of this user. */
bool deputies_hang(struct deputies *deputies, uint64_t what, uint32_t uid);

#endif
