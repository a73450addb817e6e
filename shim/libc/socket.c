/* SPDX-License-Identifier: Apache-2.0
 *
 * socket.c - see socket.h.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "shim/libc/libc.h"
#include "shim/libc/socket.h"

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

static int socket_option(int fd, int level, int option)
{
    int value = 0;
    socklen_t len = sizeof(value);

    return syscall(SYS_getsockopt, fd, level, option, &value, &len) == 0 ? value : -1;
}

bool socket_is_stream(int fd)
{
    return socket_option(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM;
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

uint64_t socket_cookie(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);

    syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
    return cookie;
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
