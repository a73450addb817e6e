/* SPDX-License-Identifier: Apache-2.0
 *
 * serve.h - agent.sock and admin.sock: MessagePack-RPC over Unix sockets, for clients that may be
 * slow or hostile.
 *
 * Bounded requests, a deadline of 1 s per client, quotas per uid and in total; accept pauses on
 * EMFILE with a reserve descriptor. No method is known here: a serve_fn makes the reply. Contract:
 * proto/PROTOCOL.md.
 */
#ifndef HOMING_AGENT_SERVE_SERVE_H
#define HOMING_AGENT_SERVE_SERVE_H

#include "agent/base/loop.h"
#include "agent/serve/request.h"

/* Who connects this often within so long, and is no operator at admin.sock, is barred: one process, or all
 * those of one user in one network namespace. A shim comes once, 20 times more if it is turned away,
 * and then 4 times a second. After a restart of the agent all processes of a node come again at once:
 * no more of them than this can have a permit. */
#define SERVE_OFTEN_MS  4000
#define SERVE_OFTEN_ONE 4096
#define SERVE_OFTEN_ALL 16384

struct serve;

/* -EADDRINUSE: an agent is running on these sockets; `error` names it. Changes nothing: for what has
 * to be done before serve_open(), but not beside another agent. */
int serve_look(const char *run_dir, char *error, size_t error_size);

/* Binds both sockets under temporary names; nothing is visible yet. A live agent on the path is
 * -EADDRINUSE with its pid and uid in `error`, unless takeover. */
int serve_open(struct loop *loop, const char *run_dir, bool takeover, serve_fn *fn, void *arg,
               char *error, size_t error_size, struct serve **ret_serve);

/* Renames the sockets into place: from now on clients come. -EADDRINUSE: another agent was faster,
 * and this one is no takeover. Any other failure may pass: try again. */
int serve_publish(struct serve *serve);

/* After serve_publish(): whether both sockets can still be reached at their names. What is gone, was
 * replaced by something that nobody listens at, or lacks rights is put back, and that is logged. If
 * another agent of root or of this user has the names, as in a rollout, that is well; if it goes,
 * they are taken again. -errno: programs or operators cannot reach this agent, and `error` says why
 * and what to do. */
int serve_keep(struct serve *serve, char *error, size_t error_size);

/* After serve_publish(): whether admin.sock's name leads here still, and not to a successor. */
bool serve_in_place(const struct serve *serve);

/* Sends the reply that was to come later, a whole message, to the client with this number. If the
 * client has left, nothing is sent. Not to be called from within serve_fn. */
void serve_reply(struct serve *serve, enum serve_socket socket, uint64_t number,
                 const struct msg_writer *reply);

/* Sends a notification to every client that got SERVE_WATCH. */
void serve_notify(struct serve *serve, const struct msg_writer *notification);

/* Unlinks the paths if they are still its own inodes, and drops all clients. */
void serve_close(struct serve *serve);

#endif
