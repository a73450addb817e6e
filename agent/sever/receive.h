/* SPDX-License-Identifier: Apache-2.0
 *
 * receive.h - the receiver: a process without any privilege that takes descriptors from strangers,
 * and passes on what is a permit.
 *
 * One pass, by intake.c: a program's connection has become readable and goes to the receiver as a
 * descriptor; it reads the one message there, checks what came with it, and answers.
 *
 * Why a process: a descriptor can be of a file system that does not answer when it is closed, or a
 * socket somebody holds locked, and nothing gets a process out of that. Such a one is killed and
 * left behind, with the one connection it was busy with; nobody else's permit is lost.
 */
#ifndef HOMING_AGENT_SEVER_RECEIVE_H
#define HOMING_AGENT_SEVER_RECEIVE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/permit.h"

enum receive_result {
    RECEIVE_PERMIT,
    RECEIVE_NOTHING,   /* the connection ended, or had nothing to read */
    RECEIVE_NO_HELLO,  /* other bytes than permit_hello */
    RECEIVE_TRUNCATED, /* more descriptors than there may be (MSG_CTRUNC) */
    RECEIVE_COUNT,     /* fewer */
    RECEIVE_NETLINK,   /* the first is no such socket */
    RECEIVE_SEALS,     /* the second is no sealed memory */
    RECEIVE_SIZE,      /* of another size */
    RECEIVE_LAYOUT,    /* with other tags in it, or not to be read */
    RECEIVE_RESULT_COUNT
};

const char *receive_result_name(enum receive_result result);

struct received {
    enum receive_result result;
    uint64_t netns;           /* SO_NETNS_COOKIE; 0: this kernel does not tell */
    int fds[PERMIT_FD_COUNT]; /* only with RECEIVE_PERMIT; the caller's */
};

/* Reads one message from a connection. Closes what it does not return. */
void receive_permit(int connection, struct received *ret_received);

/* Starts a receiver. *ret_fd: a SOCK_SEQPACKET to it, non-blocking. */
int receive_start(int *ret_pid, int *ret_fd);

/* Gives it a connection (a copy stays the caller's). */
int receive_ask(int fd, int connection);
/* Its answer. -EAGAIN: none yet. Any other error: it is of no use any more. */
int receive_answer(int fd, struct received *ret_received);

#endif
