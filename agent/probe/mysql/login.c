/* SPDX-License-Identifier: Apache-2.0
 *
 * login.c - as login.h says. The numbers are those of the protocol's description, "Connection Phase".
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/probe/mysql/login.h"

enum {
    CLIENT_MYSQL = 1 << 0, /* a MariaDB server does not set it */
    CLIENT_PROTOCOL_41 = 1 << 9,
    CLIENT_SSL = 1 << 11,
    CLIENT_SECURE_CONNECTION = 1 << 15,
    CLIENT_MULTI_RESULTS = 1 << 17, /* what a procedure answers */
    CLIENT_PLUGIN_AUTH = 1 << 19,
    CLIENT_NEEDED = CLIENT_PROTOCOL_41 | CLIENT_SECURE_CONNECTION | CLIENT_PLUGIN_AUTH,
};

enum {
    VERSION_10 = 10,
    CHARSET_UTF8MB4 = 45,
    CHALLENGE_HEAD = 8,      /* of the challenge, in the greeting's middle; the rest follows */
    CHALLENGE_GREETING = 20, /* all of it */
    CHALLENGE_TAIL_MIN = 13, /* with a NUL */
    INTRODUCTION_ZEROS = 23,
    INTRODUCTION_MAX = 1024,
    PLUGIN_SHOWN = 40,
    /* One switch of the way and one round are usual; a MariaDB account may have several ways. */
    PACKETS_MAX = 16,
};

/* What the server sends to one that knows caching_sha2_password. */
enum {
    SHA2_FAST_GOOD = 3,
    SHA2_SAY_PASSWORD = 4,
};

static bool refuse_greeting(struct login *l)
{
    return mysql_failure_set(l->failure, MYSQL_FAULT_PROTOCOL,
                             "what answers there is no MySQL server: look who is at this port");
}

/* The greeting. */

/* "8.0.42-0ubuntu0.22.04.1", "5.5.5-10.11.19-MariaDB-log", "11.8.2-MariaDB". */
static void set_version(struct mysql_server *server, const char *version)
{
    static const char DISGUISE[] = "5.5.5-";
    uint32_t number = 0;

    server->mariadb = strstr(version, "MariaDB") || !(server->capabilities & CLIENT_MYSQL);
    if (server->mariadb && strncmp(version, DISGUISE, strlen(DISGUISE)) == 0)
        version += strlen(DISGUISE);
    for (size_t i = 0; i < sizeof(server->version) - 1 && version[i] != '\0'; i++)
        server->version[i] = version[i] >= ' ' && version[i] < 0x7f ? version[i] : '?';
    const char *at = version;
    for (int part = 0; part < 3; part++, at++) {
        char *end;
        unsigned long n = strtoul(at, &end, 10);
        if (*at < '0' || *at > '9' || n > 99 || (part < 2 && *end != '.'))
            return;
        number = number * 100 + (uint32_t)n;
        at = end;
    }
    server->number = number;
}

/* The rest of the greeting: what it can do, and the challenge. */
static void read_abilities(struct login *l, struct cursor *c, const char **ret_plugin)
{
    const uint8_t *head = cursor_bytes(c, CHALLENGE_HEAD);
    cursor_number(c, 1);
    l->server.capabilities = (uint32_t)cursor_number(c, 2);
    cursor_number(c, 1 + 2); /* its character set and status */
    l->server.capabilities |= (uint32_t)cursor_number(c, 2) << 16;
    uint64_t length = cursor_number(c, 1);
    cursor_bytes(c, 10);
    uint64_t tail_length =
        length > CHALLENGE_HEAD + CHALLENGE_TAIL_MIN ? length - CHALLENGE_HEAD : CHALLENGE_TAIL_MIN;
    const uint8_t *tail = cursor_bytes(c, tail_length);
    *ret_plugin = cursor_text(c);
    if (c->bad)
        return;
    memcpy(l->challenge, head, CHALLENGE_HEAD);
    memcpy(l->challenge + CHALLENGE_HEAD, tail, CHALLENGE_GREETING - CHALLENGE_HEAD);
}

