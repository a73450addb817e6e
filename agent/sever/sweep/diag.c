/* SPDX-License-Identifier: Apache-2.0
 *
 * diag.c - see diag.h.
 *
 * The filter is the kernel's bytecode. Each operation jumps forward: by `yes` bytes, or by `no`
 * bytes if its condition fails. To arrive exactly at the end accepts, four bytes beyond it rejects.
 * The kernel allows a `no` to lead only to an operation that the chain of `yes` passes. So "A or B
 * or C" is A, jump to the end, B, jump to the end, C: a condition that fails skips the jump behind
 * it.
 */
#include "config.h"

#include <arpa/inet.h>
#include <linux/mptcp.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/sever/sweep/diag.h"

/* The states in which a connection can be severed. In TIME_WAIT no process has it any more. */
#define DIAG_STATES                                                                                \
    (1u << TCP_ESTABLISHED | 1u << TCP_SYN_SENT | 1u << TCP_SYN_RECV | 1u << TCP_FIN_WAIT1 |       \
     1u << TCP_FIN_WAIT2 | 1u << TCP_CLOSE_WAIT)

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

enum {
    PROTOCOL_UNKNOWN = 254, /* for experiments, by RFC 3692 */
    OP_LEN = sizeof(struct inet_diag_bc_op),
    COND_LEN = OP_LEN + sizeof(struct inet_diag_hostcond)
};

struct dump {
    struct nlmsghdr header;
    struct inet_diag_req_v2 request;
    struct rtattr filter;
};

/* Behind the filter: the protocol has no room in the request itself. */
struct protocol {
    struct rtattr header;
    uint32_t number;
};

struct destroy {
    struct nlmsghdr header;
    struct inet_diag_req_v2 request;
};

_Static_assert(sizeof(struct destroy) == DIAG_DESTROY_LEN, "layout of the kernel");
_Static_assert(sizeof(struct dump) + SEVER_ADDRESSES_MAX * (COND_LEN + 16 + OP_LEN) +
                       sizeof(struct protocol) <=
                   DIAG_DUMP_MAX,
               "the longest filter fits");

/* ---- requests ---- */

static int socket_family(const struct inet_address *at)
{
    return at->family == 4 ? AF_INET : AF_INET6;
}

static bool is_wanted(int dump_family, const struct inet_address *at)
{
    return at->family == 4 || dump_family == AF_INET6;
}

static void put_op(uint8_t *to, unsigned code, size_t yes, size_t no)
{
    struct inet_diag_bc_op op = {
        .code = (uint8_t)code, .yes = (uint8_t)yes, .no = (unsigned short)no};
    memcpy(to, &op, sizeof(op));
}

static size_t put_condition(uint8_t *to, const struct inet_address *at)
{
    size_t addr_len = (size_t)inet_address_len(at->family), len = COND_LEN + addr_len;
    struct inet_diag_hostcond cond = {.family = (uint8_t)socket_family(at),
                                      .prefix_len = (uint8_t)(addr_len * 8),
                                      .port = at->port};

    put_op(to, INET_DIAG_BC_D_COND, len, len + OP_LEN);
    memcpy(to + OP_LEN, &cond, sizeof(cond));
    memcpy(to + COND_LEN, at->bytes, addr_len);
    return len;
}

static size_t filter_len(int family, const struct inet_address *at, uint32_t count)
{
    size_t len = 0;

    for (uint32_t i = 0; i < count; i++)
        if (is_wanted(family, &at[i]))
            len += COND_LEN + (size_t)inet_address_len(at[i].family) + OP_LEN;
    return len ? len - OP_LEN : 0; /* no jump stands behind the last */
}

static size_t put_filter(uint8_t *to, int family, const struct inet_address *at, uint32_t count)
{
    size_t end = filter_len(family, at, count), len = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (!is_wanted(family, &at[i]))
            continue;
        if (len) {
            put_op(to + len, INET_DIAG_BC_JMP, OP_LEN, end - len);
            len += OP_LEN;
        }
        len += put_condition(to + len, &at[i]);
    }
    if (len == 0) { /* no address of this family: a filter that rejects all */
        put_op(to, INET_DIAG_BC_JMP, OP_LEN, 2 * OP_LEN);
        len = OP_LEN;
    }
    return len;
}

