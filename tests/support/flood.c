/* SPDX-License-Identifier: Apache-2.0
 *
 * flood.c - a local user that connects to permit.sock as often as it can, so that nobody else gets
 * through. It runs until it is killed.
 *
 * usage: flood SOCKET HOW PROCESSES KEEP
 *
 * HOW: `silent`, it sends nothing; `junk`, bytes that are no permit; `permit`, a good permit.
 * PROCESSES do so at once, and each keeps its newest KEEP connections open. Says `going` when each
 * of them has connected once or was turned away.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/permit.h"

enum {
    SLOTS = TAG_SLOTS_MIN,
    PERMIT_FDS = 2
};

struct sending {
    uint8_t hello[PERMIT_HELLO_SIZE];
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
    permit_hello_encode(&(struct permit_hello){.slots = SLOTS}, s->hello);
}

static void send_it(int fd, const struct sending *s)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(PERMIT_FDS * sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(PERMIT_FDS * sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    struct iovec iov = {(void *)s->hello, sizeof(s->hello)};
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

static void flood(const char *path, const char *how, int keep, int ready)
{
    struct sending sending = {.hello = "GET / HTTP/1.0\r\n\r\n"};
    int *kept = malloc((size_t)keep * sizeof(*kept)), at = 0;
    bool silent = strcmp(how, "silent") == 0;

    memset(kept, 0xff, (size_t)keep * sizeof(*kept));
    if (strcmp(how, "permit") == 0)
        open_permit(&sending);
    for (;; at = (at + 1) % keep) {
        if (kept[at] >= 0)
            close(kept[at]);
        kept[at] = dial(path);
        if (kept[at] >= 0 && !silent)
            send_it(kept[at], &sending);
        if (ready >= 0)
            (void)!write(ready, "", 1);
        if (ready >= 0)
            close(ready);
        ready = -1;
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
    for (int i = 0; i < atoi(argv[3]); i++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
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
