/* SPDX-License-Identifier: Apache-2.0
 *
 * rpc.h - one question to the agent, one answer.
 *
 * The sockets follow from agent.sock's path (--socket, HOMING_SOCKET, or the default): admin.sock
 * is in "<its directory>-admin".
 */
#ifndef HOMING_AGENT_CTL_RPC_H
#define HOMING_AGENT_CTL_RPC_H

#include "proto/msg.h"

#define RPC_SOCKET_DEFAULT "/run/homing/agent.sock"

enum rpc_socket {
    RPC_AGENT,
    RPC_ADMIN
};

/* Owns the bytes that `msg` points into. */
struct rpc_reply {
    struct msg_parser parser;
    struct msg msg;
};

/* The path of agent.sock: `given`; if that is NULL or "", HOMING_SOCKET, else the default. */
const char *rpc_agent_path(const char *given);

/* The path of a socket, from the same `given`. -ENAMETOOLONG; -errno. */
int rpc_path(const char *given, enum rpc_socket socket, char *ret_path, size_t size);

/* Asks; params are strings, NULL for nil. 0: *ret_reply holds a reply, which may be an error. Else
 * -errno: the agent could not be reached, or did not answer in time. */
int rpc_call(const char *path, const char *method, const char *const *params, uint32_t count,
             struct rpc_reply *ret_reply);
void rpc_reply_done(struct rpc_reply *reply);

/* What an errno of rpc_call() means, and what to look at: several lines, on stderr. */
void rpc_explain(const char *path, int error);

/* The same without its first line, which says that it failed. */
void rpc_advise(const char *path, int error);

#endif
