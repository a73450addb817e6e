/* SPDX-License-Identifier: Apache-2.0
 *
 * sever.c - tests of proto/sever.c: orders, counts and rows as messages, and addresses as text.
 */
#include "config.h"

#include <limits.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/sever.h"
#include "tests/support/test.h"

/* What a put function wrote, as the other end sees it. */
struct wire {
    struct msg_writer w;
    struct msg_parser p;
    struct msg msg;
};

static void wire_begin(struct wire *wire)
{
    msg_writer_init(&wire->w, HOMING_REQUEST_MAX);
    msg_parser_init(&wire->p, HOMING_REQUEST_MAX);
    msg_put_request(&wire->w, 1, "x");
}

static const struct msg_value *wire_cross(struct wire *wire)
{
    size_t used;

    assert_int_equal(msg_writer_finish(&wire->w), 0);
    assert_int_equal(msg_parser_feed(&wire->p, wire->w.data, wire->w.len, &used, &wire->msg),
                     MSG_FED_MESSAGE);
    return wire->msg.params;
}

static void wire_done(struct wire *wire)
{
    msg_writer_done(&wire->w);
    msg_parser_done(&wire->p);
}

static void the_longest_order_fits_into_a_request_and_comes_back_the_same(void **state)
{
    struct sever_order order = {.kind = SEVER_OBSERVE,
                                .endpoint_count = SEVER_ENDPOINTS_MAX,
                                .address_count = SEVER_ADDRESSES_MAX,
                                .spread_ms = SEVER_SPREAD_MAX_MS,
                                .untagged = true,
                                .unasked = true,
                                .spared_count = SEVER_SPARED_MAX};
    struct sever_order back;
    struct wire wire;

    (void)state;
    memset(&back, 0xaa, sizeof(back));
    for (uint64_t i = 0; i < SEVER_ENDPOINTS_MAX; i++)
        order.endpoints[i] = (struct sever_endpoint){UINT64_MAX - i, UINT64_MAX - 2 * i};
    for (uint64_t i = 0; i < SEVER_SPARED_MAX; i++)
        order.spared[i] = UINT64_MAX - i;
    for (int i = 0; i < SEVER_ADDRESSES_MAX; i++)
        assert_true(inet_address_parse("fd00:1111:2222:3333:4444:5555:6666:7777", 65535,
                                       &order.addresses[i]));
    wire_begin(&wire);
    sever_order_put(&wire.w, &order);
    assert_null(sever_order_get(wire_cross(&wire), SEVER_DO, &back));
    assert_memory_equal(&order, &back, sizeof(order));
    wire_done(&wire);
}

static void a_process_whose_permit_is_held_comes_back_the_same(void **state)
{
    const struct sever_holder holder = {INT_MAX, UINT64_MAX};
    struct sever_holder back;
    struct wire wire;

    (void)state;
    wire_begin(&wire);
    msg_put_array(&wire.w, 3);
    sever_holder_put(&wire.w, &holder);
    msg_put_array(&wire.w, 1);
    msg_put_uint(&wire.w, 1);
    msg_put_array(&wire.w, 2);
    msg_put_uint(&wire.w, (uint64_t)INT_MAX + 1);
    msg_put_uint(&wire.w, 1);
    const struct msg_value *list = wire_cross(&wire);
    assert_true(sever_holder_get(msg_array_at(list, 0), &back));
    assert_int_equal(back.pid, holder.pid);
    assert_int_equal(back.started, holder.started);
    assert_false(sever_holder_get(msg_array_at(list, 1), &back));
    assert_false(sever_holder_get(msg_array_at(list, 2), &back));
    assert_false(sever_holder_get(list, &back));
    wire_done(&wire);
}

