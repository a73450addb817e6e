/* SPDX-License-Identifier: Apache-2.0
 *
 * hostile.c - a local user that means to hang whoever has a Unix socket open to all: it sends
 * descriptors whose last holder waits for ever when it closes them.
 *
 * usage: hostile SOCKET HOW WHAT TIMES
 *
 * WHAT: `tcp`, a socket that lingers over bytes that nobody reads; or the path of a file of
 * stuck_files.py. HOW: see send_as(). TIMES: connections, one after the other; 0: until it is
 * killed, each by a process of its own, because one that is not fast enough hangs by itself. For
 * each a line: the error of connect() or sendmsg(), or `sent` as soon as no descriptor is left
 * here, and one more: `ended` (by the other end), or `late` (not within ten seconds).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/attach.h"
#include "proto/permit.h"

enum {
    FDS_MAX = 8,
    HANGING_MAX = 100,
    PATIENCE_MS = 10000
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- what hangs ---- */

/* The other end stays open, and is never read. */
static int lingering_tcp(void)
{
    static char bytes[65536];
    struct linger forever = {1, 3600};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int listening = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &forever, sizeof(forever));
    if (bind(listening, (struct sockaddr *)&at, len) || listen(listening, 1) ||
        getsockname(listening, (struct sockaddr *)&at, &len) ||
        connect(fd, (struct sockaddr *)&at, len) || accept(listening, NULL, NULL) < 0)
        die("tcp");
    close(listening);
    while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
    return fd;
}

static const char *file;

static int clean_file(const char *path)
{
    int fd = open(path, O_RDWR);

    if (fd < 0)
        die(path);
    file = path;
    return fd;
}

/* It is written to only when no descriptor of ours is left, but one that stays open: closing one
 * would hang us. */
static void dirty_file(void)
{
    static int own = -1;

    if (own < 0 && file)
        own = open(file, O_RDWR);
    if (file && pwrite(own, "!", 1, 0) != 1)
        die("pwrite");
}

/* ---- sending ---- */

static int send_fds(int to, const void *data, size_t len, int fd, int count, int flags)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(count * sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    struct iovec iov = {(void *)data, len};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = CMSG_SPACE(count * sizeof(int))};

    for (int i = 0; i < count; i++)
        memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &fd, sizeof(fd));
    return sendmsg(to, &m, MSG_NOSIGNAL | flags) < 0 ? errno : 0;
}

/* first: with the first byte of a request to attach · urgent: with a byte out of band before it ·
 * behind: with a byte behind a whole request · queued: with a byte behind more than is read · permit: in place of both descriptors of a permit ·
 * many: more descriptors than a permit has */
static int send_as(const char *how, int to, int fd)
{
    static const char zeros[4096];
    const size_t all = sizeof(attach_request);
    uint8_t hello[PERMIT_HELLO_SIZE];
    int error = 0;

    permit_hello_encode(&(struct permit_hello){.slots = TAG_SLOTS_MIN}, hello);
    if (strcmp(how, "permit") == 0)
        return send_fds(to, hello, sizeof(hello), fd, 2, 0);
    if (strcmp(how, "many") == 0)
        return send_fds(to, hello, sizeof(hello), fd, FDS_MAX, 0);
    if (strcmp(how, "first") == 0)
        return send_fds(to, attach_request, all, fd, 1, 0);
    if (strcmp(how, "queued") == 0)
        return send(to, zeros, sizeof(zeros), MSG_NOSIGNAL) < 0 ? errno
                                                                : send_fds(to, "", 1, fd, 1, 0);
    if (strcmp(how, "urgent") == 0) {
        error = send_fds(to, "!", 1, fd, 1, MSG_OOB);
        (void)!send(to, attach_request, all, MSG_NOSIGNAL); /* if it was not thrown out yet */
        return error;
    }
    if (error == 0 && send(to, attach_request, all, MSG_NOSIGNAL) < 0)
        error = errno;
    return error || strcmp(how, "behind") != 0 ? error : send_fds(to, "\x94", 1, fd, 1, 0);
}

/* ---- one connection ---- */

static int dial(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
        return fd;
    close(fd);
    return -1;
}

static void say(const char *text)
{
    puts(text);
    fflush(stdout);
}

/* What is sent back on the way is thrown away. */
static const char *await_end(int fd)
{
    struct pollfd at = {fd, POLLIN, 0};
    char bytes[512];

    while (poll(&at, 1, PATIENCE_MS) > 0)
        if (recv(fd, bytes, sizeof(bytes), 0) <= 0)
            return "ended";
    return "late";
}

static void once(const char *path, const char *how, const char *what)
{
    int connection = dial(path);
    if (connection < 0) {
        say(strerror(errno));
        return;
    }
    int fd = strcmp(what, "tcp") == 0 ? lingering_tcp() : clean_file(what);
    int error = send_as(how, connection, fd);
    close(fd);
    dirty_file();
    say(error ? strerror(error) : "sent");
    if (!error)
        say(await_end(connection));
    close(connection);
}

static void for_ever(const char *path, const char *how, const char *what)
{
    for (int hanging = 0; hanging < HANGING_MAX;) {
        int parent = getpid(), pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != parent) /* it was killed before that */
                _exit(0);
            once(path, how, what);
            _exit(0);
        }
        usleep(2000);
        hanging += waitpid(pid, NULL, WNOHANG) == 0;
    }
    pause();
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int times = atoi(argv[4]);
    if (times == 0)
        for_ever(argv[1], argv[2], argv[3]);
    for (int i = 0; i < times; i++)
        once(argv[1], argv[2], argv[3]);
    return 0;
}
