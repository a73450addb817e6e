/* SPDX-License-Identifier: Apache-2.0
 *
 * listed.c - tests of agent/probe/listed.c, with the kernel's own list of connections over the loopback, and with
 * datagrams as the kernel sends them. Where a connection is listed elsewhere: live/homingd_socket_lb.py.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/probe/listed.h"
#include "tests/support/test.h"

static int listening, connected;
static struct inet_address server;

static int rig_setup(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);

    (void)state;
    listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connected = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(connect(connected, (struct sockaddr *)&at, sizeof(at)), 0);
    server = inet_address_make(4, (const uint8_t *)&at.sin_addr, ntohs(at.sin_port));
    return 0;
}

static int rig_teardown(void **state)
{
    (void)state;
    close(connected);
    close(listening);
    return 0;
}

static void a_connection_is_listed_as_where_it_was_to_go(void **state)
{
    struct inet_address found;

    (void)state;
    assert_true(listed_peer(connected, &found));
    assert_true(inet_address_same(&found, &server));
}

static void one_over_IPv6_is_too(void **state)
{
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t len = sizeof(at);
    struct inet_address to, found;
    int there = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int here = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    if (bind(there, (struct sockaddr *)&at, sizeof(at)) || listen(there, 1)) {
        close(there);
        close(here);
        skip(); /* a machine without IPv6 */
    }
    assert_int_equal(getsockname(there, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(connect(here, (struct sockaddr *)&at, sizeof(at)), 0);
    to = inet_address_make(6, at.sin6_addr.s6_addr, ntohs(at.sin6_port));
    assert_true(listed_peer(here, &found));
    assert_true(inet_address_same(&found, &to));
    close(here);
    close(there);
}

static void what_is_no_connection_is_not_listed(void **state)
{
    struct inet_address found;
    int pair[2];

    (void)state;
    assert_false(listed_peer(listening, &found));
    assert_false(listed_peer(-1, &found));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_false(listed_peer(pair[0], &found));
    close(pair[0]);
    close(pair[1]);
}

static void no_descriptor_is_left_open(void **state)
{
    struct inet_address found;
    int before = dup(connected), after;

    (void)state;
    close(before);
    for (int i = 0; i < 3; i++)
        (void)listed_peer(connected, &found);
    after = dup(connected);
    close(after);
    assert_int_equal(after, before);
}

/* A datagram with up to three messages. */
struct datagram {
    uint8_t bytes[512];
    size_t len;
};

static void put(struct datagram *d, uint16_t type, uint32_t seq, const void *payload, size_t len)
{
    struct nlmsghdr header = {
        .nlmsg_len = (uint32_t)(sizeof(header) + len), .nlmsg_type = type, .nlmsg_seq = seq};

    memcpy(d->bytes + d->len, &header, sizeof(header));
    memcpy(d->bytes + d->len + sizeof(header), payload, len);
    d->len += NLMSG_ALIGN(sizeof(header) + len);
}

static void put_socket(struct datagram *d, uint32_t seq, uint32_t cookie, uint8_t last)
{
    struct inet_diag_msg m = {.idiag_family = AF_INET,
                              .id = {.idiag_dport = htons(5432), .idiag_cookie = {cookie, 1}}};
    const uint8_t to[4] = {10, 0, 0, last};

    memcpy(m.id.idiag_dst, to, sizeof(to));
    put(d, SOCK_DIAG_BY_FAMILY, seq, &m, sizeof(m));
}

static enum listed_found take(const struct datagram *d, struct inet_address *ret)
{
    return listed_take(d->bytes, d->len, 9, UINT64_C(1) << 32 | 5, ret);
}

static void of_several_sockets_the_one_with_the_cookie_counts(void **state)
{
    struct datagram d = {.len = 0};
    struct inet_address found;

    (void)state;
    put_socket(&d, 9, 4, 1);
    assert_int_equal(take(&d, &found), LISTED_NOTHING);
    put_socket(&d, 8, 5, 2); /* of another request */
    put_socket(&d, 9, 5, 3);
    assert_int_equal(take(&d, &found), LISTED_SOCKET);
    assert_int_equal(found.bytes[3], 3);
    assert_int_equal(found.port, 5432);
}

static void an_error_and_the_end_of_a_dump_end_it(void **state)
{
    const uint16_t types[] = {NLMSG_ERROR, NLMSG_DONE};
    int error = -ENOENT;

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct datagram d = {.len = 0};
        struct inet_address found;
        put_socket(&d, 9, 4, 1);
        put(&d, types[i], 9, &error, sizeof(error));
        assert_int_equal(take(&d, &found), LISTED_END);
    }
}

static void no_cut_of_a_datagram_is_read_beyond_its_end(void **state)
{
    struct datagram d = {.len = 0};
    struct inet_address found;

    (void)state;
    put_socket(&d, 9, 5, 3);
    for (size_t len = 0; len < d.len; len++)
        assert_true(listed_take(d.bytes, len, 9, UINT64_C(1) << 32 | 5, &found) != LISTED_SOCKET);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, a_connection_is_listed_as_where_it_was_to_go),
        TEST(one_over_IPv6_is_too),
        TEST_IN(rig, what_is_no_connection_is_not_listed),
        TEST_IN(rig, no_descriptor_is_left_open),
        TEST(of_several_sockets_the_one_with_the_cookie_counts),
        TEST(an_error_and_the_end_of_a_dump_end_it),
        TEST(no_cut_of_a_datagram_is_read_beyond_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
