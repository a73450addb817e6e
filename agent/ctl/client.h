/* SPDX-License-Identifier: Apache-2.0
 *
 * client.h - one question to the agent, one answer.
 *
 * The sockets follow from agent.sock's path (--socket, HOMING_SOCKET, or the default): admin.sock
 * is in "<its directory>-admin".
 */
#ifndef HOMING_CLIENT_H
#define HOMING_CLIENT_H

#include "proto/msg.h"

#define CLIENT_SOCKET_DEFAULT "/run/homing/agent.sock"

enum client_socket {
    CLIENT_AGENT,
    CLIENT_ADMIN
};

/* Owns the bytes that `msg` points into. */
struct client_reply {
    struct msg_parser parser;
    struct msg msg;
};

/* The path of a socket, given that of agent.sock. -ENAMETOOLONG; -errno. */
int client_path(const char *agent_path, enum client_socket socket, char *ret_path, size_t size);

/* Asks; params are strings, NULL for nil. 0: *ret_reply holds a reply, which may be an error. Else
 * -errno: the agent could not be reached, or did not answer in time. */
int client_call(const char *path, const char *method, const char *const *params, uint32_t count,
                struct client_reply *ret_reply);
void client_reply_done(struct client_reply *reply);

/* What an errno of client_call() means, and what to look at: several lines, on stderr. */
void client_explain(const char *path, int error);

#endif