static void put_bad_order(struct msg_writer *w, int what)
{
    msg_put_array(w, 1);
    if (what == 0) {
        msg_put_nil(w);
        return;
    }
    msg_open_map(w);
    msg_put_str(w, "addresses");
    msg_put_array(w, what == 1 ? 0 : what == 2 ? SEVER_ADDRESSES_MAX + 1 : 1);
    for (int i = 0; i < (what == 1 ? 0 : what == 2 ? SEVER_ADDRESSES_MAX + 1 : 1); i++) {
        msg_put_array(w, 2);
        msg_put_str(w, what == 3 ? "db.example" : "10.0.0.1");
        msg_put_uint(w, what == 4 ? 0 : what == 5 ? 65536 : 5432);
    }
    msg_put_key_uint(w, "spread_ms", what == 6 ? SEVER_SPREAD_MAX_MS + 1 : 0);
    msg_put_str(w, "endpoints");
    msg_put_array(w, what == 7 ? SEVER_ENDPOINTS_MAX + 1 : 1);
    for (int i = 0; i < (what == 7 ? SEVER_ENDPOINTS_MAX + 1 : 1); i++) {
        msg_put_array(w, what == 8 ? 1 : 2);
        msg_put_uint(w, 1);
        if (what != 8)
            msg_put_uint(w, 1);
    }
    msg_put_str(w, "spared");
    msg_put_array(w, what == 9 ? SEVER_SPARED_MAX + 1 : 1);
    for (int i = 0; i < (what == 9 ? SEVER_SPARED_MAX + 1 : 1); i++)
        msg_put_int(w, what == 10 ? -1 : 1);
    msg_close(w);
}

static void bad_orders_are_refused_with_a_reason(void **state)
{
    struct sever_order order = {.spread_ms = 77};
    struct wire wire;

    (void)state;
    for (int what = 0; what <= 11; what++) {
        wire_begin(&wire);
        put_bad_order(&wire.w, what);
        const char *wrong = sever_order_get(wire_cross(&wire), SEVER_DO, &order);
        if (what < 11)
            assert_non_null(wrong);
        else
            assert_null(wrong); /* the one without a fault */
        assert_int_equal(order.spread_ms, what < 11 ? 77 : 0);
        wire_done(&wire);
    }
}

static void counts_come_back_the_same(void **state)
{
    struct sever_counts counts, back;
    uint64_t fields[sizeof(counts) / sizeof(uint64_t)];
    struct wire wire;

    (void)state;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        fields[i] = i + 1;
    memcpy(&counts, fields, sizeof(counts));
    wire_begin(&wire);
    msg_put_array(&wire.w, 1);
    sever_counts_put(&wire.w, &counts);
    sever_counts_get(msg_array_at(wire_cross(&wire), 0), &back);
    assert_memory_equal(&counts, &back, sizeof(counts));
    wire_done(&wire);
}

/* Not the bytes between the fields: a compiler may leave there what it likes. */
static void assert_rows_equal(const struct sever_row *a, const struct sever_row *b)
{
    assert_int_equal(a->pid, b->pid);
    assert_int_equal(a->uid, b->uid);
    assert_string_equal(a->comm, b->comm);
    assert_int_equal(a->endpoint, b->endpoint);
    assert_int_equal(a->generation, b->generation);
    assert_int_equal(a->age_ms, b->age_ms);
    assert_int_equal(a->inode, b->inode);
    assert_true(inet_address_same(&a->address, &b->address));
}

static void rows_come_back_the_same(void **state)
{
    struct sever_row row = {.pid = 4711,
                            .uid = UINT32_MAX,
                            .comm = "fifteen_letters",
                            .endpoint = UINT64_MAX,
                            .generation = 3,
                            .age_ms = 12,
                            .inode = UINT32_MAX};
    struct sever_row back;
    struct wire wire;

    (void)state;
    assert_true(inet_address_parse("fd00::1", 5432, &row.address));
    wire_begin(&wire);
    sever_rows_put(&wire.w, &row, 1);
    const struct msg_value *list = wire_cross(&wire);
    memset(&back, 0xaa, sizeof(back));
    assert_true(sever_row_get(msg_array_at(list, 0), &back));
    assert_rows_equal(&row, &back);
    assert_false(sever_row_get(NULL, &back));
    wire_done(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_process_whose_permit_is_held_comes_back_the_same),
        TEST(the_longest_order_fits_into_a_request_and_comes_back_the_same),
        TEST(bad_orders_are_refused_with_a_reason),
        TEST(counts_come_back_the_same),
        TEST(rows_come_back_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
