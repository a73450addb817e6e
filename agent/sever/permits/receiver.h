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
 * What a hang costs: the connection that the receiver was asked about is closed, and the permit in
 * it, if any, is lost. The program notices and hands over again. It may be an innocent one: if the
 * receiver hangs when it closes what came before, the next connection gets no answer.
 */
#ifndef HOMING_AGENT_SEVER_PERMITS_RECEIVER_H
#define HOMING_AGENT_SEVER_PERMITS_RECEIVER_H

#include "agent/base/loop.h"
#include "agent/sever/permits/offer.h"

struct receiver;

/* The answer; the descriptors of a permit are the callee's, there are none otherwise. */
typedef void receiver_answered_fn(void *arg, const struct offer *offer);
/* It hangs, or has ended: it runs no more. `why`: for people. */
typedef void receiver_lost_fn(void *arg, const char *why);

/* Not running yet. NULL: out of memory. */
struct receiver *receiver_new(struct loop *loop, receiver_answered_fn *answered,
                              receiver_lost_fn *lost, void *arg);
void receiver_free(struct receiver *receiver);

/* Starts the process. -EBUSY: too many receivers hang and could not be killed yet; then none is
 * started until one of them has ended. Or another negative errno. */
int receiver_start(struct receiver *receiver);
bool receiver_is_running(const struct receiver *receiver);

/* Gives it a connection, which stays the caller's, too. A negative errno: it has ended, and runs no
 * more; `lost` is not called. */
int receiver_ask(struct receiver *receiver, int connection);

#endif
