/* SPDX-License-Identifier: Apache-2.0
 *
 * diag.c - tests of agent/sever/sweep/diag.c. The filter is run here by the kernel's rules, written
 * down anew.
 */
#include "config.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/sever/sweep/diag.h"
#include "tests/support/test.h"

static struct inet_address at(const char *text, uint16_t port)
{
    struct inet_address a;

    assert_true(inet_address_parse(text, port, &a));
    return a;
}

/* As the kernel lists a connection to it. `mapped`: made through an AF_INET6 socket. */
static struct diag_socket connected(const char *text, uint16_t port, bool mapped)
{
    struct inet_address a = at(text, port);
    struct diag_socket s = {.cookie = 9, .family = a.family == 4 ? AF_INET : AF_INET6, .state = 1};

    s.id.idiag_dport = htons(port);
    memcpy(s.id.idiag_dst, a.bytes, sizeof(a.bytes));
    if (mapped) {
        s.family = AF_INET6;
        s.id.idiag_dst[2] = htonl(0xffff);
        s.id.idiag_dst[3] = s.id.idiag_dst[0];
        s.id.idiag_dst[0] = 0;
    }
    return s;
}

/* ---- the filter ---- */

static bool meets(const struct inet_diag_hostcond *cond, const uint32_t *addr,
                  const struct diag_socket *s)
{
    const uint32_t *dst = s->id.idiag_dst;

    if (cond->port != ntohs(s->id.idiag_dport))
        return false;
    if (cond->family == s->family)
        return memcmp(addr, dst, cond->prefix_len / 8) == 0;
    return s->family == AF_INET6 && cond->family == AF_INET && dst[0] == 0 && dst[1] == 0 &&
           dst[2] == htonl(0xffff) && dst[3] == addr[0];
}

/* inet_diag_bc_audit(): every `no` leads to an operation on the chain of `yes`, or just out. */
static void audit(const uint8_t *code, int len)
{
    bool on_chain[DIAG_DUMP_MAX] = {false};
    struct inet_diag_bc_op op;

    for (int i = 0; i < len; i += op.yes) {
        on_chain[i] = true;
        memcpy(&op, code + i, sizeof(op));
        assert_true(op.yes >= 4 && op.yes % 4 == 0 && i + op.yes <= len + 4);
    }
    for (int i = 0; i < len; i += op.yes) {
        memcpy(&op, code + i, sizeof(op));
        assert_true(op.no >= 4 && op.no % 4 == 0 && i + op.no <= len + 4);
        assert_true(i + op.no >= len || on_chain[i + op.no]);
    }
}

/* inet_diag_bc_run() */
static bool run(const uint8_t *code, int len, const struct diag_socket *s)
{
    int i = 0;

    while (i < len) {
        struct inet_diag_bc_op op;
        struct inet_diag_hostcond cond;
        uint32_t addr[4] = {0};
        memcpy(&op, code + i, sizeof(op));
        if (op.code == INET_DIAG_BC_JMP) {
            i += op.no;
            continue;
        }
        assert_int_equal(op.code, INET_DIAG_BC_D_COND);
        memcpy(&cond, code + i + 4, sizeof(cond));
        memcpy(addr, code + i + 12, cond.prefix_len / 8);
        i += meets(&cond, addr, s) ? op.yes : op.no;
    }
    return i == len;
}

