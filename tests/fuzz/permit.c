/* SPDX-License-Identifier: Apache-2.0
 *
 * permit.c - what a stranger sends to permit.sock: how many descriptors of which kinds, with which
 * bytes; and what is in his tags. Only a permit is taken for one, nothing is left open.
 */
#include "config.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/sever/permits/guard.h"
#include "agent/sever/permits/offer.h"
#include "agent/sever/sweep/tags.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct content {
    const uint8_t *data;
    size_t size;
    uint32_t slots; /* as the hello says */
};

static int memory(const struct content *content, int kind)
{
    int fd = memfd_create("tags", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    uint32_t slots = content->slots < TAG_SLOTS_MAX ? content->slots : TAG_SLOTS_MAX;

    if (fd < 0 || ftruncate(fd, kind & 1 ? 4096 : (off_t)tag_memory_size(slots)) ||
        pwrite(fd, content->data, content->size, 0) < 0)
        abort();
    (void)fcntl(fd, F_ADD_SEALS, kind & 2 ? F_SEAL_SHRINK : F_SEAL_SHRINK | F_SEAL_GROW);
    return fd;
}

/* One byte says what to send: 0 to 3 netlink or TCP, 4 to 7 memory, else a pipe's end. */
static int thing(uint8_t kind, const struct content *content)
{
    int ends[2];

    if (kind % 9 < 2)
        return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
                      kind % 9 ? NETLINK_ROUTE : NETLINK_SOCK_DIAG);
    if (kind % 9 < 4)
        return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (kind % 9 < 8)
        return memory(content, kind % 9 - 4);
    if (pipe(ends))
        abort();
    close(ends[1]);
    return ends[0];
}

static void send_things(int fd, const void *bytes, size_t len, const int *fds, size_t count)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(4 * sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(count * sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    struct iovec iov = {(void *)bytes, len};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
    if (count) {
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(count * sizeof(int));
    }
    (void)!sendmsg(fd, &m, MSG_DONTWAIT);
}

static void check(const struct offer *offer, bool could_be)
{
    static const struct sever_order order = {.endpoints = {{1, 2}}, .endpoint_count = 1};
    struct tags tags = {0};
    struct tag_reading reading;

    if (offer->result != OFFER_PERMIT)
        return;
    if (!could_be)
        abort();
    (void)tags_add(&tags, &(struct diag_socket){.cookie = 1});
    tag_memory_begin(offer->rights.fds[PERMIT_FD_TAGS], &reading);
    while (tags_judge_next(&tags, &order, &reading, &(struct tags_owner){.own = true}) > 0)
        ;
    tags_done(&tags);
}

/* A hello with those slots, or the input itself in the place of a hello. */
static void send_offer(int fd, const uint8_t *data, size_t size, uint32_t slots, const int *fds)
{
    uint8_t hello[PERMIT_HELLO_SIZE];

    permit_hello_encode(&(struct permit_hello){.slots = slots, .flags = data[5] / 2}, hello);
    if (data[5] % 2)
        send_things(fd, hello, sizeof(hello), fds, data[0] % 5);
    else
        send_things(fd, data + 10, size - 10, fds, data[0] % 5);
}

/* count, a kind for each, whether there is a hello, and its flags; its slots in 4 bytes; then the
 * memory's content. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct offer offer;
    int fds[4], pair[2];

    if (size < 11 || size > 8192)
        return 0;
    size_t count = data[0] % 5;
    struct content content = {data + 10, size - 10, 0};
    memcpy(&content.slots, data + 6, 4);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        abort();
    guard_init();
    for (size_t i = 0; i < count; i++)
        fds[i] = thing(data[1 + i], &content);
    send_offer(pair[0], data, size, content.slots, fds);
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    offer_read(pair[1], &offer);
    check(&offer, count == PERMIT_FD_COUNT && data[1] % 9 == 0 && data[2] % 9 == 4 &&
                      content.slots >= TAG_SLOTS_MIN && content.slots <= TAG_SLOTS_MAX);
    while (offer.rights.count > 0)
        guard_close(offer.rights.fds[--offer.rights.count]);
    close(pair[0]);
    close(pair[1]);
    int next = dup(2); /* the lowest free one: what it got was closed */
    if (next != pair[0])
        abort();
    close(next);
    return 0;
}
