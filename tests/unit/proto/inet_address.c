/* SPDX-License-Identifier: Apache-2.0
 *
 * inet_address.c - addresses from texts and back.
 */
#include "config.h"

#include "proto/inet_address.h"
#include "tests/support/test.h"

static void addresses_are_numeric_and_mapped_ones_are_IPv4(void **state)
{
    static const struct {
        const char *text;
        const char *back;
        int family;
    } rows[] = {
        {"10.0.0.1", "10.0.0.1", 4}, {"::ffff:10.0.0.1", "10.0.0.1", 4},
        {"fd00::1", "fd00::1", 6},   {"::1", "::1", 6},
        {"10.0.0", NULL, 0},         {"", NULL, 0},
        {"localhost", NULL, 0},      {"fe80::1%lo", NULL, 0},
    };
    struct inet_address a;
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(inet_address_parse(rows[i].text, 1, &a), !!rows[i].back);
        if (!rows[i].back)
            continue;
        inet_address_print(&a, text, sizeof(text));
        assert_string_equal(text, rows[i].back);
        assert_int_equal(a.family, rows[i].family);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(addresses_are_numeric_and_mapped_ones_are_IPv4),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
