/* SPDX-License-Identifier: Apache-2.0
 *
 * uids.c - see uids.h.
 *
 * 1. An accepted Unix socket belongs to the network namespace of who connected. So the kernel finds
 *    both ends of the permit's connection through a netlink socket of that namespace.
 * 2. The program may have kept a copy of the netlink socket, and read from it or ask through it. An
 *    answer counts if it comes from the kernel, has the number of this question, which is random,
 *    and is about the socket that was asked for.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/sever/permits/uids.h"

#ifndef UDIAG_SHOW_UID
#define UDIAG_SHOW_UID 0x40
#endif

enum {
    ATTRIBUTE_PEER = 2, /* UNIX_DIAG_PEER */
    ATTRIBUTE_UID = 7,  /* UNIX_DIAG_UID, since Linux 5.3 */
    /* Messages that others have left in the socket, and are skipped. */
    STALE_MAX = 64
};

/* ---- which user ---- */

enum uids_fit uids_fit(const struct uids *uids, uint32_t listed)
{
    bool unmapped = listed == UIDS_UNMAPPED && !uids->ours, root = false, found = false;

    if (!uids->told)
        return UIDS_UNSURE;
    for (uint32_t i = 0; i < uids->count; i++) {
        found |= uids->of[i] == listed;
        root |= uids->of[i] == 0;
    }
    if (found)
        return !unmapped ? UIDS_FIT : uids->strict ? UIDS_FOREIGN : UIDS_UNSURE;
    return root && !unmapped ? UIDS_FIT : UIDS_FOREIGN;
}

/* The numbers of one namespace differ from those of another by a constant, within the range that it
 * was given. */
void uids_add(struct uids *uids, uint32_t uid, uint32_t own_uid)
{
    uint32_t listed = uids->of[0] + (uid - own_uid);

    if (!uids->told || listed == 0 || uids->count == UIDS_MAX)
        return;
    for (uint32_t i = 0; i < uids->count; i++)
        if (uids->of[i] == listed)
            return;
    uids->of[uids->count++] = listed;
}

/* ---- where a user namespace is expected ---- */

static bool same_inode(int a, int b)
{
    struct stat of_a, of_b;

    return fstat(a, &of_a) == 0 && fstat(b, &of_b) == 0 && of_a.st_ino == of_b.st_ino &&
           of_a.st_dev == of_b.st_dev;
}

/* In a container that has a user namespace, the network namespace is of that one. Who enters a user
 * namespace alone, as anybody may, is still among those of the network namespace that he was in. If
 * this process is user UIDS_UNMAPPED itself, others who are that user are listed in the same way. */
void uids_be_strict(struct uids *uids, int netlink)
{
    if (!uids->told || uids->ours || uids->of[0] != UIDS_UNMAPPED || geteuid() == UIDS_UNMAPPED)
        return;
    int netns = ioctl(netlink, SIOCGSKNS);
    int owner = netns < 0 ? -1 : ioctl(netns, NS_GET_USERNS);
    int own = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
    uids->strict = owner >= 0 && own >= 0 && same_inode(owner, own);
    if (own >= 0)
        close(own);
    if (owner >= 0)
        close(owner);
    if (netns >= 0)
        close(netns);
}

/* ---- asking the kernel ---- */

struct request {
    struct nlmsghdr header;
    struct unix_diag_req about;
};

struct answer {
    uint32_t peer; /* its inode; 0: it has none */
    uint32_t uid;
    bool has_uid;
};

static int ask(int fd, uint32_t inode, uint32_t seq)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    struct request request = {.header = {.nlmsg_len = sizeof(request),
                                         .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                                         .nlmsg_flags = NLM_F_REQUEST,
                                         .nlmsg_seq = seq},
                              .about = {.sdiag_family = AF_UNIX,
                                        .udiag_states = ~0u,
                                        .udiag_ino = inode,
                                        .udiag_show = UDIAG_SHOW_PEER | UDIAG_SHOW_UID,
                                        .udiag_cookie = {~0u, ~0u}}};
    ssize_t n = sendto(fd, &request, sizeof(request), MSG_DONTWAIT | MSG_NOSIGNAL,
                       (struct sockaddr *)&kernel, sizeof(kernel));

    return n == sizeof(request) ? 0 : -EPROTO;
}

