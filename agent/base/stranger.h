/* SPDX-License-Identifier: Apache-2.0
 *
 * stranger.h - reads from the Unix stream socket of a process that may send descriptors we did not
 * ask for.
 *
 * If such a descriptor is received, or its message is received without it, the kernel closes it in
 * the receiver's own context. That can take as long as the sender likes: it may be a TCP socket
 * that lingers, or a file of a file system that never answers. So a message with a descriptor is
 * never taken from the queue here. closer.h gets rid of the socket. From Linux 6.16 on,
 * SO_PASSRIGHTS refuses the sender before that; stranger_refuse() asks for it.
 */
#ifndef HOMING_AGENT_BASE_STRANGER_H
#define HOMING_AGENT_BASE_STRANGER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Where the kernel can, nobody can send a descriptor to this socket any more. A listening socket
 * passes that on to those that it accepts. */
void stranger_refuse(int fd);

/* Before the first stranger_receive() from a socket that was just accepted. */
void stranger_prepare(int fd);

/* As recv(), without waiting. -EBADMSG: a descriptor is there; nothing more can be read, and the
 * socket is to be closed by closer_take(). Or another negative errno. */
ssize_t stranger_receive(int fd, void *data, size_t size);

/* Which network namespace a socket belongs to: SO_NETNS_COOKIE. An accepted Unix socket belongs to the one of
 * the process that connected. 0: this kernel does not tell (before Linux 5.14). */
uint64_t netns_of(int fd);

#endif
