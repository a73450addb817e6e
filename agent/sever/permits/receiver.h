/* SPDX-License-Identifier: Apache-2.0
 *
 * receiver.h - the receiver: a process without any privilege that takes descriptors from strangers.
 *
 * One pass, by handover.c: a program's connection has something to read and goes to the receiver;
 * the receiver reads the offer there, checks it (offer.h), and answers. One connection at a time.
 *
 * Why a process: a descriptor can belong to a file system that never answers when it is closed, or
 * be a socket that another process holds locked. Nothing gets a process out of that. A receiver
 * that hangs so is killed and left behind.
 *
 * The receiver says when it has closed all that came, and is asked about the next connection only
 * then. So what a hang costs falls on the program that has caused it: its connection is closed, and
 * if the receiver does not even end when it is killed, its user is named to the owner.
 */
#ifndef HOMING_AGENT_SEVER_PERMITS_RECEIVER_H
#define HOMING_AGENT_SEVER_PERMITS_RECEIVER_H

#include <sys/socket.h>

#include "agent/base/loop.h"
#include "agent/sever/permits/offer.h"

struct receiver;

struct receiver_owner {
    /* The answer; the descriptors of a permit are the callee's, there are none otherwise. */
    void (*answered)(void *arg, const struct offer *offer);
    /* All is closed: it can be asked about the next connection. */
    void (*done)(void *arg);
    /* It hangs, or has ended: it runs no more. `why`: for people. */
    void (*lost)(void *arg, const char *why, const struct ucred *user);
    /* What this user has sent hangs a process that was killed. */
    void (*hostile)(void *arg, const struct ucred *user, uint64_t netns);
    void *arg;
};

/* Not running yet. NULL: out of memory. */
struct receiver *receiver_new(struct loop *loop, const struct receiver_owner *owner);
void receiver_free(struct receiver *receiver);

/* Starts the process. -EBUSY: too many receivers hang and could not be killed yet; then none is
 * started until one of them has ended. Or another negative errno. */
int receiver_start(struct receiver *receiver);
bool receiver_is_running(const struct receiver *receiver);

/* Gives it a connection of this user in this network namespace, which stays the caller's, too. Not while receiver_is_busy(). A
 * negative errno: this connection cannot be given to it, or it has ended and runs no more; `lost` is
 * not called. */
int receiver_ask(struct receiver *receiver, int connection, const struct ucred *user,
                 uint64_t netns);
bool receiver_is_busy(const struct receiver *receiver);

#endif