static bool dumped(int family, const struct inet_address *list, uint32_t count,
                   const struct diag_socket *s)
{
    uint8_t request[DIAG_DUMP_MAX];
    size_t len = diag_put_dump(family, DIAG_TCP, list, count, 77, request);
    size_t head = sizeof(struct nlmsghdr) + sizeof(struct inet_diag_req_v2);
    struct nlmsghdr header;
    struct rtattr attribute;

    memcpy(&header, request, sizeof(header));
    memcpy(&attribute, request + head, sizeof(attribute));
    assert_int_equal(header.nlmsg_len, len);
    assert_int_equal(header.nlmsg_type, SOCK_DIAG_BY_FAMILY);
    assert_int_equal(header.nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
    assert_int_equal(header.nlmsg_seq, 77);
    assert_int_equal(attribute.rta_type, INET_DIAG_REQ_BYTECODE);
    assert_int_equal(attribute.rta_len + head, len);
    const uint8_t *code = request + head + sizeof(attribute);
    int code_len = attribute.rta_len - (int)sizeof(attribute);
    audit(code, code_len);
    return run(code, code_len, s);
}

static void the_kernel_lists_connections_to_the_addresses_and_no_other(void **state)
{
    struct inet_address list[] = {at("10.0.0.1", 5432), at("fd00::1", 5432), at("10.0.0.3", 5433)};
    const struct {
        struct diag_socket socket;
        bool expected;
    } rows[] = {
        {connected("10.0.0.1", 5432, false), true}, {connected("10.0.0.1", 5432, true), true},
        {connected("10.0.0.3", 5433, false), true}, {connected("10.0.0.3", 5433, true), true},
        {connected("fd00::1", 5432, false), true},  {connected("10.0.0.1", 5433, false), false},
        {connected("10.0.0.3", 5432, true), false}, {connected("10.0.0.2", 5432, false), false},
        {connected("10.0.0.2", 5432, true), false}, {connected("fd00::2", 5432, false), false},
        {connected("fd00::1", 5433, false), false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(dumped(rows[i].socket.family, list, 3, &rows[i].socket), rows[i].expected);
        assert_int_equal(diag_is_connected_to(&rows[i].socket, list, 3), rows[i].expected);
    }
}

static void a_filter_holds_as_many_addresses_as_an_order(void **state)
{
    struct inet_address list[SEVER_ADDRESSES_MAX];
    char text[64];

    (void)state;
    for (int i = 0; i < SEVER_ADDRESSES_MAX; i++) {
        snprintf(text, sizeof(text), "fd00::%x", i + 1);
        list[i] = at(text, (uint16_t)(5000 + i));
    }
    for (int i = 0; i < SEVER_ADDRESSES_MAX; i++) {
        snprintf(text, sizeof(text), "fd00::%x", i + 1);
        struct diag_socket s = connected(text, (uint16_t)(5000 + i), false);
        assert_true(dumped(AF_INET6, list, SEVER_ADDRESSES_MAX, &s));
        s.id.idiag_dport = htons(4999);
        assert_false(dumped(AF_INET6, list, SEVER_ADDRESSES_MAX, &s));
    }
}

static void without_an_address_of_the_family_nothing_is_listed(void **state)
{
    struct inet_address six = at("fd00::1", 5432);
    struct diag_socket s = connected("10.0.0.1", 5432, false);

    (void)state;
    assert_false(dumped(AF_INET, &six, 1, &s));
}

/* The protocol does not fit into the request, and a kernel that overlooks the attribute must list
 * nothing. */
static void sockets_of_MPTCP_are_asked_for_by_an_attribute(void **state)
{
    struct inet_address list[SEVER_ADDRESSES_MAX];
    uint8_t request[DIAG_DUMP_MAX];
    struct inet_diag_req_v2 question;
    struct nlmsghdr header;
    struct {
        struct rtattr header;
        uint32_t number;
    } protocol;

    (void)state;
    for (int i = 0; i < SEVER_ADDRESSES_MAX; i++)
        list[i] = at("fd00::1", 5432);
    (void)diag_put_dump(AF_INET6, DIAG_MPTCP, list, SEVER_ADDRESSES_MAX, 77, request);
    memcpy(&question, request + sizeof(header), sizeof(question));
    assert_int_equal(question.idiag_ext, 1 << (INET_DIAG_INFO - 1));
    size_t len = diag_put_dump(AF_INET6, DIAG_MPTCP_BARE, list, SEVER_ADDRESSES_MAX, 77, request);
    memcpy(&header, request, sizeof(header));
    memcpy(&question, request + sizeof(header), sizeof(question));
    memcpy(&protocol, request + len - sizeof(protocol), sizeof(protocol));
    assert_int_equal(header.nlmsg_len, len);
    assert_int_equal(question.idiag_ext, 0);
    assert_true(question.sdiag_protocol != 0 && question.sdiag_protocol != IPPROTO_TCP &&
                question.sdiag_protocol != IPPROTO_RAW);
    assert_int_equal(protocol.header.rta_type, INET_DIAG_REQ_PROTOCOL);
    assert_int_equal(protocol.header.rta_len, sizeof(protocol));
    assert_int_equal(protocol.number, 262);
}

/* ---- messages ---- */

struct reply {
    uint8_t bytes[1024];
    size_t len;
};

static void put(struct reply *r, uint16_t type, uint32_t seq, const void *payload, size_t len)
{
    struct nlmsghdr header = {
        .nlmsg_len = (uint32_t)(sizeof(header) + len), .nlmsg_type = type, .nlmsg_seq = seq};

    memcpy(r->bytes + r->len, &header, sizeof(header));
    if (len)
        memcpy(r->bytes + r->len + sizeof(header), payload, len);
    r->len += NLMSG_ALIGN(sizeof(header) + len);
}

static void a_dump_is_read_message_by_message(void **state)
{
    struct inet_diag_msg m = {.idiag_family = AF_INET, .idiag_state = 1};
    struct reply r = {.len = 0};
    struct diag_message out;
    size_t where = 0;
    int error = -11;

    (void)state;
    m.id.idiag_cookie[0] = 0x55667788;
    m.id.idiag_cookie[1] = 0x11223344;
    put(&r, SOCK_DIAG_BY_FAMILY, 7, &m, sizeof(m));
    put(&r, SOCK_DIAG_BY_FAMILY, 8, &m, sizeof(m)); /* somebody else's dump */
    put(&r, 99, 7, &m, sizeof(m));
    put(&r, NLMSG_ERROR, 7, &error, sizeof(error));
    put(&r, NLMSG_DONE, 7, NULL, 0);
    assert_int_equal(diag_take(r.bytes, r.len, &where, 7, 1, &out), DIAG_SOCKET);
    assert_true(out.socket.cookie == 0x1122334455667788u);
    assert_int_equal(diag_take(r.bytes, r.len, &where, 7, 1, &out), DIAG_FOREIGN);
    assert_int_equal(diag_take(r.bytes, r.len, &where, 7, 1, &out), DIAG_FOREIGN);
    assert_int_equal(diag_take(r.bytes, r.len, &where, 7, 1, &out), DIAG_ACK);
    assert_int_equal(out.error, -11);
    assert_int_equal(diag_take(r.bytes, r.len, &where, 7, 1, &out), DIAG_DONE);
    assert_int_equal(out.error, 0);
    assert_int_equal(diag_take(r.bytes, r.len, &where, 7, 1, &out), DIAG_END);
}

static void cut_messages_are_bad_at_every_length(void **state)
{
    struct inet_diag_msg m = {.idiag_family = AF_INET, .idiag_state = 1};
    struct reply r = {.len = 0};
    struct diag_message out;

    (void)state;
    put(&r, SOCK_DIAG_BY_FAMILY, 7, &m, sizeof(m));
    for (size_t len = 1; len < r.len; len++) {
        size_t where = 0;
        assert_int_equal(diag_take(r.bytes, len, &where, 7, 1, &out), DIAG_BAD);
    }
}

/* An attribute behind those at *ret_len. */
static void put_attribute(uint8_t *bytes, size_t *ret_len, unsigned type, const void *payload,
                          size_t len)
{
    struct rtattr head = {.rta_type = (unsigned short)type,
                          .rta_len = (unsigned short)RTA_LENGTH(len)};

    memset(bytes + *ret_len, 0, RTA_SPACE(len));
    memcpy(bytes + *ret_len, &head, sizeof(head));
    memcpy(bytes + *ret_len + RTA_LENGTH(0), payload, len);
    *ret_len += RTA_SPACE(len);
}

/* With a protocol of this name on top of TCP, and these flags of MPTCP. */
static struct diag_socket listed_with(const char *name, uint32_t flags)
{
    struct inet_diag_msg m = {.idiag_family = AF_INET, .idiag_state = 1, .idiag_inode = 99};
    const uint32_t info[4] = {0, 0, flags, 0};
    uint8_t bytes[256], nested[64];
    size_t len = sizeof(m), nested_len = 0, where = 0;
    struct reply r = {.len = 0};
    struct diag_message out;

    memcpy(bytes, &m, sizeof(m));
    put_attribute(bytes, &len, INET_DIAG_SHUTDOWN, "", 1);
    put_attribute(bytes, &len, INET_DIAG_INFO, info, sizeof(info));
    put_attribute(nested, &nested_len, INET_ULP_INFO_NAME, name, strlen(name) + 1);
    put_attribute(bytes, &len, INET_DIAG_ULP_INFO, nested, nested_len);
    put(&r, SOCK_DIAG_BY_FAMILY, 7, bytes, len);
    assert_int_equal(diag_take(r.bytes, r.len, &where, 7, 1, &out), DIAG_SOCKET);
    return out.socket;
}

static void subflows_and_fallen_back_sockets_are_known_by_their_attributes(void **state)
{
    (void)state;
    assert_true(listed_with("mptcp", 0).subflow);
    assert_false(listed_with("tls", 0).subflow);
    assert_false(listed_with("mptcpx", 0).subflow);
    assert_false(listed_with("mptcp", 2).plain);
    assert_true(listed_with("mptcp", 3).plain);
    assert_int_equal(listed_with("mptcp", 0).inode, 99);
}

static void an_order_names_the_very_socket(void **state)
{
    struct diag_socket s = connected("10.0.0.1", 5432, true);
    uint8_t bytes[DIAG_DESTROY_LEN];
    struct nlmsghdr header;
    struct inet_diag_req_v2 request;

    (void)state;
    s.id.idiag_cookie[0] = 5;
    diag_put_destroy(&s, 3, bytes);
    memcpy(&header, bytes, sizeof(header));
    memcpy(&request, bytes + sizeof(header), sizeof(request));
    assert_int_equal(header.nlmsg_type, SOCK_DESTROY);
    assert_int_equal(header.nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
    assert_int_equal(request.sdiag_family, AF_INET6);
    assert_memory_equal(&request.id, &s.id, sizeof(s.id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_kernel_lists_connections_to_the_addresses_and_no_other),
        TEST(a_filter_holds_as_many_addresses_as_an_order),
        TEST(without_an_address_of_the_family_nothing_is_listed),
        TEST(sockets_of_MPTCP_are_asked_for_by_an_attribute),
        TEST(a_dump_is_read_message_by_message),
        TEST(cut_messages_are_bad_at_every_length),
        TEST(subflows_and_fallen_back_sockets_are_known_by_their_attributes),
        TEST(an_order_names_the_very_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
