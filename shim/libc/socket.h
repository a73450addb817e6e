/* SPDX-License-Identifier: Apache-2.0
 *
 * socket.h - what the shim asks of the program's sockets, and sets on them.
 *
 * Every function may change errno. For a descriptor that is no socket each gives what it gives for
 * a socket that is of no interest.
 */
#ifndef HOMING_SHIM_LIBC_SOCKET_H
#define HOMING_SHIM_LIBC_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

bool socket_is_stream(int fd);

/* TCP_CLOSE: its connect has not begun yet, or has failed. 0: the socket is not TCP. */
uint8_t socket_tcp_state(int fd);

/* Whether it is a TCP socket whose connect has not begun yet, or has failed. */
bool socket_is_fresh(int fd);

/* A number that no other socket has as long as the kernel runs; 0: not a socket. */
uint64_t socket_cookie(int fd);

/* How long the program lets a blocking connect take (SO_SNDTIMEO); 0: as long as it takes. */
uint64_t socket_patience_ms(int fd);

/* Bounds the silence of a peer to about keepalive_ms, whether or not bytes are under way to it.
 * What the program has set stays as it is, and what it sets later counts. */
void socket_keep_alive(int fd, uint32_t keepalive_ms);

#endif
