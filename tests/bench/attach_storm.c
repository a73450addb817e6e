/* SPDX-License-Identifier: Apache-2.0
 *
 * attach_storm.c - many fresh processes that look a name up, connect and end: attach_storm.py runs
 * it under the library, which is in the programs' way, not in this one's.
 *
 * usage: attach_storm crowd|lanes COUNT LANES NAME PORT
 *
 * crowd: COUNT programs are started, and look up when all of them are there. lanes: LANES at a time
 * are under way, until COUNT have been. One line for each: the address that it was given, the one
 * that it got to ("-": none), and the microseconds that either took.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/clock.h"

enum {
    COUNT_MAX = 1000,
    READY_FD = 100, /* of a program of a crowd: it writes a byte there, */
    GO_FD = 101     /* and reads here until all have */
};

/* ---- one program ---- */

static void wait_for_all(void)
{
    char byte = 0;

    if (write(READY_FD, &byte, 1) == 1)
        (void)!read(GO_FD, &byte, 1);
}

static const char *text_of(const struct sockaddr *address, char text[INET_ADDRSTRLEN])
{
    return inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text,
                     INET_ADDRSTRLEN);
}

static int program(const char *name, const char *port)
{
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    char given[INET_ADDRSTRLEN] = "-", reached[INET_ADDRSTRLEN] = "-";
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);
    struct addrinfo *list = NULL;
    uint64_t began = clock_ns(), looked, ended;

    if (getaddrinfo(name, port, &hints, &list) != 0)
        return 1;
    looked = clock_ns();
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int failed = connect(fd, list->ai_addr, list->ai_addrlen);
    ended = clock_ns();
    text_of(list->ai_addr, given);
    if (!failed && getpeername(fd, (struct sockaddr *)&peer, &len) == 0)
        text_of((struct sockaddr *)&peer, reached);
    return printf("%s %s %.0f %.0f\n", given, reached, (double)(looked - began) / 1e3,
                  (double)(ended - looked) / 1e3) < 0;
}

/* ---- many ---- */

/* `ready` and `go`: pipes of a crowd, or NULL. */
static void start(char **argv, const int *ready, const int *go)
{
    pid_t pid = fork();

    if (pid < 0)
        exit(1);
    if (pid > 0)
        return;
    if (ready && (dup2(ready[1], READY_FD) < 0 || dup2(go[0], GO_FD) < 0))
        _exit(127);
    execl("/proc/self/exe", "program", argv[1], argv[4], argv[5], (char *)NULL);
    _exit(127);
}

static void crowd(int count, char **argv)
{
    int ready[2], go[2];
    char byte;

    if (pipe2(ready, O_CLOEXEC) || pipe2(go, O_CLOEXEC))
        exit(1);
    for (int i = 0; i < count; i++)
        start(argv, ready, go);
    for (int i = 0; i < count; i++)
        (void)!read(ready[0], &byte, 1);
    close(go[1]);
}

static void lanes(int count, int lanes, char **argv)
{
    for (int i = 0; i < count; i++) {
        if (i >= lanes)
            wait(NULL);
        start(argv, NULL, NULL);
    }
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[0], "program") == 0) {
        if (strcmp(argv[1], "crowd") == 0)
            wait_for_all();
        return program(argv[2], argv[3]);
    }
    int count = argc == 6 ? atoi(argv[2]) : 0;
    if (count < 1 || count > COUNT_MAX)
        return 2;
    if (strcmp(argv[1], "crowd") == 0)
        crowd(count, argv);
    else
        lanes(count, atoi(argv[3]), argv);
    while (wait(NULL) > 0)
        ;
    return 0;
}