static void take_attributes(const uint8_t *at, size_t len, struct answer *ret_answer)
{
    struct rtattr head;

    while (len >= sizeof(head)) {
        memcpy(&head, at, sizeof(head));
        if (head.rta_len < sizeof(head) || head.rta_len > len)
            return;
        if (head.rta_len == RTA_LENGTH(sizeof(uint32_t)) && head.rta_type == ATTRIBUTE_PEER)
            memcpy(&ret_answer->peer, at + RTA_LENGTH(0), sizeof(uint32_t));
        if (head.rta_len == RTA_LENGTH(sizeof(uint32_t)) && head.rta_type == ATTRIBUTE_UID) {
            memcpy(&ret_answer->uid, at + RTA_LENGTH(0), sizeof(uint32_t));
            ret_answer->has_uid = true;
        }
        size_t step = RTA_ALIGN(head.rta_len);
        at += step < len ? step : len;
        len -= step < len ? step : len;
    }
}

/* Whether these are the answer to that question. */
static bool take(const uint8_t *bytes, size_t len, uint32_t inode, uint32_t seq,
                 struct answer *ret_answer)
{
    struct nlmsghdr header;
    struct unix_diag_msg m;
    const size_t fixed = NLMSG_SPACE(sizeof(m));

    if (len < fixed)
        return false;
    memcpy(&header, bytes, sizeof(header));
    memcpy(&m, bytes + NLMSG_HDRLEN, sizeof(m));
    if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY || header.nlmsg_seq != seq ||
        header.nlmsg_len < fixed || header.nlmsg_len > len || m.udiag_family != AF_UNIX ||
        m.udiag_ino != inode)
        return false;
    *ret_answer = (struct answer){0};
    take_attributes(bytes + fixed, header.nlmsg_len - fixed, ret_answer);
    return ret_answer->has_uid;
}

/* The kernel has answered before sendto() returns. */
static int ask_about(int fd, uint32_t inode, struct answer *ret_answer)
{
    uint8_t bytes[4096];
    uint32_t seq;

    if (inode == 0 || getrandom(&seq, sizeof(seq), 0) != sizeof(seq) || ask(fd, inode, seq))
        return -EPROTO;
    for (int i = 0; i < STALE_MAX; i++) {
        struct sockaddr_nl from = {.nl_pid = 1};
        socklen_t from_len = sizeof(from);
        ssize_t n =
            recvfrom(fd, bytes, sizeof(bytes), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
        if (n < 0 && errno != EINTR)
            return -EPROTO;
        if (n > 0 && from_len == sizeof(from) && from.nl_pid == 0 &&
            take(bytes, (size_t)n, inode, seq, ret_answer))
            return 0;
    }
    return -EPROTO;
}

static uint32_t inode_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) ? 0 : (uint32_t)st.st_ino;
}

/* On a socket of this process' own. Without UNIX_DIAG_UID, the kernel tells of no user. */
static bool can_be_told(void)
{
    static int can = -1;
    struct answer answer;
    int pair[2];

    if (can >= 0)
        return can;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        if (fd >= 0)
            close(fd);
        return false; /* perhaps the next time */
    }
    can = ask_about(fd, inode_of(pair[0]), &answer) == 0;
    close(fd);
    close(pair[0]);
    close(pair[1]);
    return can;
}

int uids_ask(int netlink, int connection, struct uids *ret_uids)
{
    struct answer own, peer;

    *ret_uids = (struct uids){0};
    if (!can_be_told())
        return 0;
    if (ask_about(netlink, inode_of(connection), &own) || ask_about(netlink, own.peer, &peer))
        return -EPROTO;
    *ret_uids = (struct uids){.told = true,
                              .ours = own.uid == geteuid() && own.uid != UIDS_UNMAPPED,
                              .count = 1,
                              .of = {peer.uid}};
    return 0;
}

/* ---- former users ---- */

void former_note(struct formers *formers, const struct former *former, uint64_t now_ms)
{
    uint32_t i = formers->next++ % FORMER_MAX;

    formers->at[i] = *former;
    formers->until_ms[i] = now_ms + FORMER_MS;
}

const struct former *former_next(const struct formers *formers, uint32_t *at, uint64_t now_ms)
{
    while (*at < FORMER_MAX) {
        uint32_t i = (*at)++;
        if (formers->until_ms[i] > now_ms)
            return &formers->at[i];
    }
    return NULL;
}
