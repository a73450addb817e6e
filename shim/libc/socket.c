/* SPDX-License-Identifier: Apache-2.0
 *
 * socket.c - see socket.h.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "shim/libc/descriptor.h"
#include "shim/libc/libc.h"
#include "shim/libc/socket.h"

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static int socket_option(int fd, int level, int option)
{
    int value = 0;
    socklen_t len = sizeof(value);

    return syscall(SYS_getsockopt, fd, level, option, &value, &len) == 0 ? value : -1;
}

__attribute__((noinline)) bool socket_is_stream(int fd)
{
    return socket_option(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM;
}

enum socket_source socket_source(const struct sockaddr *to, unsigned len,
                                 struct sockaddr_in6 *ret_from)
{
    socklen_t from_len = sizeof(*ret_from);
    bool found;
    int fd = (int)syscall(SYS_socket, to->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    fd = descriptor_lift(fd, DESCRIPTOR_LOWEST);
    if (fd < 0)
        return SOCKET_SOURCE_UNKNOWN;
    found = syscall(SYS_connect, fd, to, len) == 0 &&
            syscall(SYS_getsockname, fd, ret_from, &from_len) == 0;
    descriptor_close(fd);
    return found ? SOCKET_SOURCE_FOUND : SOCKET_SOURCE_NONE;
}

uint8_t socket_tcp_state(int fd)
{
    uint8_t state = 0; /* the first byte of struct tcp_info */
    socklen_t len = sizeof(state);

    return syscall(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &state, &len) == 0 ? state : 0;
}

bool socket_is_fresh(int fd)
{
    return socket_tcp_state(fd) == TCP_CLOSE;
}

static uint64_t socket_number(int fd, int option)
{
    uint64_t number = 0;
    socklen_t len = sizeof(number);

    syscall(SYS_getsockopt, fd, SOL_SOCKET, option, &number, &len);
    return number;
}

uint64_t socket_cookie(int fd)
{
    return socket_number(fd, SO_COOKIE);
}

uint64_t socket_netns(int fd)
{
    return socket_number(fd, SO_NETNS_COOKIE);
}

/* By an option, because getpeername() says nothing of a connect that is under way, and would be one
 * more system call. No more bytes may be asked for than the address has. */
bool socket_peer(int fd, uint8_t ret_address[16], uint16_t *ret_port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } peer = {.any = {0}};
    socklen_t len = sizeof(peer.in6), len4 = sizeof(peer.in);
    bool in6;

    if (syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERNAME, &peer, &len) != 0 &&
        syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERNAME, &peer, &len4) != 0)
        return false;
    in6 = peer.any.sa_family == AF_INET6;
    if (!in6 && peer.any.sa_family != AF_INET)
        return false;
    for (int i = 0; i < 16; i++)
        ret_address[i] = in6      ? peer.in6.sin6_addr.s6_addr[i]
                         : i < 10 ? 0
                         : i < 12 ? 0xff
                                  : ((const uint8_t *)&peer.in.sin_addr)[i - 12];
    *ret_port = __builtin_bswap16(peer.in.sin_port); /* in IPv6 the same place */
    return true;
}

uint64_t socket_patience_ms(int fd)
{
    struct timeval bound = {0};
    socklen_t len = sizeof(bound);

    syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &bound, &len);
    return (uint64_t)bound.tv_sec * 1000 + (uint64_t)bound.tv_usec / 1000;
}

static void socket_set(int fd, int level, int option, uint32_t value)
{
    syscall(SYS_setsockopt, fd, level, option, &value, (socklen_t)sizeof(value));
}

static uint32_t socket_seconds(uint32_t ms)
{
    return ms < 1000 ? 1 : ms / 1000;
}

void socket_keep_alive(int fd, uint32_t keepalive_ms)
{
    if (socket_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 0)
        socket_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, keepalive_ms);
    if (socket_option(fd, SOL_SOCKET, SO_KEEPALIVE) != 0)
        return;
    socket_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, socket_seconds(keepalive_ms / 2));
    socket_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, socket_seconds(keepalive_ms / 4));
    socket_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}
