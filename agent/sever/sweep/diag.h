/* SPDX-License-Identifier: Apache-2.0
 *
 * diag.h - the bytes of NETLINK_SOCK_DIAG: requests out, messages in. Pure. Called by netlink.c.
 *
 * W7: only the kernel's own list of sockets is believed about which socket is connected where.
 * Layouts: <linux/inet_diag.h>, sock_diag(7).
 */
#ifndef HOMING_AGENT_SEVER_SWEEP_DIAG_H
#define HOMING_AGENT_SEVER_SWEEP_DIAG_H

#include <linux/inet_diag.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/sever.h"

/* The longest request for a dump, and one request to destroy. */
#define DIAG_DUMP_MAX    2048
#define DIAG_DESTROY_LEN 72

/* One connection, as the kernel lists it. */
struct diag_socket {
    uint64_t cookie;
    uint8_t family; /* AF_INET6 also for v4-mapped */
    uint8_t state;
    uint32_t uid;   /* of the user namespace in which the netlink socket was opened */
    uint32_t inode; /* the program's socket; the same for all subflows of an MPTCP connection */
    bool
        orphan; /* its program has closed it, and it has no inode: older kernels list it as root's */
    bool subflow; /* TCP below a socket of MPTCP; with DIAG_MARKED, or when tags.c has found it */
    bool whole;   /* a socket of MPTCP itself, as a program has it */
    bool plain;   /* `whole`, but the peer does not speak MPTCP: one subflow, which is all of it */
    struct inet_diag_sockid id;
};

enum diag_kind {
    DIAG_SOCKET,
    DIAG_ACK,     /* `error`: 0 or negative errno */
    DIAG_DONE,    /* the dump is complete; `error` likewise */
    DIAG_FOREIGN, /* another sequence number, or a type we did not ask for: skip */
    DIAG_END,     /* no message is left */
    DIAG_BAD,     /* not netlink: nothing more can be read here */
    DIAG_KIND_COUNT
};

struct diag_message {
    enum diag_kind kind;
    uint32_t seq;
    int error;
    struct diag_socket socket;
};

/* What is listed. Subflows of MPTCP are TCP, too. */
enum diag_what {
    DIAG_TCP,
    DIAG_MARKED, /* TCP, and which of it are subflows; each costs more */
    DIAG_MPTCP,
    DIAG_MPTCP_BARE /* without what the kernel reads under a socket's lock */
};

/* Asks for all connections of one family to any of the addresses. A dump of AF_INET6 also lists
 * v4-mapped connections to IPv4 addresses. Returns the length. */
size_t diag_put_dump(int family, enum diag_what what, const struct inet_address *at, uint32_t count,
                     uint32_t seq, uint8_t ret_bytes[DIAG_DUMP_MAX]);

/* Asks that this very socket be aborted: the kernel compares cookie, addresses and ports. */
void diag_put_destroy(const struct diag_socket *socket, uint32_t seq,
                      uint8_t ret_bytes[DIAG_DESTROY_LEN]);

/* Takes the message at *at of a datagram and moves *at behind it. Sequence numbers outside
 * [first_seq, first_seq + count) are FOREIGN. */
enum diag_kind diag_take(const uint8_t *bytes, size_t len, size_t *at, uint32_t first_seq,
                         uint32_t count, struct diag_message *ret_message);

/* The other end of the connection; v4-mapped becomes IPv4. */
struct inet_address diag_peer(const struct diag_socket *socket);

/* W7, checked here once more, whatever the kernel's filter let through. */
bool diag_is_connected_to(const struct diag_socket *socket, const struct inet_address *at,
                          uint32_t count);

#endif