bool login_greeting(struct login *l, const uint8_t *payload, size_t count)
{
    struct cursor c = {payload, payload + count, false};
    const char *plugin;

    if (count > 0 && *payload == PACKET_ERROR)
        return mysql_failure_said(l->failure, payload, count);
    if (cursor_number(&c, 1) != VERSION_10)
        return refuse_greeting(l);
    const char *version = cursor_text(&c);
    l->server.connection = (uint32_t)cursor_number(&c, 4);
    read_abilities(l, &c, &plugin);
    if (c.bad || (l->server.capabilities & CLIENT_NEEDED) != CLIENT_NEEDED)
        return refuse_greeting(l);
    l->failure->stage = MYSQL_STAGE_LOGIN;
    set_version(&l->server, version);
    l->proof = proof_find(plugin);
    /* Whatever it is, the server then names the way that this user has. */
    if (!l->proof || l->proof->challenge != CHALLENGE_GREETING)
        l->proof = proof_find("mysql_native_password");
    if (l->tls != TLS_OFF && !(l->server.capabilities & CLIENT_SSL))
        return mysql_failure_set(l->failure, MYSQL_FAULT_TLS,
                                 "the server offers no TLS: give it a certificate there, or write "
                                 "tls=off");
    return true;
}

/* Who we are. */

static bool add(struct login *l, struct bytes *to, const void *data, size_t count)
{
    return bytes_add(to, data, count, INTRODUCTION_MAX) ||
           mysql_failure_set(
               l->failure, MYSQL_FAULT_LOCAL,
               "the user's name or password is too long, or there is no memory for it");
}

static bool add_byte(struct login *l, struct bytes *to, size_t byte)
{
    const uint8_t one = (uint8_t)byte;
    return add(l, to, &one, 1);
}

bool login_ask_tls(struct login *l, struct bytes *ret)
{
    static const uint8_t zeros[INTRODUCTION_ZEROS];
    uint32_t flags = CLIENT_MYSQL | CLIENT_NEEDED | CLIENT_MULTI_RESULTS;
    flags |= l->tls != TLS_OFF ? CLIENT_SSL : 0;
    const uint8_t head[] = {
        (uint8_t)flags,         (uint8_t)(flags >> 8),       (uint8_t)(flags >> 16),
        (uint8_t)(flags >> 24), (uint8_t)PACKET_MAX,         (uint8_t)(PACKET_MAX >> 8),
        PACKET_MAX >> 16,       (uint8_t)(PACKET_MAX >> 24), CHARSET_UTF8MB4,
    };

    return add(l, ret, head, sizeof(head)) && add(l, ret, zeros, sizeof(zeros));
}

/* The proof of the way that is being tried. */
static bool prove(struct login *l, uint8_t ret[PROOF_MAX], size_t *ret_size)
{
    int n = proof_make(l->proof, l->password, l->challenge, ret);

    *ret_size = n < 0 ? 0 : (size_t)n;
    return n >= 0 ||
           mysql_failure_set(l->failure, MYSQL_FAULT_LOCAL,
                             "this system's OpenSSL or libsodium makes no %s", l->proof->plugin);
}

bool login_introduce(struct login *l, struct bytes *ret)
{
    uint8_t proof[PROOF_MAX];
    size_t size;

    return prove(l, proof, &size) && login_ask_tls(l, ret) &&
           add(l, ret, l->user, strlen(l->user) + 1) && add_byte(l, ret, size) &&
           add(l, ret, proof, size) && add(l, ret, l->proof->plugin, strlen(l->proof->plugin) + 1);
}

/* The server's replies. */

