/* SPDX-License-Identifier: Apache-2.0
 *
 * detect.c - from "not in recovery" to the published view, as seen by nobody's side.
 *
 * usage: detect SOCKET NAME CONNINFO ADDRESS [ends]
 *
 * Asks the server every 5 ms whether it is in recovery, and looks into the view every half a
 * millisecond for NAME's answer to be ADDRESS. Prints the milliseconds from the first answer "no"
 * to the first sight of the view; negative if the view was first. With "ends": from the first time
 * that it does not say "no". Called by detect.py, one run per promotion.
 */
#include "config.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/attach.h"
#include "proto/view_read.h"
#include "tests/support/clock.h"

static void detect_fail(const char *what)
{
    perror(what);
    exit(1);
}

static int detect_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        detect_fail(path);
    return fd;
}

static int detect_view_fd(int fd, struct attach_reply *ret_reply)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    uint8_t bytes[ATTACH_REPLY_SIZE];
    struct iovec data = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    int view_fd;

    if (send(fd, attach_request, sizeof(attach_request), MSG_NOSIGNAL) < 0 ||
        recvmsg(fd, &message, MSG_CMSG_CLOEXEC) != sizeof(bytes) ||
        !attach_reply_check(bytes, sizeof(bytes), ret_reply) || !CMSG_FIRSTHDR(&message))
        detect_fail("attach");
    memcpy(&view_fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(view_fd));
    return view_fd;
}

static void detect_attach(const char *path, struct view_map *ret_map)
{
    struct attach_reply reply;
    int fd = detect_connect(path);
    int view_fd = detect_view_fd(fd, &reply);
    void *base = mmap(NULL, reply.size, PROT_READ, MAP_SHARED, view_fd, 0);

    if (base == MAP_FAILED || !view_map_check(base, reply.size, ret_map))
        detect_fail("view");
    close(view_fd);
    close(fd);
}

static bool detect_published(const struct view_map *map, const struct name *name,
                             const char *address)
{
    struct view_entry entry;

    return view_read(map, name, &entry) == VIEW_FOUND && strcmp(entry.text4, address) == 0;
}

static bool detect_claims(PGconn *connection)
{
    PGresult *result = PQexec(connection, "SELECT pg_is_in_recovery()");
    bool claims = PQresultStatus(result) == PGRES_TUPLES_OK && *PQgetvalue(result, 0, 0) == 'f';

    PQclear(result);
    return claims;
}

/* What a server says when it ends is no news here. */
static void detect_notice(void *arg, const char *message)
{
    (void)arg, (void)message;
}

int main(int argc, char **argv)
{
    uint64_t changed_ns = 0, published_ns = 0, asked_ns = 0, end_ms = clock_ms() + 60000;
    bool ends = argc == 6 && strcmp(argv[5], "ends") == 0;
    struct view_map map;
    struct name name;
    PGconn *connection;

    if ((argc != 5 && !ends) || !name_canonical(argv[2], &name))
        return 2;
    detect_attach(argv[1], &map);
    connection = PQconnectdb(argv[3]);
    if (PQstatus(connection) != CONNECTION_OK)
        detect_fail(PQerrorMessage(connection));
    PQsetNoticeProcessor(connection, detect_notice, NULL);
    puts("ready");
    fflush(stdout);
    while ((!changed_ns || !published_ns) && clock_ms() < end_ms) {
        if (!published_ns && detect_published(&map, &name, argv[4]))
            published_ns = clock_ns();
        if (!changed_ns && clock_ns() - asked_ns >= 5000000) {
            asked_ns = clock_ns();
            if (detect_claims(connection) != ends)
                changed_ns = clock_ns();
        }
        usleep(500);
    }
    PQfinish(connection);
    if (!changed_ns || !published_ns)
        return 1;
    printf("%.1f\n", ((double)published_ns - (double)changed_ns) / 1e6);
    return 0;
}
