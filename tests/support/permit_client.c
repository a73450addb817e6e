/* SPDX-License-Identifier: Apache-2.0
 *
 * permit_client.c - stands in for a program under the shim: hands over a permit, tags sockets,
 * connects, waits; and, told so, misbehaves. Driven by lines on stdin, with one line of answer
 * each; see command(). Most answer `ok`; `connect` (tag, connect; endpoint 0: no tag), `start` (the
 * same, non-blocking) and `dup` the descriptor; recv, send, poll, epoll and fork-recv (in a child)
 * `waiting`, and then what ended it; `state` `alive` or an error; `count` `ALIVE SEVERED`; `cookie`
 * that of a socket. `permit` answers `closed` if it lost its place in line. `renew` hands over anew
 * and closes the permit that `renew` made before; each of `children` has one of its own; `forge` tags
 * another process' socket; `become` changes the effective uid, `drop` all of them. `crowd` hands over
 * many permits, with a few memories that are full; `namespaces` one from each of many. `protocol` is that of the sockets that follow: 262 is MPTCP.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
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

/* No test opens more. */
#define SLOTS 65536

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

/* A process that hands over once more has its tags in the new memory, too. */
static int open_tags(void)
{
    const struct tag_memory *before = tags;
    size_t size = tag_memory_size(SLOTS);
    int fd = open_memory(size, PERMIT_TAG_SEALS);

    tags = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (tags == MAP_FAILED)
        die("mmap");
    tags->header.magic = TAG_MAGIC;
    tags->header.version = TAG_VERSION;
    tags->header.slots = SLOTS;
    for (int i = 0; before && i <= last_fd; i++)
        tags->slots[i] = before->slots[i];
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

static int try_hello(int connection, uint32_t slots, const int *fds, size_t count)
{
    uint8_t hello[PERMIT_HELLO_SIZE];

    permit_hello_encode(&(struct permit_hello){.slots = slots}, hello);
    return try_hand_over(connection, hello, sizeof(hello), fds, count);
}

static void say_hello(int connection, uint32_t slots, const int *fds, size_t count)
{
    if (try_hello(connection, slots, fds, count))
        die("sendmsg");
}

static void permit(const char *path, bool keep)
{
    int fds[PERMIT_FD_COUNT] = {open_netlink(), open_tags()};

    static int held = -1;
    int connection = dial(path);

    int error = try_hello(connection, SLOTS, fds, PERMIT_FD_COUNT);
    close(fds[0]);
    close(fds[1]);
    if (held >= 0)
        close(held);
    if (keep)
        held = connection;
    say(!error ? "ok" : error == -EPIPE ? "closed" : strerror(-error));
}

/* Each hands over for itself, or has lost its place in line, and stands still from then on. */
static void permits_of_children(int count, const char *path)
{
    for (int i = 0; i < count; i++) {
        int pid = fork(), status;
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (freopen("/dev/null", "w", stdout))
                permit(path, false);
            raise(SIGSTOP);
        }
        if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
            die("children");
    }
    say("ok");
}

/* A memory as large as may be, with so many tags of sockets that are not there. */
static int open_full(uint32_t filled)
{
    size_t size = tag_memory_size(TAG_SLOTS_MAX);
    int fd = open_memory(size, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    struct tag_memory *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (map == MAP_FAILED)
        die("mmap");
    map->header.magic = TAG_MAGIC;
    map->header.version = TAG_VERSION;
    map->header.slots = TAG_SLOTS_MAX;
    for (uint32_t i = 0; i < filled; i++)
        map->slots[i] = (struct tag){.cookie = UINT64_MAX - i, .endpoint = 1};
    munmap(map, size);
    return fd;
}

static void crowd(int count, uint32_t filled, int distinct, const char *path)
{
    int *memories = calloc((size_t)distinct, sizeof(*memories));

    for (int i = 0; i < distinct; i++)
        memories[i] = open_full(filled);
    for (int i = 0; i < count; i++) {
        int fds[PERMIT_FD_COUNT] = {open_netlink(), memories[i % distinct]};
        say_hello(dial(path), TAG_SLOTS_MAX, fds, PERMIT_FD_COUNT);
        close(fds[0]);
    }
    for (int i = 0; i < distinct; i++)
        close(memories[i]);
    free(memories);
    say("ok");
}

/* A permit from each of so many new network namespaces. The process stays in the last one. */
static void crowd_of_namespaces(int count, const char *path)
{
    int memory = open_full(0);

    for (int i = 0; i < count; i++) {
        if (unshare(CLONE_NEWNET))
            die("unshare");
        int fds[PERMIT_FD_COUNT] = {open_netlink(), memory};
        say_hello(dial(path), TAG_SLOTS_MAX, fds, PERMIT_FD_COUNT);
        close(fds[0]);
    }
    close(memory);
    say("ok");
}

/* A tag for a socket of another process. */
static void forge(int slot, uint64_t cookie, uint64_t endpoint, uint64_t generation)
{
    tags->slots[slot] = (struct tag){
        .cookie = cookie, .endpoint = endpoint, .generation = generation, .since_ms = clock_ms()};
    last_fd = last_fd < slot ? slot : last_fd;
    say("ok");
}

static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);

    if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len))
        die("SO_COOKIE");
    return cookie;
}

