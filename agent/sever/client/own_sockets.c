/* SPDX-License-Identifier: Apache-2.0
 *
 * own_sockets.c - see own_sockets.h.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/sever/client/own_sockets.h"

union name {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};

static bool is_connected_to(const union name *peer, const struct inet_address *addresses,
                            uint32_t count)
{
    struct inet_address at =
        peer->any.sa_family == AF_INET
            ? inet_address_make(4, (const uint8_t *)&peer->four.sin_addr,
                                ntohs(peer->four.sin_port))
            : inet_address_make(6, peer->six.sin6_addr.s6_addr, ntohs(peer->six.sin6_port));

    for (uint32_t i = 0; i < count; i++)
        if (inet_address_same(&addresses[i], &at))
            return true;
    return false;
}

static bool is_tcp(int fd)
{
    int protocol = 0;
    socklen_t len = sizeof(protocol);

    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 && protocol == IPPROTO_TCP;
}

/* While it connects, a socket does not tell where to: each one counts that does, or does nothing. */
static bool is_wanted(int fd, const struct inet_address *addresses, uint32_t count, bool connecting)
{
    union name peer;
    socklen_t len = sizeof(peer);

    if (getpeername(fd, &peer.any, &len))
        return connecting && errno == ENOTCONN && is_tcp(fd);
    return !connecting && (peer.any.sa_family == AF_INET || peer.any.sa_family == AF_INET6) &&
           is_connected_to(&peer, addresses, count);
}

static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);

    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) ? 0 : cookie;
}

uint32_t own_sockets_connected_to(const struct inet_address *addresses, uint32_t count,
                                  uint64_t *ret_cookies, uint32_t max)
{
    DIR *fds = opendir("/proc/self/fd");
    const struct dirent *entry;
    uint32_t found = 0;

    for (int connecting = 0; fds && connecting < 2; connecting++) {
        while (found < max && (entry = readdir(fds)))
            if (is_wanted(atoi(entry->d_name), addresses, count, connecting))
                ret_cookies[found++] = cookie_of(atoi(entry->d_name));
        rewinddir(fds);
    }
    if (fds)
        closedir(fds);
    return found;
}
