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

struct sockaddr;
struct sockaddr_in6;

/* From where a datagram to this address would go. The kernel is asked, and nothing is sent. */
enum socket_source {
    SOCKET_SOURCE_FOUND,
    SOCKET_SOURCE_NONE,   /* there is no route */
    SOCKET_SOURCE_UNKNOWN /* it cannot be asked: no more descriptors, or the process may not */
};
enum socket_source socket_source(const struct sockaddr *to, unsigned len,
                                 struct sockaddr_in6 *ret_from);

/* TCP_CLOSE: its connect has not begun yet, or has failed. 0: the socket is not TCP. */
uint8_t socket_tcp_state(int fd);

/* Whether it is a TCP socket whose connect has not begun yet, or has failed. */
bool socket_is_fresh(int fd);

/* A number that no other socket has as long as the kernel runs; 0: not a socket. */
uint64_t socket_cookie(int fd);

/* The same of the network namespace that it is in; 0: the kernel does not tell, before Linux 5.14. */
uint64_t socket_netns(int fd);

/* Where it is connected to, or about to be: the address as IPv6, the port in host order. False: it is
 * not, or it is no such socket. */
bool socket_peer(int fd, uint8_t ret_address[16], uint16_t *ret_port);

/* How long the program lets a blocking connect take (SO_SNDTIMEO); 0: as long as it takes. */
uint64_t socket_patience_ms(int fd);

/* Bounds the silence of a peer to about keepalive_ms, whether or not bytes are under way to it.
 * What the program has set stays as it is, and what it sets later counts. */
void socket_keep_alive(int fd, uint32_t keepalive_ms);

#endif
