/* SPDX-License-Identifier: Apache-2.0
 *
 * closer.h - closes sockets in whose queues descriptors of other processes may lie.
 *
 * With such a socket, the kernel closes what lies there, in the context of whoever closes the
 * socket last; and that can hang for ever (stranger.h). One pass: closer_take() shuts the socket
 * down, after which nothing more can come. If the queue is empty, as it nearly always is, it is
 * closed here. Else a child process gets it, gathers more of them for some milliseconds, and ends,
 * and with it all of them. An ending process does not linger for TCP. It can still hang on a file
 * system: then it is left behind. Without such sockets there is no child process.
 */
#ifndef HOMING_AGENT_BASE_CLOSER_H
#define HOMING_AGENT_BASE_CLOSER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/loop.h"

/* Child processes at once. The last one gathers for as long as all others hang. */
#define CLOSER_CHILDREN_MAX 8

struct closer;

/* NULL: out of memory. */
struct closer *closer_new(struct loop *loop);
/* What was taken is still given to a child, if that can be done. NULL is allowed. */
void closer_free(struct closer *closer);

/* Takes over a Unix stream socket, connected or accepted. Its peer sees the end at once. Never
 * waits. Below 0: nothing. */
void closer_take(struct closer *closer, int fd);

/* Takes over a listening socket, with all that was not yet accepted. No look at its name. */
void closer_take_listening(struct closer *closer, int fd);

/* False: so many sockets wait for a child that none should be accepted now. */
bool closer_has_room(const struct closer *closer);

/* How many children have not ended yet. */
uint32_t closer_children(const struct closer *closer);

#endif
