/* SPDX-License-Identifier: Apache-2.0
 *
 * msg_socket.h - messages over a non-blocking stream socket, between homingd and homing-sever.
 *
 * One pass: messages are put into a writer, one after the other, and sent. As long as the writer
 * holds something, the rest is sent whenever the socket can be written. agent/serve has a way of
 * its own: its clients are strangers, and what they cost is bounded.
 */
#ifndef HOMING_PROTO_MSG_SOCKET_H
#define HOMING_PROTO_MSG_SOCKET_H

#include "proto/msg.h"

/* Sends what the socket takes now, and keeps the rest in the writer. False: the connection is of no
 * use, or the writer has an error. */
bool msg_send_some(struct msg_writer *w, int fd);

/* False: the connection is of no use. */
typedef bool msg_taken_fn(void *arg, const struct msg *msg);

/* Reads what is there, up to 16 KiB, and hands over each message that is whole. False: `taken`
 * returned false, the peer has closed, or what it sent is no message. */
bool msg_receive_some(struct msg_parser *p, int fd, msg_taken_fn *taken, void *arg);

#endif
