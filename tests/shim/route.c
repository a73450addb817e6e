/* SPDX-License-Identifier: Apache-2.0
 *
 * route.c - which of two addresses comes first, and how long that is remembered. The routes
 * themselves are the kernel's: tests/shim/families.py makes networks for them.
 */
#include "config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "shim/view/prefer.h"
#include "shim/view/route.h"
#include "tests/support/test.h"

#define A "10.1.2.3"
#define B "fd00::3"

static struct prefer_way way(const char *to, const char *from)
{
    struct prefer_way way;

    assert_int_equal(inet_pton(AF_INET6, to, way.to), 1);
    assert_int_equal(inet_pton(AF_INET6, from, way.from), 1);
    return way;
}

/* With a gai.conf of this content. */
static bool prefers_six(const struct prefer_way *four, const struct prefer_way *six,
                        const char *content)
{
    struct gaiconf conf;

    prefer_conf(four, six, &conf);
    for (size_t i = 0; content[i]; i++)
        gaiconf_feed(&conf, &content[i], 1);
    gaiconf_end(&conf);
    return prefer_six(four, six, &conf);
}

/* What glibc does with real lookups of such names is compared in tests/shim/families.py. */
static void two_addresses_with_a_route_are_in_the_order_of_glibc(void **state)
{
    static const struct {
        const char *to4, *from4, *to6, *from6;
        bool six;
    } cases[] = {
        {"::ffff:192.0.2.1", "::ffff:192.0.2.9", "2a00::1", "2a00::9", true},
        {"::ffff:10.0.0.1", "::ffff:10.0.0.9", "fd00::1", "fd00::9", true},
        /* the source is of another label: unique local addresses in front of the internet */
        {"::ffff:192.0.2.1", "::ffff:10.0.0.9", "2a00::1", "fd00::9", false},
        /* the source is of another scope: no address but that of the link */
        {"::ffff:192.0.2.1", "::ffff:192.0.2.9", "2a00::1", "fe80::9", false},
        {"::ffff:192.0.2.1", "::ffff:169.254.0.9", "2a00::1", "2a00::9", true},
        {"::ffff:127.0.0.1", "::ffff:127.0.0.1", "::1", "::1", true},
        {"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::1", "::1", true},
        {"::ffff:127.0.0.1", "::ffff:127.0.0.1", "2a00::1", "::1", false},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.9", "2002::1", "2002::9", true},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.9", "2001::1", "2001::9", true},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.9", "2001::1", "2a00::9", false},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.9", "2001:db8::1", "2a00::9", true},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.9", "fec0::1", "fec0::9", true},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.9", "fec0::1", "2a00::9", false},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.9", "fe80::1", "fe80::9", true},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.9", "::5:1", "::5:9", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct prefer_way four = way(cases[i].to4, cases[i].from4);
        struct prefer_way six = way(cases[i].to6, cases[i].from6);

        print_message("# %s from %s\n", cases[i].to6, cases[i].from6);
        assert_int_equal(prefers_six(&four, &six, ""), cases[i].six);
    }
}

static void a_gai_conf_changes_the_order(void **state)
{
    static const struct {
        const char *content;
        bool six;
    } cases[] = {
        {"", true},
        {"# precedence ::ffff:0:0/96 100\n", true},
        {"precedence ::ffff:0:0/96  100\n", false},
        {"\t precedence\t::FFFF:0:0/96 100 # IPv4 first", false},
        {"precedence ::ffff:0:0/96 39", true},
        {"precedence ::ffff:192.0.2.0/120 100", false},
        {"precedence ::ffff:192.0.3.0/120 100", false}, /* both 40: no rule is left */
        {"precedence 2a00::/16 10\nprecedence ::/0 20\nprecedence 2a00:1::/32 30\n", true},
        {"precedence 2a00:1::/32 30\nprecedence ::/0 20\nprecedence 2a00::/16 10\n", true},
        {"precedence 2a00:1::/32 10\nprecedence ::/0 20\nprecedence 2a00::/16 30\n", false},
        {"label 2a00:1::/32 9\n", false},
        {"label 2a00::/16 9\n", true},
        {"label ::ffff:192.0.2.1/128 9\nprecedence ::ffff:0:0/96 100\n", true},
        {"precedence ::ffff:0:0/129 100\n", true},
        {"precedence ::ffff:0:0/96 100x\n", true},
        {"precedence ::ffff:0:0/ 100\n", true},
        {"precedence ::fffff:0:0/96 100\n", true},
        {"precedence ::ffff:0:0:/96 100\n", true},
        {"precedence :ffff:0:0/96 100\n", true},
        {"precedence ::ffff::0/96 100\n", true},
        {"precedence 1:2:3:4:5:6:7:8:9/96 100\n", true},
        {"precedence 1:2:3:4:5:6:7:1.2.3.4 100\n", true},
        {"precedence ::1.2.3 100\n", true},
        {"precedence ::ffff:0:0/96 4294967395\n", true},
        {"precedence ::ffff:0:0/96\n100\n", true},
        {"precedences ::ffff:0:0/96 100\n", true},
        {"precedence 0:0:0:0:0:ffff:0:0/96 100\n", false},
        {"precedence 0:0:0:0:0:ffff::/96 100\n", false},
        {"reload yes\nscopev4 ::ffff:0.0.0.0/96 2\n", true},
    };
    struct prefer_way four = way("::ffff:192.0.2.1", "::ffff:192.0.2.9");
    struct prefer_way six = way("2a00:1::1", "2a00::9");

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("# %s\n", cases[i].content);
        assert_int_equal(prefers_six(&four, &six, cases[i].content), cases[i].six);
    }
}

