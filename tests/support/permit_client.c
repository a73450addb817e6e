/* SPDX-License-Identifier: Apache-2.0
 *
 * permit_client.c - stands in for a program under the shim: hands over a permit, tags sockets,
 * connects, waits; and, told so, misbehaves. Driven by lines on stdin, one line of answer each:
 *
 *   permit PATH                              hand over          → ok
 *   listen ADDRESS PORT                      a server, which accepts and holds → ok
 *   connect ADDRESS PORT ENDPOINT GENERATION tag, connect       → its descriptor (endpoint 0: no
 * tag) start … (the same, non-blocking)         → its descriptor many N ADDRESS PORT ENDPOINT
 * GENERATION  → ok recv|send|poll|epoll FD                  "waiting", then what ended it fork-recv
 * FD · dup FD                    in a child; → the copy state FD · count alive or an error  ·
 * "ALIVE SEVERED" hostile KIND PATH                        → ok (see hostile())
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/permit.h"
#include "tests/support/clock.h"

static struct tag_memory *tags;
static int first_fd = -1, last_fd = -1;

static void say(const char *text)
{
    puts(text);
    fflush(stdout);
}

static void say_error(int error)
{
    say(error == 0              ? "end"
        : error == ECONNABORTED ? "ECONNABORTED"
        : error == ECONNRESET   ? "ECONNRESET"
                                : strerror(error));
}

static void die(const char *what)
{
    fprintf(stderr, "permit_client: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- the permit ---- */

static int open_memory(size_t size, int seals)
{
    int fd = memfd_create("homing-tags", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, (off_t)size) || fcntl(fd, F_ADD_SEALS, seals))
        die("memory");
    return fd;
}

static int open_tags(void)
{
    int fd = open_memory(sizeof(*tags), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);

    tags = mmap(NULL, sizeof(*tags), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (tags == MAP_FAILED)
        die("mmap");
    tags->header.magic = TAG_MAGIC;
    tags->header.version = TAG_VERSION;
    tags->header.slots = TAG_SLOTS;
    return fd;
}

static int open_netlink(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);

    if (fd < 0)
        die("netlink");
    return fd;
}

static int dial(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)))
        die(path);
    return fd;
}

static int try_hand_over(int connection, const void *bytes, size_t len, const int *fds,
                         size_t count)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(16 * sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(count * sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    struct iovec iov = {(void *)bytes, len};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    if (count) {
        memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(count * sizeof(int));
    }
    return sendmsg(connection, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void hand_over(int connection, const void *bytes, size_t len, const int *fds, size_t count)
{
    if (try_hand_over(connection, bytes, len, fds, count))
        die("sendmsg");
}

static void permit(const char *path)
{
    int fds[PERMIT_FD_COUNT] = {open_netlink(), open_tags()};

    hand_over(dial(path), permit_hello, sizeof(permit_hello), fds, PERMIT_FD_COUNT);
    close(fds[0]);
    close(fds[1]);
    say("ok");
}

/* ---- connections ---- */

static struct sockaddr_in6 address(const char *text, int port)
{
    union {
        struct sockaddr_in6 six;
        struct sockaddr_in four;
    } at = {.six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)}};

    if (inet_pton(AF_INET6, text, &at.six.sin6_addr) == 1)
        return at.six;
    memset(&at, 0, sizeof(at));
    at.four.sin_family = AF_INET;
    at.four.sin_port = htons((uint16_t)port);
    if (inet_pton(AF_INET, text, &at.four.sin_addr) != 1)
        die(text);
    return at.six;
}

static socklen_t address_len(const struct sockaddr_in6 *at)
{
    return at->sin6_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(*at);
}

static void tag(int fd, uint64_t endpoint, uint64_t generation)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);

    if (!endpoint || !tags)
        return;
    if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len))
        die("SO_COOKIE");
    struct tag *slot = &tags->slots[fd];
    slot->cookie = 0;
    slot->endpoint = endpoint;
    slot->generation = generation;
    slot->since_ms = clock_ms();
    slot->cookie = cookie;
    tags->header.counts[TAG_COUNT_CONNECTS]++;
}

