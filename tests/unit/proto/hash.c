/* SPDX-License-Identifier: Apache-2.0
 *
 * hash.c - tests of proto/hash.h: it is FNV-1a, since files on disk carry its values.
 */
#include "config.h"

#include "proto/hash.h"
#include "tests/support/test.h"

/* From the list of vectors of its authors. */
static void it_gives_the_published_values_of_fnv_1a(void **state)
{
    (void)state;
    assert_int_equal(hash_text(""), 0xcbf29ce484222325u);
    assert_int_equal(hash_text("a"), 0xaf63dc4c8601ec8cu);
    assert_int_equal(hash_text("foobar"), 0x85944171f73967e8u);
    assert_int_equal(hash_bytes(HASH_START, "foobar", 6), 0x85944171f73967e8u);
}

static void it_is_the_same_in_one_piece_and_in_several(void **state)
{
    (void)state;
    assert_int_equal(hash_bytes(hash_bytes(HASH_START, "foo", 3), "bar", 3), hash_text("foobar"));
    assert_int_equal(hash_bytes(HASH_START, "", 0), HASH_START);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_gives_the_published_values_of_fnv_1a),
        TEST(it_is_the_same_in_one_piece_and_in_several),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
