/* SPDX-License-Identifier: Apache-2.0
 *
 * name.c - tests of proto/name.c against vectors of another implementation, a byte-wise one, and
 * memory that ends where the text does.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "proto/name.h"
#include "tests/support/dice.h"
#include "tests/support/test.h"

#define PAGE 4096

#define LABEL_63 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define LABEL_61 "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
#define NAME_253 LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_61

/* The ones of PROTOCOL.md. */
static void hashes_are_those_of_the_protocol(void **state)
{
    static const struct {
        const char *text;
        uint32_t len;
        uint64_t hash;
    } vectors[] = {
        {"a", 1, 0xbe100e982101c105ull},
        {"db", 2, 0x57c2f6a5bce00492ull},
        {"orders", 6, 0x58ddd4203ce7bdfbull},
        {"orders-db", 9, 0x32cf8f2a869d1e97ull},
        {"Orders-DB.internal.", 18, 0xc35ded0de634f9b9ull},
        {"orders-ro.internal", 18, 0xdb4cc4abff82fc0bull},
        {"abcdefgh", 8, 0x03484a1d78e293acull},
        {"abcdefgh.", 8, 0x03484a1d78e293acull},
        {"orders-db.prod.svc.cluster.local", 32, 0xdf643c95b4685e94ull},
        {NAME_253, 253, 0x0e0fb48034b37f07ull},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct name name;

        assert_true(name_canonical(vectors[i].text, &name));
        assert_int_equal(name.len, vectors[i].len);
        assert_true(name.hash == vectors[i].hash);
    }
}

/* What name_canonical() promises, said the slow way. */
static bool slow_canonical(const char *text, char ret[HOMING_NAME_WORDS * 8], uint32_t *ret_len)
{
    size_t len = strlen(text);

    if (len > 0 && text[len - 1] == '.')
        len--;
    if (len == 0 || len > HOMING_NAME_MAX)
        return false;
    memset(ret, 0, HOMING_NAME_WORDS * 8);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] > 127)
            return false;
        ret[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
    }
    *ret_len = (uint32_t)len;
    return true;
}

static void assert_as_the_slow_one(const char *text)
{
    char words[HOMING_NAME_WORDS * 8];
    struct name name, again;
    uint32_t len;
    bool good = slow_canonical(text, words, &len);

    assert_int_equal(name_canonical(text, &name), good);
    if (!good)
        return;
    assert_int_equal(name.len, len);
    assert_memory_equal(name.words, words, name_words(&name) * 8);
    if (words[len - 1] == '.')
        return;
    assert_true(name_canonical(words, &again));
    assert_true(again.hash == name.hash);
}

