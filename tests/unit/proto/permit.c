/* SPDX-License-Identifier: Apache-2.0
 *
 * permit.c - tests of proto/permit.h: which hellos of programs, old and to come, are good.
 */
#include "config.h"

#include <string.h>

#include "proto/permit.h"
#include "tests/support/test.h"

static const struct permit_hello plain = {.slots = 4096};

/* A program to come may say that it reads what is sent back, and more that this version does not
 * know. */
static void a_hello_is_good_whatever_its_flags_say(void **state)
{
    uint8_t bytes[PERMIT_HELLO_SIZE];
    struct permit_hello read;

    (void)state;
    for (uint32_t bit = 0; bit < 32; bit++) {
        permit_hello_encode(&(struct permit_hello){plain.slots, UINT32_C(1) << bit}, bytes);
        assert_true(permit_hello_check(bytes, sizeof(bytes), &read));
        assert_int_equal(read.slots, plain.slots);
        assert_int_equal(read.flags, UINT32_C(1) << bit);
    }
}

/* It is what the kept libraries send, byte by byte. */
static void todays_hello_asks_for_no_answer(void **state)
{
    static const uint8_t expected[] = {0x93, 2,    0xa6, 'p',  'e',  'r',  'm', 'i', 't', 0x93, 2,
                                       0xce, 0x00, 0x00, 0x10, 0x00, 0xce, 0,   0,   0,   0};
    uint8_t bytes[PERMIT_HELLO_SIZE];

    (void)state;
    permit_hello_encode(&plain, bytes);
    assert_int_equal(sizeof(expected), sizeof(bytes));
    assert_memory_equal(bytes, expected, sizeof(bytes));
}

static void a_hello_with_any_other_byte_of_its_frame_is_refused(void **state)
{
    uint8_t bytes[PERMIT_HELLO_SIZE];
    struct permit_hello read;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        if (i - PERMIT_AT_SLOTS < 4 || i - PERMIT_AT_FLAGS < 4)
            continue;
        permit_hello_encode(&plain, bytes);
        bytes[i] ^= 1;
        assert_false(permit_hello_check(bytes, sizeof(bytes), &read));
    }
    permit_hello_encode(&plain, bytes);
    assert_false(permit_hello_check(bytes, sizeof(bytes) - 1, &read));
}

static void a_number_of_slots_out_of_bounds_is_refused(void **state)
{
    static const uint32_t bad[] = {0, TAG_SLOTS_MIN - 1, TAG_SLOTS_MAX + 1, UINT32_MAX};
    static const uint32_t good[] = {TAG_SLOTS_MIN, TAG_SLOTS_MAX};
    uint8_t bytes[PERMIT_HELLO_SIZE];
    struct permit_hello read;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        permit_hello_encode(&(struct permit_hello){.slots = bad[i]}, bytes);
        assert_false(permit_hello_check(bytes, sizeof(bytes), &read));
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        permit_hello_encode(&(struct permit_hello){.slots = good[i]}, bytes);
        assert_true(permit_hello_check(bytes, sizeof(bytes), &read));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_hello_is_good_whatever_its_flags_say),
        TEST(todays_hello_asks_for_no_answer),
        TEST(a_hello_with_any_other_byte_of_its_frame_is_refused),
        TEST(a_number_of_slots_out_of_bounds_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
