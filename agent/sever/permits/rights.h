/* SPDX-License-Identifier: Apache-2.0
 *
 * rights.h - messages with descriptors beside them (SCM_RIGHTS). Used for what programs send, and
 * between homing-sever and its receiver.
 */
#ifndef HOMING_AGENT_SEVER_PERMITS_RIGHTS_H
#define HOMING_AGENT_SEVER_PERMITS_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/permit.h"

/* The descriptors that came are the caller's to close, whatever else is wrong with the message. */
struct rights {
    int fds[PERMIT_FD_COUNT];
    uint32_t count;
    bool truncated; /* more were sent; the kernel has dropped the rest */
};

/* 0 or negative errno. The descriptors stay the caller's. */
int rights_send(int fd, const void *data, size_t len, const int *fds, uint32_t count);

/* `flags`: of recvmsg(). The length of the message, 0 at the end, or negative errno. */
ssize_t rights_receive(int fd, void *data, size_t size, int flags, struct rights *ret_rights);

/* Whether there is a message, or the end, to be received now. */
bool rights_pending(int fd);

#endif