/* The text ends, with its NUL, where readable memory does, and starts where it starts. */
static char *fenced_pages(size_t pages)
{
    char *all = mmap(NULL, (pages + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_true(all != MAP_FAILED);
    assert_int_equal(mprotect(all + PAGE, pages * PAGE, PROT_READ | PROT_WRITE), 0);
    return all + PAGE;
}

static void names_of_every_length_are_read_at_both_ends_of_a_page(void **state)
{
    char *page = fenced_pages(1);

    (void)state;
    for (size_t len = 0; len <= 300; len++) {
        char *end = page + PAGE - 1 - len;

        memset(page, '!', PAGE);
        memset(end, 'Q', len);
        end[len] = '\0';
        assert_as_the_slow_one(end);
        memset(page, '!', PAGE);
        memset(page, 'Q', len);
        page[len] = '\0';
        assert_as_the_slow_one(page);
    }
    munmap(page - PAGE, 3 * PAGE);
}

static void neither_alignment_nor_what_surrounds_a_name_matters(void **state)
{
    char around[512];
    struct name name, first;

    (void)state;
    assert_true(name_canonical("orders-db.internal", &first));
    for (int fill = 1; fill < 256; fill++) {
        for (size_t at = 8; at < 16; at++) {
            memset(around, fill, sizeof(around));
            strcpy(around + at, "Orders-DB.Internal.");
            assert_true(name_canonical(around + at, &name));
            assert_true(name.hash == first.hash);
            assert_int_equal(name.len, first.len);
            assert_memory_equal(name.words, first.words, name_words(&first) * 8);
        }
    }
}

static void every_byte_value_at_every_place_is_read_as_the_slow_one_does(void **state)
{
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        for (size_t at = 0; at < 18; at++) {
            char text[] = "@rders[db.intern`z{";

            text[at] = (char)byte;
            assert_as_the_slow_one(text);
        }
    }
}

static void random_texts_are_read_as_the_slow_one_does(void **state)
{
    uint64_t dice = (uint64_t)time(NULL);

    (void)state;
    print_message("# seed %llu\n", (unsigned long long)dice);
    for (int i = 0; i < 20000; i++) {
        char text[280];
        size_t at = dice_roll(&dice, 8), len = dice_roll(&dice, i % 10 ? 40 : 270);

        for (size_t k = 0; k < len; k++)
            text[at + k] = dice_roll(&dice, 50) ? "aZ.-_09xAz"[dice_roll(&dice, 10)]
                                                : (char)(dice_roll(&dice, 255) + 1);
        text[at + len] = '\0';
        assert_as_the_slow_one(text + at);
    }
}

static void the_longest_name_is_253_bytes_with_or_without_a_dot(void **state)
{
    struct name name;

    (void)state;
    assert_int_equal(strlen(NAME_253), HOMING_NAME_MAX);
    assert_true(name_canonical(NAME_253, &name));
    assert_true(name_canonical(NAME_253 ".", &name));
    assert_int_equal(name.len, HOMING_NAME_MAX);
    assert_false(name_canonical(NAME_253 "z", &name));
    assert_false(name_canonical(NAME_253 "..", &name));
    assert_true(name_valid(NAME_253 "."));
    assert_false(name_valid(NAME_253 "z"));
}

/* A table with four slots per name must not make long chains of names that people really use. */
static void similar_names_spread_over_the_table(void **state)
{
    static uint8_t used[4096 + HOMING_VIEW_PROBES_MAX];
    unsigned longest = 0;

    (void)state;
    for (int i = 0; i < 1024; i++) {
        char text[64];
        struct name name;
        unsigned chain = 0;

        snprintf(text, sizeof(text), "orders-%d.prod.svc.cluster.local", i);
        assert_true(name_canonical(text, &name));
        while (used[(name.hash & 4095) + chain])
            chain++;
        used[(name.hash & 4095) + chain] = 1;
        longest = chain > longest ? chain : longest;
    }
    assert_in_range(longest, 0, HOMING_VIEW_PROBES_MAX / 2);
}

static void a_configuration_may_list_host_names_only(void **state)
{
    static const char *const good[] = {
        "orders-db",
        "a",
        "orders-db.internal",
        "ORDERS.Internal.",
        "_pg._tcp.orders",
        "xn--mnchen-3ya.de",
        "1password.com",
        "3com",
        "0x.a",
        "db-1",
        "10.0.0.db",
        "a.0xfg",
        LABEL_63 ".a",
    };
    static const char *const bad[] = {
        "",         ".",
        "..",       ".a",
        "a..b",     "a..",
        "-a",       "a-",
        "a.-b",     "a-.b",
        "a b",      "a/b",
        "a:5432",   "a%eth0",
        "*.a",      "m\xc3\xbcnchen.de",
        "10.0.0.1", "10.0.0.1.",
        "127.1",    "1",
        "::1",      "0x7f.0x1",
        "a.0x",     "a.0xF0",
        "a.12",     LABEL_63 "x.a",
        "a\tb",     "a\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (!name_valid(good[i]))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (name_valid(bad[i]))
            fail_msg("accepted: %s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hashes_are_those_of_the_protocol),
        TEST(names_of_every_length_are_read_at_both_ends_of_a_page),
        TEST(neither_alignment_nor_what_surrounds_a_name_matters),
        TEST(every_byte_value_at_every_place_is_read_as_the_slow_one_does),
        TEST(random_texts_are_read_as_the_slow_one_does),
        TEST(the_longest_name_is_253_bytes_with_or_without_a_dot),
        TEST(similar_names_spread_over_the_table),
        TEST(a_configuration_may_list_host_names_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
