/* SPDX-License-Identifier: Apache-2.0
 *
 * load.c - a program that looks up one name all the time: for tests of what it sees.
 *
 * usage: load NAME LOOKUPS_PER_SECOND
 *
 * Prints "TIME_MS ADDRESS" (CLOCK_MONOTONIC) at the first answer and whenever it changes, and
 * "TIME_MS failed TEXT" for each failed lookup. Ends when its standard input does, with "end
 * LOOKUPS FAILED WORST_US".
 */
#include "config.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/clock.h"

struct load {
    const char *name;
    char address[INET_ADDRSTRLEN];
    uint64_t lookups;
    uint64_t failed;
    uint64_t worst_ns;
};

static void load_answered(struct load *load, const struct addrinfo *list, uint64_t now_ns)
{
    const struct sockaddr_in *address = (const struct sockaddr_in *)list->ai_addr;
    char text[INET_ADDRSTRLEN];

    inet_ntop(AF_INET, &address->sin_addr, text, sizeof(text));
    if (strcmp(text, load->address) == 0)
        return;
    memcpy(load->address, text, sizeof(text));
    printf("%llu %s\n", (unsigned long long)(now_ns / 1000000), text);
}

static void load_lookup(struct load *load)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
    uint64_t began_ns = clock_ns(), ended_ns;
    int error = getaddrinfo(load->name, "5432", &hints, &list);

    ended_ns = clock_ns();
    load->lookups++;
    if (ended_ns - began_ns > load->worst_ns)
        load->worst_ns = ended_ns - began_ns;
    if (error) {
        load->failed++;
        printf("%llu failed %s\n", (unsigned long long)(ended_ns / 1000000), gai_strerror(error));
        return;
    }
    load_answered(load, list, ended_ns);
    freeaddrinfo(list);
}

int main(int argc, char **argv)
{
    struct pollfd input = {.fd = 0, .events = POLLIN};
    struct load load = {0};
    struct timespec pause = {0};

    if (argc != 3 || atol(argv[2]) < 1)
        return 2;
    load.name = argv[1];
    pause.tv_nsec = 1000000000 / atol(argv[2]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (poll(&input, 1, 0) == 0) {
        load_lookup(&load);
        nanosleep(&pause, NULL);
    }
    printf("end %llu %llu %llu\n", (unsigned long long)load.lookups,
           (unsigned long long)load.failed, (unsigned long long)(load.worst_ns / 1000));
    return 0;
}
