/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_agent.c - serves a view over a Unix socket, properly or not.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/attach.h"
#include "tests/support/fake_agent.h"

#define FAKE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)

static const char *const fake_manner_names[FAKE_MANNER_COUNT] = {
    "proper",  "silent", "absent",   "slow",  "hangs-up", "garbage", "half",  "longer", "no-fd",
    "two-fds", "pipe",   "unsealed", "short", "empty",    "size",    "major", "magic",  "instance",
};

const char *fake_manner_name(enum fake_manner manner)
{
    return manner < FAKE_MANNER_COUNT ? fake_manner_names[manner] : "?";
}

/* A memfd of `size` bytes with the first `size` of `content`, sealed with `seals`. */
static int fake_memfd(const void *content, size_t size, int seals)
{
    int fd = memfd_create("fake-view", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, (off_t)size) < 0 ||
        (size && pwrite(fd, content, size, 0) != (ssize_t)size) ||
        fcntl(fd, F_ADD_SEALS, seals) < 0)
        abort();
    return fd;
}

int fake_agent_view(struct fake_agent *agent, uint32_t slots, uint32_t clusters)
{
    size_t size = view_size(slots, clusters, clusters * HOMING_MEMBERS_MAX);
    int fd = memfd_create("fake-view", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    void *base;

    if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
        return -errno;
    base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED || fcntl(fd, F_ADD_SEALS, FAKE_SEALS) < 0)
        return -errno;
    agent->instance = agent->instance * 6364136223846793005u + (uint64_t)getpid() + clock_ms();
    view_write_init(&agent->writer, base, size, slots, clusters, agent->instance);
    view_write_heartbeat(&agent->writer, clock_ms());
    if (agent->size)
        close(agent->view_fd);
    agent->view_fd = fd;
    agent->size = size;
    return 0;
}

/* ---- a view of an agent to come ---- */

#define AHEAD_BYTE 0xee

/* They have some value. */
static void ahead_words(view_word *words, size_t count)
{
    memset((void *)words, AHEAD_BYTE, count * sizeof(*words));
}

static void ahead_slot(struct view_slot *slot)
{
    ahead_words(&slot->reserved, 1);
    ahead_words(slot->reserved2, 4);
    for (int copy = 0; copy < 2; copy++) {
        slot->copies[copy].meta |= 0xeeeeull << 48;
        ahead_words(&slot->copies[copy].reserved, 1);
    }
}

/* A weight, "healthy", and flags that nobody has thought of yet. */
static void ahead_cluster(struct view_cluster *cluster)
{
    ahead_words(cluster->reserved, 7);
    for (int copy = 0; copy < 2; copy++) {
        struct view_members *members = &cluster->copies[copy];
        ahead_words(members->reserved, 4);
        for (uint64_t i = 0; i < members->count; i++)
            members->at[i].meta |= 0xeeeeull << 48 | (VIEW_MEMBER_HEALTHY | 0xc0ull) << 8;
    }
}

/* Copies `count` rows to where those of larger ones are. Returns where the next table begins. */
static size_t ahead_table(char *base, size_t at, size_t stride, const void *rows, size_t row,
                          size_t count)
{
    for (size_t i = 0; i < count; i++)
        memcpy(base + at + i * stride, (const char *)rows + i * row, row);
    return at + count * stride;
}

enum {
    AHEAD_SLOT = sizeof(struct view_slot) + 64,
    AHEAD_CLUSTER = sizeof(struct view_cluster) + 8,
    AHEAD_OFFICIAL = sizeof(struct view_official) + 1024
};

static void ahead_fill(const struct view_writer *w, char *base, size_t size)
{
    struct view_header *header = (struct view_header *)base;
    size_t at = 2 * sizeof(*header);

    memset(base, AHEAD_BYTE, size);
    memcpy(header, w->header, sizeof(*header));
    ahead_words(header->reserved, 3);
    ahead_words(header->reserved2, 41);
    header->version += 97;
    header->size = size;
    header->slots_offset = at;
    header->slot_stride = AHEAD_SLOT;
    at = ahead_table(base, at, AHEAD_SLOT, w->slots, sizeof(*w->slots), w->slot_count);
    header->clusters_offset = at;
    header->cluster_stride = AHEAD_CLUSTER;
    at = ahead_table(base, at, AHEAD_CLUSTER, w->clusters, sizeof(*w->clusters), w->cluster_count);
    header->index_offset = at;
    at = ahead_table(base, at, sizeof(view_word), w->index, sizeof(view_word), w->index_count);
    header->officials_offset = at;
    header->official_stride = AHEAD_OFFICIAL;
    (void)ahead_table(base, at, AHEAD_OFFICIAL, w->officials, sizeof(*w->officials),
                      w->official_count);
    for (uint32_t i = 0; i < w->slot_count; i++)
        ahead_slot((struct view_slot *)(base + header->slots_offset + i * (size_t)AHEAD_SLOT));
    for (uint32_t i = 0; i < w->cluster_count; i++)
        ahead_cluster(
            (struct view_cluster *)(base + header->clusters_offset + i * (size_t)AHEAD_CLUSTER));
}

int fake_agent_ahead(struct fake_agent *agent)
{
    const struct view_writer *w = &agent->writer;
    size_t size = 2 * sizeof(*w->header) + (size_t)w->slot_count * AHEAD_SLOT +
                  (size_t)w->cluster_count * AHEAD_CLUSTER + w->index_count * sizeof(view_word) +
                  (size_t)w->official_count * AHEAD_OFFICIAL;
    int fd = memfd_create("fake-view", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
        return -errno;
    char *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED || fcntl(fd, F_ADD_SEALS, FAKE_SEALS) < 0)
        return -errno;
    ahead_fill(w, base, size);
    close(agent->view_fd);
    agent->view_fd = fd;
    agent->size = size;
    agent->writer.header = (struct view_header *)base; /* it beats, and is retired, there */
    return 0;
}