static int open_connection(const char *text, int port, uint64_t endpoint, uint64_t generation,
                           int flags)
{
    struct sockaddr_in6 at = address(text, port);
    int fd = socket(at.sin6_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

    if (fd < 0)
        die("socket");
    tag(fd, endpoint, generation);
    if (connect(fd, (struct sockaddr *)&at, address_len(&at)) && errno != EINPROGRESS)
        die("connect");
    first_fd = first_fd < 0 ? fd : first_fd;
    last_fd = fd;
    return fd;
}

/* Accepts and holds, until its parent is gone. */
static void serve(int listening)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;)
        if (accept(listening, NULL, NULL) < 0 && errno != ECONNABORTED && errno != EINTR)
            pause();
}

static void listen_at(const char *text, int port)
{
    struct sockaddr_in6 at = address(text, port);
    int fd = socket(at.sin6_family, SOCK_STREAM, 0), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, address_len(&at)) || listen(fd, 4096))
        die("listen");
    if (fork() == 0)
        serve(fd);
    close(fd);
    say("ok");
}

/* An error is told by the kernel once: the next look sees the end. */
static int state_of(int fd)
{
    char byte;

    ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n >= 0 ? 0 : errno;
}

static bool is_tcp(int fd)
{
    int protocol = 0;
    socklen_t len = sizeof(protocol);

    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 && protocol == IPPROTO_TCP;
}

static void say_state(int error)
{
    say(error == EAGAIN ? "alive" : error == ECONNABORTED ? "severed" : "ended");
}

static void count(void)
{
    int alive = 0, severed = 0;

    for (int fd = first_fd; fd >= 0 && fd <= last_fd; fd++) {
        int error = is_tcp(fd) ? state_of(fd) : 0;
        alive += error == EAGAIN;
        severed += error == ECONNABORTED;
    }
    printf("%d %d\n", alive, severed);
    fflush(stdout);
}

/* ---- waiting ---- */

static void wait_recv(int fd)
{
    char byte;

    say("waiting");
    ssize_t n = recv(fd, &byte, 1, 0);
    say_error(n < 0 ? errno : 0);
}

static void wait_send(int fd)
{
    static char bytes[65536];
    ssize_t n;

    say("waiting");
    while ((n = send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL)) > 0)
        ;
    say_error(errno);
}

static void wait_poll(int fd)
{
    struct pollfd of = {fd, POLLIN, 0};

    say("waiting");
    poll(&of, 1, -1);
    say_error(state_of(fd));
}

static void wait_epoll(int fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    say("waiting");
    epoll_wait(epoll, &event, 1, -1);
    say_error(state_of(fd));
    close(epoll);
}

static void wait_forked(int fd)
{
    if (fork() == 0) {
        wait_recv(fd);
        _exit(0);
    }
    wait(NULL);
}

/* ---- hostile ---- */

struct parcel {
    const char *kind;
    int fds[16];
    size_t count;
};

static int lingering_tcp(void)
{
    struct linger forever = {1, 3600};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &forever, sizeof(forever));
    return fd;
}

/* Tags that are what they should be but for `kind`. */
static int odd_memory(const char *kind)
{
    int seals = strcmp(kind, "unsealed") ? F_SEAL_SHRINK | F_SEAL_GROW : 0;
    size_t size = strcmp(kind, "huge") ? sizeof(struct tag_memory) : (size_t)1 << 40;
    int fd = open_memory(size, seals);
    uint64_t head[3] = {TAG_MAGIC, TAG_VERSION, TAG_SLOTS};

    if (strcmp(kind, "blank") != 0 && pwrite(fd, head, sizeof(head), 0) < 0)
        die("pwrite");
    return fd;
}

