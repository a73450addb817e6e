/* SPDX-License-Identifier: Apache-2.0
 *
 * spelling.c - which words may be slips for one another.
 */
#include "config.h"

#include "agent/base/spelling.h"
#include "tests/support/test.h"

static void one_slip_is_near_and_two_are_not(void **state)
{
    static const struct {
        const char *a, *b;
        bool near;
    } cases[] = {
        {"stauts", "status", true},  /* swapped */
        {"statu", "status", true},   /* one too few, at the end */
        {"tatus", "status", true},   /* at the start */
        {"statuus", "status", true}, /* one too many */
        {"stbtus", "status", true},  /* another */
        {"sutats", "status", false}, /* swapped, but not with its neighbour */
        {"tstaus", "status", false}, /* two slips */
        {"xyxQ", "yxyxQ", true},     /* one too many, and alike when swapped */
        {"status", "status", false}, /* no slip */
        {"s", "", true},
        {"", "", false},
        {"ab", "", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (spelling_is_near(cases[i].a, cases[i].b) != cases[i].near ||
            spelling_is_near(cases[i].b, cases[i].a) != cases[i].near)
            fail_msg("%s, %s: not %d", cases[i].a, cases[i].b, cases[i].near);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_slip_is_near_and_two_are_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
