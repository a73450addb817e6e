/* SPDX-License-Identifier: Apache-2.0
 *
 * flood.c - a local user that connects to a socket of homing's as often as it can, so that nobody
 * else gets through. It runs until it is killed.
 *
 * usage: flood SOCKET HOW PROCESSES KEEP
 *
 * HOW: `silent`, it sends nothing; `junk`, bytes that are no permit and no request; `permit`, a good
 * permit; `attach`, a good request for the view. PROCESSES do so at once, and each keeps its newest
 * KEEP connections open. With KEEP 0 each connection is made by a process of its own, which ends
 * then: a storm of forks. Says `going` when each of them has connected once or was turned away.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/attach.h"
#include "proto/permit.h"

enum {
    SLOTS = TAG_SLOTS_MIN,
    CHILDREN_MAX = 16,
    PERMIT_FDS = 2
};

struct sending {
    uint8_t bytes[PERMIT_HELLO_SIZE];
    size_t len; /* 0: it sends nothing */
    int fds[PERMIT_FDS];
    int count;
};

/* One pair of descriptors serves for all permits of a process. */
static void open_permit(struct sending *s)
{
    uint64_t head[3] = {TAG_MAGIC, TAG_VERSION, SLOTS};
    int memory = memfd_create("homing-tags", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (ftruncate(memory, (off_t)tag_memory_size(SLOTS)) ||
        pwrite(memory, head, sizeof(head), 0) != sizeof(head) ||
        fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
        exit(1);
    s->fds[PERMIT_FD_NETLINK] = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    s->fds[PERMIT_FD_TAGS] = memory;
    s->count = PERMIT_FDS;
    permit_hello_encode(&(struct permit_hello){.slots = SLOTS}, s->bytes);
    s->len = PERMIT_HELLO_SIZE;
}

static struct sending sending_of(const char *how)
{
    static const char junk[] = "GET / HTTP/1.0\r\n\r\n";
    struct sending s = {0};

    if (strcmp(how, "permit") == 0)
        open_permit(&s);
    else if (strcmp(how, "attach") == 0)
        memcpy(s.bytes, attach_request, s.len = ATTACH_REQUEST_SIZE);
    else if (strcmp(how, "junk") == 0)
        memcpy(s.bytes, junk, s.len = sizeof(junk));
    return s;
}

static void send_it(int fd, const struct sending *s)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(PERMIT_FDS * sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(PERMIT_FDS * sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    struct iovec iov = {(void *)s->bytes, s->len};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    if (s->count) {
        memcpy(CMSG_DATA(&control.header), s->fds, sizeof(s->fds));
        m.msg_control = &control;
        m.msg_controllen = sizeof(control);
    }
    (void)!sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* A waiting connect: it is there as soon as there is room. */
static int dial(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static int connect_and_send(const char *path, const struct sending *s)
{
    int fd = dial(path);

    if (fd >= 0 && s->len)
        send_it(fd, s);
    return fd;
}

/* It has connected once, or was turned away. */
static void note_ready(int *ready)
{
    if (*ready < 0)
        return;
    (void)!write(*ready, "", 1);
    close(*ready);
    *ready = -1;
}

static void flood_by_forks(const char *path, const struct sending *s, int ready)
{
    for (int children = 0;; note_ready(&ready)) {
        int parent = getpid(), pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != parent) /* it was killed before that */
                _exit(0);
            (void)connect_and_send(path, s);
            _exit(0);
        }
        children += pid > 0;
        while (children && waitpid(-1, NULL, children < CHILDREN_MAX ? WNOHANG : 0) > 0)
            children--;
    }
}

static void flood(const char *path, const char *how, int keep, int ready)
{
    struct sending sending = sending_of(how);
    int *kept = malloc((size_t)keep * sizeof(*kept)), at = 0;

    if (keep == 0)
        flood_by_forks(path, &sending, ready);
    memset(kept, 0xff, (size_t)keep * sizeof(*kept));
    for (;; at = (at + 1) % keep) {
        if (kept[at] >= 0)
            close(kept[at]);
        kept[at] = connect_and_send(path, &sending);
        note_ready(&ready);
    }
}

static void raise_limit(void)
{
    struct rlimit files;

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
    int ready[2];
    char byte;

    if (argc != 5 || pipe(ready))
        return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    raise_limit();
    int parent = getpid();
    for (int i = 0; i < atoi(argv[3]); i++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != parent)
                _exit(0);
            close(ready[0]);
            flood(argv[1], argv[2], atoi(argv[4]), ready[1]);
        }
    for (int i = 0; i < atoi(argv[3]); i++)
        if (read(ready[0], &byte, 1) != 1)
            return 1;
    puts("going");
    fflush(stdout);
    pause();
    return 0;
}
