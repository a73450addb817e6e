/* SPDX-License-Identifier: Apache-2.0
 *
 * request.h - which process asks, on which socket, and the function that makes the reply.
 */
#ifndef HOMING_AGENT_SERVE_REQUEST_H
#define HOMING_AGENT_SERVE_REQUEST_H

#include <sys/types.h>

#include "proto/limits.h"
#include "proto/msg.h"

enum serve_socket {
    SERVE_AGENT,
    SERVE_ADMIN,
    SERVE_SOCKET_COUNT
};

struct serve_peer {
    pid_t pid;
    uid_t uid;
    gid_t gid;
    uint64_t netns;  /* netns_of() its connection */
    uint64_t number; /* of the client: no two have the same */
};

/* In place of a descriptor. The reply comes later, through serve_reply(); after 5 s the client is
 * dropped. */
#define SERVE_LATER (-2)
/* The client gets notifications from now on, and may idle. */
#define SERVE_WATCH (-3)

/* Takes one request, and writes a whole reply into `reply`. *ret_fd: a descriptor to pass along
 * (it stays the callee's), -1, SERVE_WATCH, or SERVE_LATER with nothing in `reply`. It may call
 * serve_notify(), but not serve_close(). */
typedef void serve_fn(void *arg, enum serve_socket socket, const struct serve_peer *peer,
                      uint64_t id, const char *method, const struct msg_value *params,
                      struct msg_writer *reply, int *ret_fd);

#endif
