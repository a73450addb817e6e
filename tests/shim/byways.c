/* SPDX-License-Identifier: Apache-2.0
 *
 * byways.c - the commands of probe.c that look up or connect in other ways than by getaddrinfo() and
 * connect(), and those that change what the process may do and where.
 *
 *   fastopen ADDRESS PORT · deferred ADDRESS PORT     one byte is sent, by sendto() with MSG_FASTOPEN,
 *      and after a connect with TCP_FASTOPEN_CONNECT. The descriptor is kept
 *   later NODE     by getaddrinfo_a(): the address
 *   elsewhere ADDRESS PORT · ring ADDRESS PORT     by connect() of a libc that dlmopen() loads, and by
 *      io_uring. The descriptor is kept
 *   netns      to a network namespace of its own, with loopback · netns FD     back to that one
 *   deny FAMILY     socket() of that family fails with EAFNOSUPPORT from now on
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/shim/probe.h"

#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT 30
#endif

static struct sockaddr_in address_of(char **words)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[2]))};

    inet_pton(AF_INET, words[1], &to.sin_addr);
    return to;
}

static void say(struct out *out, long rc, int fd)
{
    struct sockaddr_in peer = {.sin_family = AF_INET};
    socklen_t len = sizeof(peer);

    put_number(out, "rc=", rc);
    put_number(out, " errno=", rc < 0 ? errno : 0);
    put(out, " peer=");
    if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0)
        put_address(out, (struct sockaddr *)&peer);
    put_number(out, " fd=", fd);
}

static void do_fastopen(struct out *out, char **words)
{
    struct sockaddr_in to = address_of(words);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    say(out, sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to)), fd);
}

static void do_deferred(struct out *out, char **words)
{
    struct sockaddr_in to = address_of(words);
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    long rc = setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on));

    if (rc == 0)
        rc = connect(fd, (struct sockaddr *)&to, sizeof(to));
    if (rc == 0)
        rc = send(fd, "x", 1, MSG_NOSIGNAL);
    say(out, rc, fd);
}

#ifdef __GLIBC__
#pragma weak getaddrinfo_a
#pragma weak dlmopen

static void do_later(struct out *out, const char *node)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct gaicb request = {.ar_name = node, .ar_request = &hints}, *requests = &request;
    int error = getaddrinfo_a ? getaddrinfo_a(GAI_WAIT, &requests, 1, NULL) : EAI_SYSTEM;

    put_number(out, "rc=", error ? error : gai_error(&request));
    if (request.ar_result) {
        put(out, " ");
        put_address(out, request.ar_result->ai_addr);
    }
}

static void do_elsewhere(struct out *out, char **words)
{
    struct sockaddr_in to = address_of(words);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    void *libc = dlmopen ? dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW) : NULL;
    __typeof__(connect) *its = libc ? (__typeof__(its))dlsym(libc, "connect") : NULL;

    say(out, its ? its(fd, (struct sockaddr *)&to, sizeof(to)) : -1, fd);
}
#else
static void do_later(struct out *out, const char *node)
{
    (void)node;
    put(out, "none");
}

static void do_elsewhere(struct out *out, char **words)
{
    (void)words;
    put(out, "none");
}
#endif

/* As in <linux/io_uring.h>, without which musl comes. */
struct ring_offsets {
    uint32_t head, tail, mask, entries, flags, dropped, array, reserved;
    uint64_t more;
};
struct ring_setup {
    uint32_t entries, more[9];
    struct ring_offsets sq, cq;
};
struct ring_entry {
    uint8_t opcode, flags;
    uint16_t priority;
    int32_t fd;
    uint64_t len, address, rest[5];
};
enum {
    RING_CONNECT = 16,
    RING_ENTRIES_AT = 0x10000000,
    RING_GET = 1
};

/* The completion has user data, then the result. */
static long ring_connect(int ring, const struct ring_setup *setup, const struct ring_entry *entry)
{
    char *queue = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, 0);
    struct ring_entry *entries =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, RING_ENTRIES_AT);

    if (queue == MAP_FAILED || (void *)entries == MAP_FAILED)
        return -ENOMEM;
    entries[0] = *entry;
    *(uint32_t *)(queue + setup->sq.array) = 0;
    __atomic_store_n((uint32_t *)(queue + setup->sq.tail), 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 1, RING_GET, NULL, 0) != 1)
        return -errno;
    /* struct ring_offsets of the completions has `cqes` in the place of `dropped` */
    return *(int32_t *)(queue + setup->cq.dropped + 8);
}

static void do_ring(struct out *out, char **words)
{
    struct sockaddr_in to = address_of(words);
    struct ring_setup setup = {0};
    struct ring_entry entry = {.opcode = RING_CONNECT, .fd = socket(AF_INET, SOCK_STREAM, 0)};
    int ring = (int)syscall(SYS_io_uring_setup, 1, &setup);
    long rc = -1;

    entry.len = sizeof(to);
    entry.address = (uintptr_t)&to;
    if (ring >= 0) {
        rc = ring_connect(ring, &setup, &entry);
        errno = (int)-rc;
        close(ring);
    }
    say(out, rc, entry.fd);
}

static void do_netns(struct out *out, int back)
{
    struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int was = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    if (back >= 0) {
        close(was);
        put_number(out, "", setns(back, CLONE_NEWNET) ? -errno : close(back));
        return;
    }
    if (unshare(CLONE_NEWNET)) {
        put_number(out, "", -errno);
        close(was);
        return;
    }
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    ioctl(fd, SIOCSIFFLAGS, &loopback);
    close(fd);
    put_number(out, "", was);
}

struct deny_step {
    uint16_t code;
    uint8_t if_true, if_false;
    uint32_t k;
};

static void do_deny(struct out *out, int family)
{
    struct deny_step steps[] = {
        {0x20, 0, 0, 0}, /* load the number of the call */
        {0x15, 0, 3, SYS_socket},
        {0x20, 0, 0, 16}, /* load its first argument */
        {0x15, 0, 1, (uint32_t)family},
        {0x06, 0, 0, 0x00050000 | EAFNOSUPPORT}, /* return that error */
        {0x06, 0, 0, 0x7fff0000},                /* allow */
    };
    struct {
        unsigned short count;
        struct deny_step *steps;
    } filter = {sizeof(steps) / sizeof(steps[0]), steps};

    put_number(out, "", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    put_number(out, " ", prctl(PR_SET_SECCOMP, 2 /* a filter */, &filter, 0, 0));
}

int byways_command(struct out *out, char **words, int count)
{
    const char *verb = words[0];

    if (strcmp(verb, "fastopen") == 0 && count == 3)
        do_fastopen(out, words);
    else if (strcmp(verb, "deferred") == 0 && count == 3)
        do_deferred(out, words);
    else if (strcmp(verb, "later") == 0 && count == 2)
        do_later(out, words[1]);
    else if (strcmp(verb, "elsewhere") == 0 && count == 3)
        do_elsewhere(out, words);
    else if (strcmp(verb, "ring") == 0 && count == 3)
        do_ring(out, words);
    else if (strcmp(verb, "netns") == 0)
        do_netns(out, count == 2 ? atoi(words[1]) : -1);
    else if (strcmp(verb, "deny") == 0 && count == 2)
        do_deny(out, atoi(words[1]));
    else
        return 0;
    return 1;
}