/* The real and the saved uid stay, so that it can be undone. */
static void become(int uid)
{
    if (setresuid((uid_t)-1, (uid_t)uid, (uid_t)-1))
        die("setresuid");
    say("ok");
}

static void become_for_good(int uid)
{
    if (setresgid((gid_t)uid, (gid_t)uid, (gid_t)uid) ||
        setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid))
        die("setresuid");
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

static int protocol; /* of the connections and listeners that are made next; 0: TCP */

static int open_connection(const char *text, int port, uint64_t endpoint, uint64_t generation,
                           int flags)
{
    struct sockaddr_in6 at = address(text, port);
    int fd = socket(at.sin6_family, SOCK_STREAM | SOCK_CLOEXEC | flags, protocol);

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
    int fd = socket(at.sin6_family, SOCK_STREAM, protocol), on = 1;

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
    int of = 0;
    socklen_t len = sizeof(of);

    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &of, &len) == 0 &&
           (of == IPPROTO_TCP || of == IPPROTO_MPTCP);
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
    size_t size = strcmp(kind, "huge") ? tag_memory_size(SLOTS) : (size_t)1 << 40;
    int fd = open_memory(size, seals);
    uint64_t head[3] = {TAG_MAGIC, TAG_VERSION, SLOTS};

    if (strcmp(kind, "blank") != 0 && pwrite(fd, head, sizeof(head), 0) < 0)
        die("pwrite");
    return fd;
}

/* swapped: the two in the wrong order · tcp: a socket of another kind · route: another netlink
 * family · file: no memory · unsealed, huge, blank: other memory · endless: slots · one · many ·
 * text: no hello · silent: nothing · elsewhere: a netlink socket of another network namespace ·
 * more: a good permit and then a byte · keep: a good permit whose netlink socket somebody else goes
 * on reading */
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
    else if (strcmp(kind, "elsewhere") == 0 && unshare(CLONE_NEWNET) == 0)
        p.fds[0] = open_netlink();
    else if (strcmp(kind, "many") == 0)
        for (p.count = 0; p.count < 16; p.count++)
            p.fds[p.count] = lingering_tcp();
    if (strcmp(kind, "text") == 0)
        hand_over(connection, "GET / HTTP/1.0\r\n\r\n", 18, p.fds, p.count);
    else if (strcmp(kind, "silent") != 0)
        say_hello(connection, strcmp(kind, "endless") ? SLOTS : UINT32_MAX, p.fds, p.count);
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
    else if (strcmp(verb, "cookie") == 0)
        printf("%llu\n", (unsigned long long)cookie_of(fd));
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
    unsigned long long endpoint, generation, cookie;
    int port, fd, n, filled;

    if (sscanf(line, "permit %127s", text) == 1)
        permit(text, false);
    else if (sscanf(line, "renew %127s", text) == 1)
        permit(text, true);
    else if (sscanf(line, "children %d %127s", &n, text) == 2)
        permits_of_children(n, text);
    else if (sscanf(line, "forge %d %llu %llu %llu", &fd, &cookie, &endpoint, &generation) == 4)
        forge(fd, cookie, endpoint, generation);
    else if (sscanf(line, "crowd %d %d %d %127s", &n, &filled, &fd, text) == 4)
        crowd(n, (uint32_t)filled, fd, text);
    else if (sscanf(line, "namespaces %d %127s", &n, text) == 2)
        crowd_of_namespaces(n, text);
    else if (sscanf(line, "protocol %d", &protocol) == 1)
        say("ok");
    else if (sscanf(line, "become %d", &n) == 1)
        become(n);
    else if (sscanf(line, "drop %d", &n) == 1)
        become_for_good(n);
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