static bool refuse_reply(struct login *l)
{
    return mysql_failure_set(l->failure, MYSQL_FAULT_PROTOCOL,
                             "while logging in, the server does not speak as a MySQL server does");
}

static bool refuse_plugin(struct login *l, const char *plugin)
{
    char shown[PLUGIN_SHOWN];

    size_t n = strnlen(plugin, sizeof(shown) - 1);
    for (size_t i = 0; i < n; i++)
        shown[i] = plugin[i] > ' ' && plugin[i] < 0x7f ? plugin[i] : '?';
    shown[n] = '\0';
    return mysql_failure_set(l->failure, MYSQL_FAULT_LOGIN,
                             "the server wants user %.32s to log in by %s, which homing does not: "
                             "give that user %s, if there is such a user",
                             l->user, shown,
                             l->server.mariadb ? "ed25519 or mysql_native_password"
                                               : "caching_sha2_password");
}

/* The server names another way, with a challenge of its own. One of a single byte is older than all
 * servers that we know. */
static bool take_switch(struct login *l, struct cursor *c, struct bytes *ret)
{
    uint8_t proof[PROOF_MAX];
    size_t size;

    cursor_number(c, 1);
    if (cursor_left(c) == 0)
        return refuse_plugin(l, "mysql_old_password");
    const char *plugin = cursor_text(c);
    if (c->bad)
        return refuse_reply(l);
    const struct proof *known = proof_find(plugin);
    if (!known)
        return refuse_plugin(l, plugin);
    const uint8_t *challenge = cursor_bytes(c, known->challenge);
    /* A NUL may follow. */
    if (!challenge || cursor_left(c) > 1)
        return refuse_reply(l);
    l->proof = known;
    memcpy(l->challenge, challenge, known->challenge);
    return prove(l, proof, &size) && add(l, ret, proof, size);
}

/* Rule 2 of login.h. */
static bool may_say_password(const struct login *l)
{
    return l->strange ? l->tls == TLS_VERIFY_FULL : l->tls != TLS_OFF;
}

/* The server's memory does not have this user's digest as yet, and wants the password. */
static bool say_password(struct login *l, struct bytes *ret)
{
    if (may_say_password(l))
        return add(l, ret, l->password, strlen(l->password) + 1);
    return mysql_failure_set(
        l->failure, MYSQL_FAULT_LOGIN,
        "the server wants the password itself, which is only said %s",
        l->strange ? "to a new address if it proves its name: write tls=verify-full, or name this "
                     "address in members, in place of the name, and reload"
                   : "inside of TLS: write tls=verify-full or tls=require");
}

static bool take_more_data(struct login *l, struct cursor *c, bool *ret_reply, struct bytes *ret)
{
    cursor_number(c, 1);
    uint64_t what = cursor_number(c, 1);

    if (c->bad || cursor_left(c) > 0 || strcmp(l->proof->plugin, "caching_sha2_password") != 0)
        return refuse_reply(l);
    *ret_reply = what == SHA2_SAY_PASSWORD;
    if (what == SHA2_SAY_PASSWORD)
        return say_password(l, ret);
    return what == SHA2_FAST_GOOD || refuse_reply(l);
}

bool login_take(struct login *l, const uint8_t *payload, size_t count, bool *ret_done,
                bool *ret_reply, struct bytes *ret)
{
    struct cursor c = {payload, payload + count, false};

    if (count == 0 || ++l->packets > PACKETS_MAX)
        return refuse_reply(l);
    *ret_done = *payload == PACKET_OK;
    *ret_reply = *payload == PACKET_END;
    switch (*payload) {
    case PACKET_OK:
        return true;
    case PACKET_ERROR:
        return mysql_failure_said(l->failure, payload, count);
    case PACKET_END:
        return take_switch(l, &c, ret);
    case PACKET_MORE_DATA:
        return take_more_data(l, &c, ret_reply, ret);
    default:
        return refuse_reply(l);
    }
}