int fake_agent_listen(struct fake_agent *agent, const char *path, int backlog)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, backlog) < 0)
        return -errno;
    agent->listen_fd = fd;
    return 0;
}

static bool fake_send(int client, const uint8_t *bytes, size_t len, const int *fds, size_t fd_count)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control = {0};
    struct iovec data = {.iov_base = (void *)bytes, .iov_len = len};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};

    if (fd_count) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, fd_count * sizeof(int));
    }
    return sendmsg(client, &message, MSG_NOSIGNAL) >= 0;
}

/* A copy of the view with one header word changed. */
static int fake_changed(const struct fake_agent *agent, size_t word, uint64_t value)
{
    uint64_t *copy = malloc(agent->size);
    int fd;

    if (!copy)
        abort();
    memcpy(copy, agent->writer.header, agent->size);
    copy[word] = value;
    fd = fake_memfd(copy, agent->size, FAKE_SEALS);
    free(copy);
    return fd;
}

/* The descriptor for a misbehaviour that is about the view itself; -1: not one of those. */
static int fake_view_fd(const struct fake_agent *agent)
{
    const void *view = agent->writer.header;
    int ends[2];

    switch (agent->manner) {
    case FAKE_UNSEALED:
        return fake_memfd(view, agent->size, F_SEAL_GROW);
    case FAKE_SHORT:
        return fake_memfd(view, agent->size / 2, FAKE_SEALS);
    case FAKE_EMPTY:
        return fake_memfd(view, 0, FAKE_SEALS);
    case FAKE_MAJOR:
        return fake_changed(agent, offsetof(struct view_header, version) / 8,
                            (uint64_t)(VIEW_MAJOR + 1) << 32);
    case FAKE_MAGIC:
        return fake_changed(agent, offsetof(struct view_header, magic) / 8, 42);
    case FAKE_PIPE:
        if (pipe2(ends, O_CLOEXEC) < 0)
            abort();
        close(ends[1]);
        return ends[0];
    default:
        return -1;
    }
}

static void fake_answer(struct fake_agent *agent, int client)
{
    struct attach_reply reply = {VIEW_MAJOR, VIEW_MINOR, agent->size, agent->instance};
    uint8_t bytes[ATTACH_REPLY_SIZE + 1] = {0};
    int own = fake_view_fd(agent), fds[2] = {own < 0 ? agent->view_fd : own, -1};
    size_t len = ATTACH_REPLY_SIZE, fd_count = 1;

    reply.size += agent->manner == FAKE_SIZE ? 4096 : 0;
    reply.instance += agent->manner == FAKE_INSTANCE;
    attach_reply_encode(&reply, bytes);
    if (agent->manner == FAKE_GARBAGE)
        memset(bytes, 'x', sizeof(bytes));
    if (agent->manner == FAKE_HALF)
        len /= 2;
    if (agent->manner == FAKE_LONGER)
        len++;
    if (agent->manner == FAKE_NO_FD)
        fd_count = 0;
    if (agent->manner == FAKE_TWO_FDS)
        fds[fd_count++] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    agent->missed += !fake_send(client, bytes, len, fds, fd_count);
    if (own >= 0)
        close(own);
    if (fds[1] >= 0)
        close(fds[1]);
    agent->attached += agent->manner == FAKE_PROPER;
}

/* A client closes after it has read its reply, or without: then the kernel says ECONNRESET. */
static void fake_settle(struct fake_agent *agent, int wait_ms)
{
    size_t kept = 0;

    for (size_t i = 0; i < agent->reply_count; i++) {
        struct pollfd closed = {.fd = agent->replies[i], .events = POLLIN};
        char byte;

        if (poll(&closed, 1, wait_ms) == 0 && kept < FAKE_REPLIES_MAX / 2) {
            agent->replies[kept++] = closed.fd;
            continue;
        }
        agent->missed += recv(closed.fd, &byte, 1, MSG_DONTWAIT) != 0;
        close(closed.fd);
    }
    agent->reply_count = kept;
}

uint64_t fake_agent_missed(struct fake_agent *agent)
{
    fake_settle(agent, 100);
    return agent->missed + agent->reply_count;
}

static void fake_watch(struct fake_agent *agent, int client)
{
    if (agent->reply_count == FAKE_REPLIES_MAX)
        fake_settle(agent, 0);
    agent->replies[agent->reply_count++] = client;
}

static unsigned fake_standard(int client)
{
    struct ucred peer = {0};
    socklen_t len = sizeof(peer);
    unsigned count = 0;

    getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &len);
    for (int fd = 0; fd <= 2; fd++) {
        struct stat status;
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)peer.pid, fd);
        count += lstat(path, &status) == 0;
    }
    return count;
}

void fake_agent_serve(struct fake_agent *agent)
{
    uint8_t request[ATTACH_REQUEST_SIZE];
    int client = accept4(agent->listen_fd, NULL, NULL, SOCK_CLOEXEC);

    if (client < 0 || agent->manner == FAKE_SILENT) /* kept open, and forgotten */
        return;
    agent->standard = fake_standard(client);
    if (agent->manner == FAKE_SLOW)
        usleep(3 * HOMING_ATTACH_DEADLINE_MS * 1000);
    if (agent->manner != FAKE_HANGS_UP &&
        recv(client, request, sizeof(request), MSG_WAITALL) == sizeof(request) &&
        memcmp(request, attach_request, sizeof(request)) == 0)
        fake_answer(agent, client);
    if (agent->manner == FAKE_PROPER)
        fake_watch(agent, client);
    else
        close(client);
}