/* A kernel that does not know the attribute finds a protocol that nobody lists: it must not answer
 * with sockets of another one. */
static size_t put_mptcp(struct inet_diag_req_v2 *request, uint8_t *to)
{
    struct protocol protocol = {
        .header = {.rta_type = INET_DIAG_REQ_PROTOCOL, .rta_len = sizeof(protocol)},
        .number = IPPROTO_MPTCP};

    request->sdiag_protocol = PROTOCOL_UNKNOWN;
    memcpy(to, &protocol, sizeof(protocol));
    return sizeof(protocol);
}

size_t diag_put_dump(int family, enum diag_what what, const struct inet_address *at, uint32_t count,
                     uint32_t seq, uint8_t ret_bytes[DIAG_DUMP_MAX])
{
    size_t filter = put_filter(ret_bytes + sizeof(struct dump), family, at, count);
    size_t len = sizeof(struct dump) + filter;
    bool is_bare = what == DIAG_TCP || what == DIAG_MPTCP_BARE;
    struct dump dump = {
        .header = {.nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                   .nlmsg_seq = seq},
        .request = {.sdiag_family = (uint8_t)family,
                    .sdiag_protocol = IPPROTO_TCP,
                    .idiag_ext = is_bare ? 0 : 1 << (INET_DIAG_INFO - 1),
                    .idiag_states = DIAG_STATES},
        .filter = {.rta_type = INET_DIAG_REQ_BYTECODE,
                   .rta_len = (unsigned short)(sizeof(struct rtattr) + filter)},
    };

    if (what == DIAG_MPTCP || what == DIAG_MPTCP_BARE)
        len += put_mptcp(&dump.request, ret_bytes + len);
    dump.header.nlmsg_len = (uint32_t)len;
    memcpy(ret_bytes, &dump, sizeof(dump));
    return len;
}

void diag_put_destroy(const struct diag_socket *socket, uint32_t seq,
                      uint8_t ret_bytes[DIAG_DESTROY_LEN])
{
    struct destroy destroy = {
        .header = {.nlmsg_len = sizeof(destroy),
                   .nlmsg_type = SOCK_DESTROY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
                   .nlmsg_seq = seq},
        .request = {.sdiag_family = socket->family,
                    .sdiag_protocol = IPPROTO_TCP,
                    .idiag_states = 1u << socket->state,
                    .id = socket->id},
    };

    memcpy(ret_bytes, &destroy, sizeof(destroy));
}

/* ---- messages ---- */

/* The payload of an attribute of at least `min` bytes; NULL: there is none. */
static const uint8_t *attribute(const uint8_t *at, size_t len, unsigned type, size_t min)
{
    struct rtattr head;

    while (len >= sizeof(head)) {
        memcpy(&head, at, sizeof(head));
        if (head.rta_len < sizeof(head) || head.rta_len > len)
            return NULL;
        if ((head.rta_type & ~NLA_F_NESTED) == type && head.rta_len >= RTA_LENGTH(min))
            return at + RTA_LENGTH(0);
        size_t step = RTA_ALIGN((size_t)head.rta_len);
        at += step < len ? step : len;
        len -= step < len ? step : len;
    }
    return NULL;
}

/* What lies on top of TCP is told with INET_DIAG_INFO, to who has CAP_NET_ADMIN, since Linux 5.4:
 * {name: "mptcp"}. */
static bool is_subflow(const uint8_t *attributes, size_t len)
{
    static const char name[] = "mptcp";
    const uint8_t *ulp = attribute(attributes, len, INET_DIAG_ULP_INFO, RTA_LENGTH(sizeof(name)));
    struct rtattr head;

    if (!ulp)
        return false;
    memcpy(&head, ulp, sizeof(head));
    return head.rta_type == INET_ULP_INFO_NAME && head.rta_len == RTA_LENGTH(sizeof(name)) &&
           memcmp(ulp + RTA_LENGTH(0), name, sizeof(name)) == 0;
}

