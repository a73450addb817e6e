/* SPDX-License-Identifier: Apache-2.0
 *
 * listed.c - see listed.h. Called by member.c, once for each session. Layouts: <linux/inet_diag.h>,
 * sock_diag(7).
 */
#include "config.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/probe/listed.h"

enum {
    /* The kernel fills no more of it than is read at once. */
    DATAGRAM_MAX = 8192,
    /* Few sockets have the same local port: a longer answer is not ours. */
    DATAGRAMS_MAX = 16
};

/* Of requests within this process. The sender of an answer is the kernel in any case. */
static uint32_t last_seq;

struct request {
    struct nlmsghdr header;
    struct inet_diag_req_v2 what;
};

/* ---- what the kernel says ---- */

static bool is_it(const struct inet_diag_msg *m, uint64_t cookie)
{
    return ((uint64_t)m->id.idiag_cookie[1] << 32 | m->id.idiag_cookie[0]) == cookie &&
           (m->idiag_family == AF_INET || m->idiag_family == AF_INET6);
}

static enum listed_found take_socket(const uint8_t *payload, size_t len, uint64_t cookie,
                                     struct inet_address *ret)
{
    struct inet_diag_msg m;
    uint8_t to[16];

    if (len < sizeof(m))
        return LISTED_END;
    memcpy(&m, payload, sizeof(m));
    if (!is_it(&m, cookie))
        return LISTED_NOTHING;
    memcpy(to, m.id.idiag_dst, sizeof(to));
    *ret = inet_address_make(m.idiag_family == AF_INET ? 4 : 6, to, ntohs(m.id.idiag_dport));
    return LISTED_SOCKET;
}

enum listed_found listed_take(const uint8_t *bytes, size_t len, uint32_t seq, uint64_t cookie,
                              struct inet_address *ret)
{
    enum listed_found found = LISTED_NOTHING;
    struct nlmsghdr header;

    while (found == LISTED_NOTHING && len >= sizeof(header)) {
        memcpy(&header, bytes, sizeof(header));
        if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > len)
            return LISTED_END;
        size_t step = NLMSG_ALIGN((size_t)header.nlmsg_len);
        if (header.nlmsg_seq == seq && header.nlmsg_type == SOCK_DIAG_BY_FAMILY)
            found =
                take_socket(bytes + sizeof(header), header.nlmsg_len - sizeof(header), cookie, ret);
        else if (header.nlmsg_seq == seq)
            found = LISTED_END;
        bytes += step < len ? step : len;
        len -= step < len ? step : len;
    }
    return found;
}

static enum listed_found hear(int netlink, uint32_t seq, uint64_t cookie, struct inet_address *ret)
{
    struct sockaddr_nl from = {.nl_pid = 1};
    uint8_t datagram[DATAGRAM_MAX];
    struct iovec iov = {datagram, sizeof(datagram)};
    struct msghdr m = {
        .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n = recvmsg(netlink, &m, MSG_DONTWAIT);

    if (n < 0 || m.msg_flags & MSG_TRUNC)
        return LISTED_END;
    return from.nl_pid ? LISTED_NOTHING : listed_take(datagram, (size_t)n, seq, cookie, ret);
}

/* ---- asking ---- */

static bool ask(int netlink, struct request *request, struct inet_address *ret)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    const uint32_t *of = request->what.id.idiag_cookie;
    enum listed_found found = LISTED_NOTHING;

    request->header.nlmsg_seq = ++last_seq;
    if (sendto(netlink, request, sizeof(*request), MSG_DONTWAIT, (struct sockaddr *)&kernel,
               sizeof(kernel)) != (ssize_t)sizeof(*request))
        return false;
    for (int i = 0; i < DATAGRAMS_MAX && found == LISTED_NOTHING; i++)
        found = hear(netlink, request->header.nlmsg_seq, (uint64_t)of[1] << 32 | of[0], ret);
    return found == LISTED_SOCKET;
}

/* False: it is no connection over IP. */
static bool take_end(uint32_t ret_address[4], uint16_t *ret_port, uint8_t *ret_family, int fd,
                     int (*end)(int, struct sockaddr *, socklen_t *))
{
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } name = {.any = {0}};
    socklen_t len = sizeof(name);

    if (end(fd, &name.any, &len))
        return false;
    *ret_family = (uint8_t)name.any.sa_family;
    *ret_port = name.four.sin_port; /* in IPv6 the same place */
    if (name.any.sa_family == AF_INET)
        memcpy(ret_address, &name.four.sin_addr, sizeof(name.four.sin_addr));
    else
        memcpy(ret_address, &name.six.sin6_addr, sizeof(name.six.sin6_addr));
    return name.any.sa_family == AF_INET || name.any.sa_family == AF_INET6;
}

/* As it would be listed if nobody had put another address in the place of its peer's. */
static bool make(int fd, struct request *ret)
{
    struct inet_diag_sockid *id = &ret->what.id;
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);

    *ret = (struct request){.header = {.nlmsg_len = sizeof(*ret),
                                       .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                                       .nlmsg_flags = NLM_F_REQUEST},
                            .what = {.sdiag_protocol = IPPROTO_TCP, .idiag_states = UINT32_MAX}};
    if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) ||
        !take_end(id->idiag_src, &id->idiag_sport, &ret->what.sdiag_family, fd, getsockname) ||
        !take_end(id->idiag_dst, &id->idiag_dport, &ret->what.sdiag_family, fd, getpeername))
        return false;
    id->idiag_cookie[0] = (uint32_t)cookie;
    id->idiag_cookie[1] = (uint32_t)(cookie >> 32);
    return true;
}

bool listed_peer(int fd, struct inet_address *ret)
{
    int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    struct request request;
    bool found = false;

    if (netlink < 0)
        return false;
    if (make(fd, &request)) {
        found = ask(netlink, &request, ret);
        request.header.nlmsg_flags |= NLM_F_DUMP;
        request.what.id.idiag_dport = 0; /* then only the local port counts */
        found = found || ask(netlink, &request, ret);
    }
    close(netlink);
    return found;
}
