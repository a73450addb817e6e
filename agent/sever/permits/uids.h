/* SPDX-License-Identifier: Apache-2.0
 *
 * uids.h - whose connections a permit speaks for (W7).
 *
 * A tag is only its process' word: it can name the cookie of a neighbour's socket. But the kernel
 * lists each socket with its user. A user namespace has numbers of its own for users, and the list
 * has those of the namespace in which the netlink socket was opened. So the kernel is asked, through
 * that same socket, how it lists the permit's own connection: uids_ask(). That runs in the receiver,
 * and needs no privilege.
 */
#ifndef HOMING_AGENT_SEVER_PERMITS_UIDS_H
#define HOMING_AGENT_SEVER_PERMITS_UIDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Users that a process was, when it handed over. */
#define UIDS_MAX 4
/* In a user namespace, this number stands for all users that it has no number for. */
#define UIDS_UNMAPPED 65534

/* All zero: nothing is known. */
struct uids {
    bool told;             /* by the kernel; false: it is too old */
    bool ours;             /* the numbers are those of this process, and all users have one */
    bool strict;           /* no user without a number can be one of the process' */
    uint32_t count;        /* of `of` */
    uint32_t of[UIDS_MAX]; /* as the kernel lists them; the first is that of the permit itself */
};

enum uids_fit {
    UIDS_FIT,
    UIDS_UNSURE,  /* it cannot be told */
    UIDS_FOREIGN, /* another user's */
    UIDS_FIT_COUNT
};

/* Whether a socket that is listed with this uid can be one of the process'. Root may be any user of
 * its namespace. */
enum uids_fit uids_fit(const struct uids *uids, uint32_t listed);

/* A user that the process was, too; `uid` and `own_uid`, that of the permit itself, are numbers of
 * this process. Not root, which would speak for all. */
void uids_add(struct uids *uids, uint32_t uid, uint32_t own_uid);

/* Fills *ret_uids by asking through `netlink` about `connection`, at whose other end the permit
 * came. 0, also if this kernel cannot tell; -EPROTO: it tells, but not through this socket. */
int uids_ask(int netlink, int connection, struct uids *ret_uids);

/* Says `strict` where a process without a number for its own user has no business: in a network
 * namespace of this process' own user namespace. Needs CAP_NET_ADMIN, and is called by the holder. */
void uids_be_strict(struct uids *uids, int netlink);

/* ---- which users processes were whose permits have ended just now ---- */

/* Their next permits come at once: a process gives up the one before only after that. */

/* How long, and of how many, that is known. */
#define FORMER_MS  1000
#define FORMER_MAX 64

/* The user that one process was. */
struct former {
    pid_t pid;
    uint64_t started; /* 0: it cannot be told from others */
    uid_t uid;
};

/* All zero: none. */
struct formers {
    struct former at[FORMER_MAX];
    uint64_t until_ms[FORMER_MAX];
    uint32_t next;
};

void former_note(struct formers *formers, const struct former *former, uint64_t now_ms);

/* The next one after *at that counts now; begin with *at 0. NULL: there is no other. */
const struct former *former_next(const struct formers *formers, uint32_t *at, uint64_t now_ms);

#endif
