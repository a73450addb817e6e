/* SPDX-License-Identifier: Apache-2.0
 *
 * connects.c - a program that connects to one name all the time, and one that accepts: for tests of
 * where connects go.
 *
 * usage: connects serve PORT ADDRESS...
 *        connects dial NAME PORT CONNECTS_PER_SECOND
 *
 * `serve` prints "ready" when it listens. `dial` looks NAME up, prints the address and waits for a
 * line of input. Then it connects to that address, each 16th time to what a new lookup says. It
 * prints "TIME_MS ADDRESS" (CLOCK_MONOTONIC) at the first connection and whenever the peer is
 * another, and "TIME_MS failed TEXT". Both end when their input does, `dial` with "end CONNECTS
 * FAILED".
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/clock.h"

#define SERVE_MAX 8

struct dial {
    const char *name;
    const char *port;
    struct sockaddr_in first; /* kept, as programs keep what they once looked up */
    struct in_addr peer;
    uint64_t connects;
    uint64_t failed;
};

static void dial_failed(struct dial *dial, const char *text)
{
    dial->failed++;
    printf("%llu failed %s\n", (unsigned long long)clock_ms(), text);
}

static int dial_look_up(struct dial *dial, struct sockaddr_in *ret_address)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
    int error = getaddrinfo(dial->name, dial->port, &hints, &list);

    if (error) {
        dial_failed(dial, gai_strerror(error));
        return -1;
    }
    memcpy(ret_address, list->ai_addr, sizeof(*ret_address));
    freeaddrinfo(list);
    return 0;
}

static void dial_reached(struct dial *dial, const struct sockaddr_in *peer)
{
    char text[INET_ADDRSTRLEN];

    if (peer->sin_addr.s_addr == dial->peer.s_addr)
        return;
    dial->peer = peer->sin_addr;
    inet_ntop(AF_INET, &peer->sin_addr, text, sizeof(text));
    printf("%llu %s\n", (unsigned long long)clock_ms(), text);
}

/* Hangs up by a reset: a port that waits for late packets could not be used again for a minute. */
static void dial_connect(struct dial *dial, const struct sockaddr_in *address)
{
    const struct linger reset = {.l_onoff = 1};
    struct sockaddr_in peer;
    socklen_t len = sizeof(peer);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) < 0 ||
        connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ||
        getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
        dial_failed(dial, strerror(errno));
    else
        dial_reached(dial, &peer);
    if (fd >= 0)
        close(fd);
}

static void dial_once(struct dial *dial)
{
    struct sockaddr_in address = dial->first;

    if (dial->connects++ % 16 == 15 && dial_look_up(dial, &address) < 0)
        return;
    dial_connect(dial, &address);
}

static int dial_main(const char *name, const char *port, uint64_t per_second)
{
    struct dial dial = {.name = name, .port = port};
    struct pollfd input = {.fd = 0, .events = POLLIN};
    uint64_t began_ns, due_ns;
    char text[INET_ADDRSTRLEN], line[2];

    if (dial_look_up(&dial, &dial.first) < 0)
        return 1;
    puts(inet_ntop(AF_INET, &dial.first.sin_addr, text, sizeof(text)));
    if (read(0, line, sizeof(line)) < 1)
        return 1;
    began_ns = clock_ns();
    while (poll(&input, 1, 0) == 0) {
        dial_once(&dial);
        due_ns = began_ns + dial.connects * (1000000000 / per_second);
        if (due_ns > clock_ns()) {
            struct timespec pause = {.tv_nsec = (long)(due_ns - clock_ns()) % 1000000000};
            nanosleep(&pause, NULL);
        }
    }
    printf("end %llu %llu\n", (unsigned long long)dial.connects, (unsigned long long)dial.failed);
    return 0;
}

static int serve_listen(const char *address, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || inet_pton(AF_INET, address, &at.sin_addr) != 1 ||
        bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 4096) < 0) {
        perror(address);
        exit(1);
    }
    return fd;
}

static void serve_accept(int listening)
{
    int fd = accept(listening, NULL, NULL);

    if (fd >= 0)
        close(fd);
}

static int serve_main(uint16_t port, char **addresses, int count)
{
    struct pollfd fds[SERVE_MAX + 1] = {{.fd = 0, .events = POLLIN}};

    for (int i = 0; i < count; i++)
        fds[i + 1] = (struct pollfd){.fd = serve_listen(addresses[i], port), .events = POLLIN};
    puts("ready");
    while (poll(fds, (nfds_t)count + 1, -1) >= 0 && !fds[0].revents)
        for (int i = 1; i <= count; i++)
            if (fds[i].revents)
                serve_accept(fds[i].fd);
    return 0;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 3 && argc <= 3 + SERVE_MAX && strcmp(argv[1], "serve") == 0)
        return serve_main((uint16_t)atoi(argv[2]), argv + 3, argc - 3);
    if (argc == 5 && strcmp(argv[1], "dial") == 0 && atol(argv[4]) > 0)
        return dial_main(argv[2], argv[3], (uint64_t)atol(argv[4]));
    return 2;
}