static void a_line_of_any_length_does_no_harm(void **state)
{
    struct prefer_way four = way("::ffff:192.0.2.1", "::ffff:192.0.2.9");
    struct prefer_way six = way("2a00:1::1", "2a00::9");
    char content[400];

    (void)state;
    for (size_t spaces = 0; spaces < 300; spaces++) {
        snprintf(content, sizeof(content), "  precedence%*s::ffff:0:0/96 100\nlabel 1::/16 1\n",
                 (int)spaces, "");
        assert_int_equal(prefers_six(&four, &six, content), spaces == 0 || spaces > 127 - 27);
    }
}

/* Every route, order, first text and wish against the rules, stated a second time here. */
static void what_is_listed_follows_the_routes(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 1u << 6; bits++) {
        struct route route = {bits & 1, bits & 2, (bits & 3) == 3 && bits & 4};
        bool one_member = bits & 8, only_routed = bits & 16;
        const char *text = bits & 32 ? B : A, *other = bits & 32 ? A : B;
        const char *routed = route.four == route.six ? NULL : route.four ? A : B;
        const char *first, *second, *wanted = text;

        route_sort(&route, text, other, one_member, only_routed, &first, &second);
        if (routed)
            wanted = routed;
        else if (route.four && one_member)
            wanted = route.six_first ? B : A;
        assert_string_equal(first, wanted);
        if (routed && only_routed)
            assert_null(second);
        else
            assert_string_equal(second, wanted[0] == A[0] ? B : A);
    }
}

/* The first nodes of two lists, with addresses that this machine need not have a route to. */
static void learn(const char *text4, const char *text6, uint64_t now_ms, struct route *ret)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM}, *four, *six;

    assert_int_equal(getaddrinfo(text4, NULL, &hints, &four), 0);
    assert_int_equal(getaddrinfo(text6, NULL, &hints, &six), 0);
    route_learn(text4, text6, four, six, false, now_ms, ret);
    freeaddrinfo(four);
    freeaddrinfo(six);
}

/* Texts of a view are whole words, with zeros at the end. */
static const char *padded(const char *text)
{
    static char kept[4][48];
    static int next;
    char *to = kept[next++ % 4];

    memset(to, 0, sizeof(kept[0]));
    strcpy(to, text);
    return to;
}

static bool recalls(const char *text4, const char *text6, uint64_t now_ms, struct route *ret)
{
    return route_recall(padded(text4), padded(text6), now_ms, ret);
}

static void a_route_is_remembered_for_its_time(void **state)
{
    struct route learnt, found;
    uint64_t keep_ms;

    (void)state;
    assert_false(recalls("127.0.0.1", "::1", 5000, &found));
    learn(padded("127.0.0.1"), padded("::1"), 5000, &learnt);
    keep_ms = learnt.four && learnt.six ? ROUTE_KEEP_MS : ROUTE_RETRY_MS;
    assert_true(learnt.four);
    assert_true(recalls("127.0.0.1", "::1", 5000, &found));
    assert_memory_equal(&found, &learnt, sizeof(found));
    assert_true(recalls("127.0.0.1", "::1", 5000 + keep_ms - 1, &found));
    assert_false(recalls("127.0.0.1", "::1", 5000 + keep_ms, &found));
    assert_false(recalls("127.0.0.1", "::1", 4000, &found));
    assert_false(recalls("::1", "127.0.0.1", 5000, &found));
    assert_false(recalls("127.0.0.1", "::2", 5000, &found));
}

/* The kernel refuses a socket that did not ask for broadcasts. */
static void where_there_is_no_route_it_is_asked_again_soon(void **state)
{
    struct route learnt, found;

    (void)state;
    learn(padded("255.255.255.255"), padded("::1"), 7000, &learnt);
    assert_false(learnt.four);
    assert_false(learnt.six_first);
    assert_true(recalls("255.255.255.255", "::1", 7000 + ROUTE_RETRY_MS - 1, &found));
    assert_false(recalls("255.255.255.255", "::1", 7000 + ROUTE_RETRY_MS, &found));
}

/* More pairs than there is room for: the newest is known, and none is taken for another. */
static void many_pairs_do_not_mix(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        const char *four = i % 2 ? padded("127.0.0.1") : padded("255.255.255.255");
        char text[48] = {0};
        struct route found;

        snprintf(text, sizeof(text), "::%x", i + 1);
        learn(four, text, 100000, &found);
        assert_true(route_recall(four, text, 100000, &found));
        assert_int_equal(found.four, i % 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_addresses_with_a_route_are_in_the_order_of_glibc),
        TEST(a_gai_conf_changes_the_order),
        TEST(a_line_of_any_length_does_no_harm),
        TEST(what_is_listed_follows_the_routes),
        TEST(a_route_is_remembered_for_its_time),
        TEST(where_there_is_no_route_it_is_asked_again_soon),
        TEST(many_pairs_do_not_mix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
