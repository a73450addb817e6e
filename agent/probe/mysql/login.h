/* SPDX-License-Identifier: Apache-2.0
 *
 * login.h - from a server's greeting to its OK: what it can do, and who we are. Pure; called by
 * wire.c, which frames what is made here.
 *
 * 1. If TLS is required, nothing but the request for it is said in clear.
 * 2. The password itself is only said inside of TLS; to a strange server (W11) only if that has
 *    proved its name. Never under RSA, whose key nobody vouches for.
 * 3. A way to log in that is not known is refused by its name.
 */
#ifndef HOMING_AGENT_PROBE_MYSQL_LOGIN_H
#define HOMING_AGENT_PROBE_MYSQL_LOGIN_H

#include "agent/base/stream/bytes.h"
#include "agent/base/tls/tls.h"
#include "agent/probe/mysql/failure.h"
#include "agent/probe/mysql/packet.h"
#include "agent/probe/mysql/proof.h"

/* What the server says of itself in its greeting. */
struct mysql_server {
    char version[64]; /* as it is, but for the "5.5.5-" that MariaDB 10 puts before its own */
    uint32_t number;  /* 100 * (100 * major + minor) + patch: 101119, 80042; 0: not told */
    bool mariadb;
    uint32_t capabilities; /* CLIENT_*, lower and upper half */
    uint32_t connection;   /* its number for this connection */
};

struct login {
    /* Set by the caller; the texts are borrowed. */
    const char *user, *password;
    enum tls_mode tls;
    bool strange;
    struct mysql_failure *failure;

    struct mysql_server server;
    const struct proof *proof; /* the way that is being tried */
    uint8_t challenge[32];
    uint32_t packets; /* from the server, since its greeting */
};

/* Each of these returns false if it has set login->failure. */

bool login_greeting(struct login *l, const uint8_t *payload, size_t count);
/* The request for TLS. */
bool login_ask_tls(struct login *l, struct bytes *ret);
/* Who we are; inside of TLS, if that is required. */
bool login_introduce(struct login *l, struct bytes *ret);
/* One packet after that. *ret_done: we are in. What is in *ret then, is the reply; it may be of no
 * bytes: *ret_reply. */
bool login_take(struct login *l, const uint8_t *payload, size_t count, bool *ret_done,
                bool *ret_reply, struct bytes *ret);

#endif