/* mptcpi_flags, the third word of struct mptcp_info. */
static bool is_plain(const uint8_t *attributes, size_t len)
{
    const uint8_t *info = attribute(attributes, len, INET_DIAG_INFO, 3 * sizeof(uint32_t));
    uint32_t flags = 0;

    if (info)
        memcpy(&flags, info + 2 * sizeof(flags), sizeof(flags));
    return flags & MPTCP_INFO_FLAG_FALLBACK;
}

static enum diag_kind take_socket(const uint8_t *payload, size_t len, struct diag_socket *ret)
{
    struct inet_diag_msg m;

    if (len < sizeof(m))
        return DIAG_BAD;
    memcpy(&m, payload, sizeof(m));
    if ((m.idiag_family != AF_INET && m.idiag_family != AF_INET6) || m.idiag_state > 31)
        return DIAG_FOREIGN;
    *ret =
        (struct diag_socket){.cookie = (uint64_t)m.id.idiag_cookie[1] << 32 | m.id.idiag_cookie[0],
                             .family = m.idiag_family,
                             .state = m.idiag_state,
                             .uid = m.idiag_uid,
                             .inode = m.idiag_inode,
                             .orphan = m.idiag_inode == 0,
                             .subflow = is_subflow(payload + sizeof(m), len - sizeof(m)),
                             .plain = is_plain(payload + sizeof(m), len - sizeof(m)),
                             .id = m.id};
    return DIAG_SOCKET;
}

/* Older kernels end a dump without its result. */
static enum diag_kind take_error(enum diag_kind kind, const uint8_t *payload, size_t len,
                                 struct diag_message *ret)
{
    int error = 0;

    if (len >= sizeof(error))
        memcpy(&error, payload, sizeof(error));
    else if (kind == DIAG_ACK)
        return DIAG_BAD;
    ret->error = error > 0 ? -error : error;
    return kind;
}

enum diag_kind diag_take(const uint8_t *bytes, size_t len, size_t *at, uint32_t first_seq,
                         uint32_t count, struct diag_message *ret_message)
{
    struct nlmsghdr header;
    struct diag_message m = {.kind = DIAG_FOREIGN};

    if (*at >= len)
        return DIAG_END;
    if (len - *at < sizeof(header))
        return DIAG_BAD;
    memcpy(&header, bytes + *at, sizeof(header));
    if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > len - *at)
        return DIAG_BAD;
    const uint8_t *payload = bytes + *at + sizeof(header);
    size_t payload_len = header.nlmsg_len - sizeof(header);
    *at += NLMSG_ALIGN((size_t)header.nlmsg_len);
    m.seq = header.nlmsg_seq;
    if (header.nlmsg_seq - first_seq >= count)
        m.kind = DIAG_FOREIGN;
    else if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY)
        m.kind = take_socket(payload, payload_len, &m.socket);
    else if (header.nlmsg_type == NLMSG_ERROR)
        m.kind = take_error(DIAG_ACK, payload, payload_len, &m);
    else if (header.nlmsg_type == NLMSG_DONE)
        m.kind = take_error(DIAG_DONE, payload, payload_len, &m);
    *ret_message = m;
    return m.kind;
}

/* ---- what a socket is connected to ---- */

struct inet_address diag_peer(const struct diag_socket *socket)
{
    uint8_t bytes[16];

    memcpy(bytes, socket->id.idiag_dst, sizeof(bytes));
    return inet_address_make(socket->family == AF_INET ? 4 : 6, bytes,
                             ntohs(socket->id.idiag_dport));
}

bool diag_is_connected_to(const struct diag_socket *socket, const struct inet_address *at,
                          uint32_t count)
{
    struct inet_address peer = diag_peer(socket);

    for (uint32_t i = 0; i < count; i++)
        if (inet_address_same(&at[i], &peer))
            return true;
    return false;
}
