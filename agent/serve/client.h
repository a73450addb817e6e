/* SPDX-License-Identifier: Apache-2.0
 *
 * client.h - one client of a socket: its requests in, its replies out, its deadline.
 *
 * One pass: serve.c hands over an accepted descriptor. Bytes are read a little at a time until they
 * are a request; serve_fn makes the reply; the reply goes out. Nothing more is read before its last
 * byte has gone out. A client has one request per turn of the loop, so that one that sends
 * thousands at once waits among the others.
 *
 * 1. What a client costs is bounded: HOMING_REQUEST_MAX going in, one reply or CLIENT_WATCH_MAX
 *    going out, CLIENT_PENDING_MAX for all of them together (I6).
 * 2. It has HOMING_CLIENT_DEADLINE_MS to send a whole request, from its start or its last reply on,
 *    and as long to read a whole reply. If it takes longer, it is dropped. Only a watcher may idle. A
 *    reply that is to come later may be owed to it for 5 s.
 */
#ifndef HOMING_AGENT_SERVE_CLIENT_H
#define HOMING_AGENT_SERVE_CLIENT_H

#include "agent/base/closer.h"
#include "agent/base/loop.h"
#include "agent/serve/request.h"

/* Notifications that a watcher has not read: hundreds. A watcher that is further behind is dropped,
 * and may ask again. */
#define CLIENT_WATCH_MAX (256 * 1024)
/* Replies not read yet, all clients together: four of the largest. */
#define CLIENT_PENDING_MAX (4 * HOMING_REPLY_MAX)

struct client;

/* Called when a client is done with, or has to go; client_free() it there. */
typedef void client_gone_fn(void *arg, struct client *client);

/* Called when a client has sent a descriptor; then it has to go. */
typedef void client_hostile_fn(void *arg, const struct client *client);

/* What all clients share. */
struct client_env {
    struct loop *loop;
    struct closer *closer;
    serve_fn *fn;
    void *arg;
    client_gone_fn *gone;
    client_hostile_fn *hostile;
    void *gone_arg;  /* of both */
    size_t pending;  /* bytes kept for clients to read */
    uint64_t number; /* of the newest client */
};

/* serve.c's list of them, oldest first. */
struct client_link {
    struct client *older;
    struct client *newer;
};

/* Takes over `fd`, a non-blocking stream socket, on success. NULL: errno. */
struct client *client_new(struct client_env *env, int fd, enum serve_socket socket,
                          const struct serve_peer *peer);
void client_free(struct client *client);

/* The client's first turn, as soon as serve.c has it in its list: if it has sent a request already,
 * the reply goes out now. The client may be gone afterwards. */
void client_begin(struct client *client);

/* Sends the reply that serve_fn left for later. False: it cannot be sent; drop the client. */
bool client_reply(struct client *client, const struct msg_writer *reply);

/* Sends bytes to a watcher; to others, nothing. May mark it to be dropped, but never frees it. */
void client_notify(struct client *client, const void *data, size_t len);

const struct serve_peer *client_peer(const struct client *client);
int client_fd(const struct client *client);
enum serve_socket client_socket(const struct client *client);
struct client_link *client_link(struct client *client);

#endif
