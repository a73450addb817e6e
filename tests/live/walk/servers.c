/* SPDX-License-Identifier: Apache-2.0
 *
 * servers.c - see conductor.h: all members at all their addresses and ports, in one process.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/live/walk/conductor.h"

enum {
    PORTS = 3
};

static int listen_at(int port)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)); /* beside listen_in_vain() */
    if (bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 4096))
        die("listen");
    return fd;
}

/* With room for one client, and one there. */
static void listen_in_vain(int cluster, int member)
{
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons(WALK_PORT)};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    int client = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[48];

    address_text(6, cluster, member, text);
    inet_pton(AF_INET6, text, &at.sin6_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 0) ||
        connect(client, (struct sockaddr *)&at, sizeof(at)))
        die("a full queue");
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
        die("epoll_ctl");
}

/* Nobody sends anything: what is readable has ended. A few at once are accepted, or those that have
 * ended would wait for as long as others come. */
static void serve_one(int epoll, int fd, const int listening[PORTS])
{
    if (fd != listening[0] && fd != listening[1] && fd != listening[2]) {
        close(fd);
        return;
    }
    for (int i = 0; i < 16; i++) {
        int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK);

        if (client < 0 && errno != EAGAIN && errno != ECONNABORTED)
            die("accept");
        if (client < 0)
            return;
        watch(epoll, client);
    }
}

void servers_start(void)
{
    const int listening[PORTS] = {listen_at(WALK_PORT), listen_at(WALK_OTHER_PORT),
                                  listen_at(WALK_POOLER_PORT)};
    int epoll = epoll_create1(0);
    struct epoll_event events[64];

    for (int c = 0; c < WALK_CLUSTERS; c++)
        for (int m = 0; m < WALK_MEMBERS && walk_is_full(c, 6); m++)
            listen_in_vain(c, m);
    if (fork() != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < PORTS; i++)
        watch(epoll, listening[i]);
    for (;;) {
        int count = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < count; i++)
            serve_one(epoll, events[i].data.fd, listening);
    }
}
