/* SPDX-License-Identifier: Apache-2.0
 *
 * lookup.c - what is done about one lookup of a managed name: every mode, state, role, family and
 * combination of addresses against the rules, stated a second time here.
 */
#include "config.h"

#include <string.h>
#include <sys/socket.h>

#include "shim/view/lookup.h"
#include "tests/shim/words.h"
#include "tests/support/test.h"

#define NOW 1000000u

static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6};

/* One combination: which texts the writer has, which readers there are. */
struct combination {
    struct view_entry entry;
    struct lookup_question question;
    struct view_address readers[4];
    uint32_t reader_count;
};

static struct combination combination_make(unsigned mode, unsigned state, unsigned bits)
{
    struct combination c = {
        .entry = {.mode = mode, .state = state, .family = bits & 1 ? 6 : 4, .max_stale_ms = 30000},
        .question = {.now_ms = NOW, .turn = bits >> 9 & 3, .all = bits >> 11 & 1},
    };

    c.entry.role = bits & 2 ? VIEW_ROLE_READER : VIEW_ROLE_WRITER;
    c.entry.confirmed_ms = bits & 4 ? NOW - 30001 : NOW - 30000;
    if (bits & 8)
        strcpy(c.entry.text4, "10.0.0.1");
    if (bits & 16)
        strcpy(c.entry.text6, "fd00::1");
    c.question.mapped = bits & 32;
    if (bits & 64)
        c.readers[c.reader_count++] =
            (struct view_address){.address.family = 4, .text = "10.0.0.2", .member = 2};
    if (bits & 128)
        c.readers[c.reader_count++] = (struct view_address){
            .address.family = 6, .text = "fd00::2", .member = bits >> 12 & 1 ? 2 : 4};
    if (bits & 256)
        c.readers[c.reader_count++] =
            (struct view_address){.address.family = 4, .text = "10.0.0.3", .member = 3};
    if (bits >> 13 & 1)
        c.readers[c.reader_count++] =
            (struct view_address){.address.family = 6, .text = "fd00::3", .member = 3};
    return c;
}

static bool is_of_family(const char *text, int family)
{
    return (strchr(text, ':') ? 6 : 4) == family;
}

static bool has(const struct combination *c, bool reader, int family)
{
    if (!reader)
        return (family == 4 ? c->entry.text4 : c->entry.text6)[0] != '\0';
    for (uint32_t i = 0; i < c->reader_count; i++)
        if (is_of_family(c->readers[i].text, family))
            return true;
    return false;
}

static bool asks_for_both(const struct combination *c)
{
    return c->question.family == AF_UNSPEC ||
           (c->question.family == AF_INET6 && c->question.mapped && c->question.all);
}

static int asks_first_for(const struct combination *c)
{
    if (c->question.family == AF_UNSPEC)
        return c->entry.family;
    return c->question.family == AF_INET6 ? 6 : 4;
}

/* Which family the answer must have; 0: none will do. */
static int wanted_family(const struct combination *c, bool reader)
{
    int first = asks_first_for(c);
    bool other =
        c->question.family == AF_UNSPEC || (c->question.family == AF_INET6 && c->question.mapped);

    if (has(c, reader, first))
        return first;
    return other && has(c, reader, 10 - first) ? 10 - first : 0;
}

static uint16_t member_of(const struct combination *c, const char *text)
{
    for (uint32_t i = 0; i < c->reader_count; i++)
        if (c->readers[i].text == text)
            return c->readers[i].member;
    return UINT16_MAX;
}

/* Where both families are asked for, and there are both, each is answered once. */
static void other_check(const struct combination *c, const struct lookup_texts *texts, bool reader)
{
    int family = is_of_family(texts->text, 6) ? 6 : 4;

    if (!asks_for_both(c) || !has(c, reader, 10 - family)) {
        assert_null(texts->other);
        return;
    }
    assert_non_null(texts->other);
    assert_true(is_of_family(texts->other, 10 - family));
    assert_int_equal(texts->one_member,
                     !reader || member_of(c, texts->text) == member_of(c, texts->other));
}

static void combination_check(const struct combination *c)
{
    struct lookup_texts texts = {0};
    enum lookup_action action =
        lookup_decide(&c->entry, &c->question, c->readers, c->reader_count, &texts);
    bool stale = c->entry.state == VIEW_STATE_STALE || c->entry.confirmed_ms + 30000 < NOW;
    bool reader = c->entry.role == VIEW_ROLE_READER && wanted_family(c, true);
    int family = wanted_family(c, reader);

    if (c->entry.mode < VIEW_MODE_NAMES || c->entry.state == VIEW_STATE_UNKNOWN) {
        assert_word(lookup_action, action, LOOKUP_PASS);
    } else if (family) {
        assert_word(lookup_action, action, stale ? LOOKUP_VERIFY : LOOKUP_ANSWER);
        if (!reader || !asks_for_both(c))
            assert_true(is_of_family(texts.text, family));
        assert_int_equal(reader, member_of(c, texts.text) != UINT16_MAX);
        other_check(c, &texts, reader);
    } else if (stale || !(has(c, false, 4) || has(c, false, 6))) {
        assert_word(lookup_action, action, LOOKUP_PASS);
    } else {
        assert_word(lookup_action, action, LOOKUP_NONAME);
        assert_true(is_of_family(texts.text, c->question.family == AF_INET ? 6 : 4));
    }
}