/* swapped: the two in the wrong order · tcp: a socket of another kind · route: another netlink
 * family · file: no memory · unsealed, huge, blank: other memory · one · many · text: no hello ·
 * silent: nothing · more: a good permit and then a byte · keep: a good permit whose netlink socket
 * somebody else goes on reading */
static void hostile(const char *kind, const char *path)
{
    int connection = dial(path), netlink = open_netlink(), memory = odd_memory(kind);
    struct parcel p = {kind, {netlink, memory}, 2};

    if (strcmp(kind, "swapped") == 0)
        p.fds[0] = memory, p.fds[1] = netlink;
    else if (strcmp(kind, "tcp") == 0)
        p.fds[0] = lingering_tcp();
    else if (strcmp(kind, "route") == 0)
        p.fds[0] = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    else if (strcmp(kind, "file") == 0)
        p.fds[1] = open("/proc/self/exe", O_RDONLY);
    else if (strcmp(kind, "one") == 0)
        p.count = 1;
    else if (strcmp(kind, "many") == 0)
        for (p.count = 0; p.count < 16; p.count++)
            p.fds[p.count] = lingering_tcp();
    if (strcmp(kind, "text") == 0)
        hand_over(connection, "GET / HTTP/1.0\r\n\r\n", 18, p.fds, p.count);
    else if (strcmp(kind, "silent") != 0)
        hand_over(connection, permit_hello, sizeof(permit_hello), p.fds, p.count);
    if (strcmp(kind, "more") == 0 && try_hand_over(connection, "x", 1, p.fds, 2) == -EPERM)
        hand_over(connection, "x", 1, NULL, 0); /* it takes no more descriptors: SO_PASSRIGHTS */
    if (strcmp(kind, "keep") == 0 && fork() == 0) {
        static char bytes[32768];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fcntl(netlink, F_SETFL, 0);
        while (recv(netlink, bytes, sizeof(bytes), 0) > 0)
            ;
        _exit(0);
    }
    say("ok");
}

/* ---- commands ---- */

static bool command_with_fd(const char *verb, int fd)
{
    if (strcmp(verb, "recv") == 0)
        wait_recv(fd);
    else if (strcmp(verb, "send") == 0)
        wait_send(fd);
    else if (strcmp(verb, "poll") == 0)
        wait_poll(fd);
    else if (strcmp(verb, "epoll") == 0)
        wait_epoll(fd);
    else if (strcmp(verb, "fork-recv") == 0)
        wait_forked(fd);
    else if (strcmp(verb, "dup") == 0)
        printf("%d\n", dup(fd));
    else if (strcmp(verb, "state") == 0)
        say_state(state_of(fd));
    else
        return false;
    fflush(stdout);
    return true;
}

static void command(char *line)
{
    char verb[32], text[128];
    unsigned long long endpoint, generation;
    int port, fd, n;

    if (sscanf(line, "permit %127s", text) == 1)
        permit(text);
    else if (sscanf(line, "listen %127s %d", text, &port) == 2)
        listen_at(text, port);
    else if (sscanf(line, "hostile %31s %127s", verb, text) == 2)
        hostile(verb, text);
    else if (sscanf(line, "many %d %127s %d %llu %llu", &n, text, &port, &endpoint, &generation) ==
             5) {
        while (n-- > 0)
            open_connection(text, port, endpoint, generation, 0);
        say("ok");
    } else if (sscanf(line, "%31s %127s %d %llu %llu", verb, text, &port, &endpoint, &generation) ==
               5) {
        int flags = strcmp(verb, "start") == 0 ? SOCK_NONBLOCK : 0;
        printf("%d\n", open_connection(text, port, endpoint, generation, flags));
        fflush(stdout);
    } else if (strcmp(line, "count\n") == 0)
        count();
    else if (sscanf(line, "%31s %d", verb, &fd) != 2 || !command_with_fd(verb, fd))
        say("?");
}

int main(void)
{
    struct rlimit files;
    char line[512];

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (fgets(line, sizeof(line), stdin))
        command(line);
    return 0;
}
