/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_wire_rig.h - a wire, and a server that is written by hand: for mysql_wire.c and mysql_login.c.
 */
#ifndef HOMING_TESTS_UNIT_PROBE_MYSQL_WIRE_RIG_H
#define HOMING_TESTS_UNIT_PROBE_MYSQL_WIRE_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/probe/mysql/wire.h"
#include "tests/support/test.h"

static struct wire wire;

static inline int rig_setup(void **state)
{
    static const struct wire_settings settings = {.user = "native", .password = "secret"};
    (void)state;
    return wire_init(&wire, &settings) ? 0 : -1;
}

static inline int rig_teardown(void **state)
{
    (void)state;
    wire_done(&wire);
    return 0;
}

/* As another user, or with TLS. */
static inline void begin(const char *user, enum tls_mode tls, bool strange)
{
    const struct wire_settings settings = {
        .user = user, .password = "secret", .tls = tls, .strange = strange};
    wire_done(&wire);
    assert_true(wire_init(&wire, &settings));
}

static inline size_t bytes_of(const char *hex, uint8_t *ret, size_t size)
{
    size_t n = strlen(hex) / 2;
    unsigned byte;

    assert_true(n <= size);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        ret[i] = (uint8_t)byte;
    }
    return n;
}

static inline void take(const char *hex, size_t step)
{
    uint8_t bytes[1024];
    size_t n = bytes_of(hex, bytes, sizeof(bytes));

    for (size_t at = 0; at < n; at += step)
        wire_take(&wire, bytes + at, step < n - at ? step : n - at);
}

static inline void assert_said(const char *hex)
{
    uint8_t bytes[1024];
    size_t n = bytes_of(hex, bytes, sizeof(bytes));

    assert_int_equal(wire.out.count, n);
    assert_memory_equal(wire.out.data, bytes, n);
    bytes_drop(&wire.out, n);
}

/* A packet of the server's with the sequence number that is due. */
static inline void say_bytes(const void *payload, size_t count)
{
    const uint8_t head[] = {(uint8_t)count, (uint8_t)(count >> 8), (uint8_t)(count >> 16),
                            wire.sequence};

    wire_take(&wire, head, sizeof(head));
    wire_take(&wire, payload, count);
    bytes_clear(&wire.out);
}

#define say(text) say_bytes(text, sizeof(text) - 1)

static inline void assert_failed(enum mysql_fault fault, enum mysql_stage stage, const char *text)
{
    assert_int_equal(wire.state, WIRE_FAILED);
    assert_int_equal(wire.failure.fault, fault);
    assert_int_equal(wire.failure.stage, stage);
    if (!strstr(wire.failure.error.text, text))
        fail_msg("'%s' does not say '%s'", wire.failure.error.text, text);
}

static inline void assert_server(bool mariadb, uint32_t number, const char *version)
{
    assert_int_equal(wire.login.server.mariadb, mariadb);
    assert_int_equal(wire.login.server.number, number);
    assert_string_equal(wire.login.server.version, version);
}

/* A greeting, and the packets of answers. */

#define SALT      "\1\2\3\4\5\6\7\10"
#define SALT_REST "abcdefghijkl\0"
/* Capabilities: all that is needed, with TLS. */
#define GREETING_OF(version, plugin)                                                               \
    "\n" version "\0\7\0\0\0" SALT "\0"                                                            \
    "\xff\xff\x2d\2\0\xff\xff\x15\0\0\0\0\0\0\0\0\0\0" SALT_REST plugin "\0"
#define GREETING     GREETING_OF("8.0.42", "caching_sha2_password")
#define OK           "\0\0\0\2\0\0\0"
#define END          "\xfe\0\0\2\0"
#define COLUMN(name) "\3def\0\0\0" name "\0\xc\x2d\0\1\0\0\0\xfd\0\0\0\0\0"

static inline void ready(void)
{
    say(GREETING);
    say(OK);
    assert_int_equal(wire.state, WIRE_READY);
    wire_ask(&wire, "SELECT 1");
}

#endif