static void every_combination_is_decided_by_the_rules(void **state)
{
    (void)state;
    for (unsigned mode = VIEW_MODE_OFF; mode < VIEW_MODE_COUNT; mode++)
        for (unsigned view_state = 0; view_state < VIEW_STATE_COUNT; view_state++)
            for (unsigned bits = 0; bits < 1u << 14; bits++)
                for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++) {
                    struct combination c = combination_make(mode, view_state, bits);

                    c.question.family = families[f];
                    combination_check(&c);
                }
}

static void decide(const struct combination *c, struct lookup_texts *ret)
{
    assert_word(lookup_action,
                lookup_decide(&c->entry, &c->question, c->readers, c->reader_count, ret),
                LOOKUP_ANSWER);
}

static void readers_of_a_family_take_turns(void **state)
{
    struct combination c =
        combination_make(VIEW_MODE_NAMES, VIEW_STATE_STEADY, 2 | 8 | 64 | 128 | 256);
    struct lookup_texts texts;

    (void)state;
    for (uint32_t turn = 0; turn < 8; turn++) {
        c.question.family = AF_INET;
        c.question.turn = turn;
        decide(&c, &texts);
        assert_string_equal(texts.text, turn % 2 ? "10.0.0.3" : "10.0.0.2");
    }
    c.question.turn = UINT32_MAX;
    decide(&c, &texts);
}

/* Both addresses are of one reader where it has both, and a reader with one family has its turn,
 * too. Beside it stands another one's address, for a network that has no other route. */
static void readers_are_answered_with_both_of_their_addresses(void **state)
{
    static const char *const wanted[][2] = {
        {"10.0.0.1", "fd00::1"}, {"fd00::2", "10.0.0.3"}, {"10.0.0.3", "fd00::2"}};
    struct combination c = combination_make(VIEW_MODE_NAMES, VIEW_STATE_STEADY, 2 | 8);
    const struct view_address readers[] = {
        {.address.family = 4, .text = "10.0.0.1", .member = 1},
        {.address.family = 6, .text = "fd00::1", .member = 1},
        {.address.family = 6, .text = "fd00::2", .member = 2},
        {.address.family = 4, .text = "10.0.0.3", .member = 3},
    };
    struct lookup_texts texts;

    (void)state;
    c.question.family = AF_UNSPEC;
    for (uint32_t turn = 0; turn < 9; turn++) {
        c.question.turn = turn;
        assert_word(lookup_action, lookup_decide(&c.entry, &c.question, readers, 4, &texts),
                    LOOKUP_ANSWER);
        assert_string_equal(texts.text, wanted[turn % 3][0]);
        assert_int_equal(texts.one_member, turn % 3 == 0);
        if (turn % 3 == 0)
            assert_string_equal(texts.other, wanted[0][1]);
        assert_true(is_of_family(texts.other, is_of_family(texts.text, 4) ? 6 : 4));
    }
}

static void a_demoted_address_is_known_in_both_forms_of_ipv4(void **state)
{
    const struct view_address demoted[] = {
        {.address = {.family = 4, .bytes = {10, 0, 0, 9}}},
        {.address = {.family = 6, .bytes = {0xfd, [15] = 9}}},
    };
    const uint8_t four[16] = {10, 0, 0, 9}, other4[16] = {10, 0, 0, 8};
    const uint8_t mapped[16] = {[10] = 0xff, 0xff, 10, 0, 0, 9}, six[16] = {0xfd, [15] = 9};
    const uint8_t mapped_other[16] = {[10] = 0xff, 0xff, 10, 0, 0, 8},
                  other6[16] = {0xfd, [15] = 8};

    (void)state;
    assert_true(lookup_is_demoted(AF_INET, four, demoted, 2));
    assert_true(lookup_is_demoted(AF_INET6, mapped, demoted, 2));
    assert_true(lookup_is_demoted(AF_INET6, six, demoted, 2));
    assert_false(lookup_is_demoted(AF_INET, other4, demoted, 2));
    assert_false(lookup_is_demoted(AF_INET6, mapped_other, demoted, 2));
    assert_false(lookup_is_demoted(AF_INET6, other6, demoted, 2));
    assert_false(lookup_is_demoted(AF_INET6, four, demoted, 2));
    assert_false(lookup_is_demoted(AF_UNIX, four, demoted, 2));
    assert_false(lookup_is_demoted(AF_INET, four, demoted, 0));
}

static void addresses_are_told_from_names_at_a_glance(void **state)
{
    static const char *const literals[] = {
        "", "1", "127.0.0.1", "010.1", "::1", "fe80::1%lo", "::", "ABCD::1", "a:b", "1.2.", ":"};
    static const char *const names[] = {"a",       "db",      "1db",  "db1",   "1.2.3.4x", "0x7f.1",
                                        "abc.def", "fade.be", "10.a", "x:y:z", "-1"};

    (void)state;
    for (size_t i = 0; i < sizeof(literals) / sizeof(literals[0]); i++)
        assert_true(lookup_is_literal(literals[i]));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_false(lookup_is_literal(names[i]));
}

static void every_action_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < LOOKUP_ACTION_COUNT; i++)
        assert_string_not_equal(lookup_action_name(i), "invalid");
    assert_string_equal(lookup_action_name(LOOKUP_ACTION_COUNT), "invalid");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_combination_is_decided_by_the_rules),
        TEST(readers_of_a_family_take_turns),
        TEST(readers_are_answered_with_both_of_their_addresses),
        TEST(a_demoted_address_is_known_in_both_forms_of_ipv4),
        TEST(addresses_are_told_from_names_at_a_glance),
        TEST(every_action_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
