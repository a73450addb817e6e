/* SPDX-License-Identifier: Apache-2.0
 *
 * wire.h - MySQL's protocol, the client's half, without a socket: bytes in, bytes out. Pure but for
 * memory; called by client.c, which moves the bytes.
 *
 * One pass: a greeting is taken; if TLS is required, the state is WIRE_TLS, and the caller sends what
 * is in `out`, puts TLS between, and calls wire_encrypted(). Then login, and WIRE_READY. After
 * wire_ask() it is WIRE_BUSY until the answer is complete.
 *
 * What is kept is bounded: by PACKET_MAX of what was received, and by MYSQL_ANSWER_MAX of an answer.
 */
#ifndef HOMING_AGENT_PROBE_MYSQL_WIRE_H
#define HOMING_AGENT_PROBE_MYSQL_WIRE_H

#include "agent/probe/mysql/login.h"
#include "agent/probe/mysql/result.h"

enum wire_state {
    WIRE_GREETING, /* waits for it */
    WIRE_TLS,
    WIRE_LOGIN,
    WIRE_READY,
    WIRE_BUSY,
    WIRE_FAILED, /* `failure` says why */
};

struct wire {
    enum wire_state state;
    uint8_t sequence; /* of the next packet, whoever sends it */
    struct login login;
    struct result result;
    struct bytes in;   /* received: less than one packet */
    struct bytes out;  /* to be sent; the caller takes it away */
    struct bytes said; /* a payload that is being made */
    char *user, *password;
    struct mysql_failure failure;
};

struct wire_settings {
    const char *user, *password; /* copied; NULL is "" */
    enum tls_mode tls;
    bool strange;
};

/* False: out of memory. wire_done() is right after both. A wire stays where it is. */
bool wire_init(struct wire *w, const struct wire_settings *settings);
void wire_done(struct wire *w);

void wire_take(struct wire *w, const uint8_t *bytes, size_t count);
/* Only when WIRE_TLS. */
void wire_encrypted(struct wire *w);
/* Only when WIRE_READY. */
void wire_ask(struct wire *w, const char *question);
/* Only when WIRE_READY: the last thing that is said. */
void wire_leave(struct wire *w);
/* The connection under it has failed. */
void wire_fail(struct wire *w, enum mysql_fault fault, const char *text);

#endif
