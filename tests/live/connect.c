/* SPDX-License-Identifier: Apache-2.0
 *
 * connect.c - a program that has no idea of homing: connects to NAME PORT and prints where it got;
 * with a third argument again and again, once per line of input. Compiled with each libc.
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

static int connect_once(const char *name, const char *port)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);
    char text[64];
    int fd = connect_to(name, port);

    if (fd < 0 || getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
        return 1;
    puts(peer.ss_family == AF_INET
             ? inet_ntop(AF_INET, &((struct sockaddr_in *)&peer)->sin_addr, text, sizeof(text))
             : inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&peer)->sin6_addr, text, sizeof(text)));
    close(fd);
    return 0;
}

int main(int argc, char **argv)
{
    char line[64];

    setvbuf(stdout, NULL, _IOLBF, 0); /* who reads waits for each line, a failure's too */
    if (argc == 3)
        return connect_once(argv[1], argv[2]);
    while (argc == 4 && fgets(line, sizeof(line), stdin))
        if (connect_once(argv[1], argv[2]) != 0)
            puts("failed");
    return argc == 4 ? 0 : 1;
}
