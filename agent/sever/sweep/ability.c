/* SPDX-License-Identifier: Apache-2.0
 *
 * ability.c - see ability.h. It goes the whole way of a program's connection: the kernel lists it
 * by address and port, it is aborted by its cookie, and then the socket has the error.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/sever/sweep/ability.h"
#include "agent/sever/sweep/netlink.h"

struct trial {
    int listening;
    int connected;
    int netlink;
    struct inet_address at;
    struct diag_socket found;
    bool is_found;
};

static int open_sockets(struct trial *t)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);

    t->netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (t->netlink < 0)
        return -errno;
    t->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    t->connected = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (t->listening < 0 || t->connected < 0 ||
        bind(t->listening, (struct sockaddr *)&at, sizeof(at)) || listen(t->listening, 1) ||
        getsockname(t->listening, (struct sockaddr *)&at, &len))
        return errno == EADDRNOTAVAIL ? -ENETUNREACH : -errno;
    if (connect(t->connected, (struct sockaddr *)&at, sizeof(at)) && errno != EINPROGRESS)
        return -errno;
    t->at = inet_address_make(4, (const uint8_t *)&at.sin_addr, ntohs(at.sin_port));
    return 0;
}

static bool found(void *arg, const struct diag_socket *socket)
{
    struct trial *t = arg;

    t->found = *socket;
    t->is_found = true;
    return true;
}

static int abort_own(struct trial *t)
{
    int error = 0, seen = 0;
    socklen_t len = sizeof(seen);
    struct netlink_list list = {
        .fd = t->netlink, .family = AF_INET, .what = DIAG_TCP, .at = &t->at, .count = 1};
    int rv = netlink_dump(NULL, &list, found, t);

    if (rv)
        return rv;
    if (!t->is_found)
        return -ESRCH;
    netlink_destroy(NULL, t->netlink, &t->found, NULL, 1, &error);
    if (error)
        return error;
    if (getsockopt(t->connected, SOL_SOCKET, SO_ERROR, &seen, &len) || seen != ECONNABORTED)
        return -ESTALE;
    return 0;
}

static void close_one(int fd)
{
    if (fd >= 0)
        close(fd);
}

int ability_prove(void)
{
    struct trial t = {.listening = -1, .connected = -1, .netlink = -1};
    int rv = open_sockets(&t);

    if (rv == 0)
        rv = abort_own(&t);
    close_one(t.connected);
    close_one(t.listening);
    close_one(t.netlink);
    return rv;
}

const char *ability_explain(int error)
{
    switch (error) {
    case 0:
        return "proven on a connection of its own";
    case -EPERM:
    case -EACCES:
        return "no CAP_NET_ADMIN: stop homing-sever, and start it as root, or with setpriv "
               "--inh-caps=-all,+net_admin --ambient-caps=-all,+net_admin, or with "
               "AmbientCapabilities=CAP_NET_ADMIN in its unit; it keeps that capability alone";
    case -EOPNOTSUPP:
        return "this kernel cannot abort sockets: it needs CONFIG_INET_DIAG_DESTROY";
    case -ENOENT:
    case -EPROTONOSUPPORT:
        return "this kernel cannot list sockets: run modprobe -a inet_diag tcp_diag and start "
               "homing-sever "
               "anew; or it lacks CONFIG_INET_DIAG, CONFIG_INET_TCP_DIAG";
    case -ENETUNREACH:
        return "not tried: the loopback interface of its own network namespace is down: run ip "
               "link set "
               "lo up there, and start homing-sever anew";
    default:
        return strerror(-error);
    }
}
