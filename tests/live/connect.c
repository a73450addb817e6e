/* SPDX-License-Identifier: Apache-2.0
 *
 * connect.c - a program that has no idea of homing: connects to NAME PORT and prints where it got.
 * programs.py compiles it with each libc.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_to(const char *name, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int fd = -1;

    if (getaddrinfo(name, port, &hints, &list) != 0)
        return -1;
    for (struct addrinfo *info = list; info && fd < 0; info = info->ai_next) {
        fd = socket(info->ai_family, info->ai_socktype, info->ai_protocol);
        if (fd >= 0 && connect(fd, info->ai_addr, info->ai_addrlen) < 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    return fd;
}

int main(int argc, char **argv)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);
    char text[64];
    int fd = argc == 3 ? connect_to(argv[1], argv[2]) : -1;

    if (fd < 0 || getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
        return 1;
    puts(peer.ss_family == AF_INET
             ? inet_ntop(AF_INET, &((struct sockaddr_in *)&peer)->sin_addr, text, sizeof(text))
             : inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&peer)->sin6_addr, text, sizeof(text)));
    return 0;
}
