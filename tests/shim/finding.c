/* SPDX-License-Identifier: Apache-2.0
 *
 * finding.c - what one name has to do with a destination: every mode, state, role and destination
 * against the rules, stated a second time here.
 */
#include "config.h"

#include <string.h>

#include "proto/view_write.h"
#include "shim/steer/finding.h"
#include "tests/shim/words.h"
#include "tests/support/test.h"

#define NOW  1000000u
#define PORT 5432

/* Three members: 0 has two IPv4 addresses and an IPv6 one, 1 both families at another port, 2 only
 * IPv4. Address bytes are the member's number and which of its addresses. */
static const struct {
    uint8_t member, which, family;
    uint16_t port;
    const char *text;
} addresses[] = {
    {0, 0, 4, PORT, "10.0.0.0"},     {0, 1, 4, PORT, "10.0.0.1"},      {0, 2, 6, PORT, "fd00::2"},
    {1, 0, 4, PORT + 1, "10.0.1.0"}, {1, 1, 6, PORT + 1, "fd00::101"}, {2, 0, 4, PORT, "10.0.2.0"},
};
enum {
    ADDRESSES = sizeof(addresses) / sizeof(addresses[0])
};

static struct inet_address address_of(unsigned i)
{
    struct inet_address to = {.family = addresses[i].family, .port = addresses[i].port};

    to.bytes[2] = addresses[i].member;
    to.bytes[3] = addresses[i].which;
    return to;
}

/* Members 0 to 2 with these flags, in three groups of three bits. */
static void members_make(unsigned flags, struct view_address ret[ADDRESSES])
{
    memset(ret, 0, ADDRESSES * sizeof(*ret));
    for (unsigned i = 0; i < ADDRESSES; i++) {
        ret[i].address = address_of(i);
        ret[i].member = addresses[i].member;
        ret[i].flags = flags >> 3 * addresses[i].member & 7;
        strcpy(ret[i].text, addresses[i].text);
    }
}

/* An answer that names the second IPv4 address of member 0, or what the others have. */
static struct view_entry entry_make(unsigned mode, unsigned state, unsigned writer)
{
    struct view_entry entry = {.mode = mode,
                               .state = state,
                               .family = 4,
                               .port = writer == 1 ? PORT + 1 : PORT,
                               .confirmed_ms = NOW - 30000,
                               .max_stale_ms = 30000,
                               .hold_ms = 2000,
                               .endpoint = 7,
                               .generation = 3};

    strcpy(entry.text4, writer == 0 ? "10.0.0.1" : writer == 1 ? "10.0.1.0" : "10.0.2.0");
    strcpy(entry.text6, writer == 0 ? "fd00::2" : writer == 1 ? "fd00::101" : "");
    return entry;
}

/* A view with one cluster, as an agent writes it. */
static _Alignas(4096) unsigned char view[256 * 1024];
static struct view_writer publisher;
static struct view_map map;

static void view_make(const struct view_address *members, uint32_t count)
{
    size_t size = view_size(HOMING_VIEW_SLOTS_MIN, 1, 0);

    if (!map.header) {
        assert_true(size <= sizeof(view));
        view_write_init(&publisher, view, size, HOMING_VIEW_SLOTS_MIN, 1, 7);
        assert_true(view_map_check(view, size, &map));
    }
    view_write_members(&publisher, 0, members, count);
}

static bool is_idle; /* what was found last */

static enum finding_kind find(struct finding_question *question, const struct view_entry *entry,
                              const struct view_address *members, uint32_t count,
                              struct inet_address *ret_right)
{
    struct finding finding;

    view_make(members, count);
    question->entry = entry;
    question->map = &map;
    finding_make(question, &finding);
    is_idle = finding.idle;
    if (finding.kind == FINDING_WRONG)
        *ret_right = finding.right;
    return finding.kind;
}

static enum finding_kind ask(const struct view_entry *entry, unsigned flags,
                             const struct inet_address *to, struct inet_address *ret)
{
    struct finding_question question = {.to = to, .now_ms = NOW};
    struct view_address members[ADDRESSES];

    members_make(flags, members);
    return find(&question, entry, members, ADDRESSES, ret);
}

static bool acts(unsigned mode)
{
    return mode == VIEW_MODE_OBSERVE || mode == VIEW_MODE_CONNECT || mode == VIEW_MODE_SEVER;
}

static void what_a_writer_endpoint_finds_is_what_the_table_says(void **test)
{
    (void)test;
    for (unsigned mode = VIEW_MODE_OFF; mode < VIEW_MODE_COUNT; mode++)
        for (unsigned state = 0; state < VIEW_STATE_COUNT; state++)
            for (unsigned writer = 0; writer < 3; writer++)
                for (unsigned i = 0; i < ADDRESSES; i++)
                    for (unsigned demoted = 0; demoted < 8; demoted++) {
                        struct view_entry entry = entry_make(mode, state, writer);
                        struct inet_address to = address_of(i), got = {.port = 1};
                        unsigned flags = 1u << 3 * writer, member = addresses[i].member;
                        bool has_family = writer != 2 || to.family == 4;

                        for (unsigned m = 0; m < 3; m++)
                            if (m != writer && demoted >> m & 1)
                                flags |= VIEW_MEMBER_DEMOTED << 3 * m;
                        enum finding_kind kind = ask(&entry, flags, &to, &got);

                        assert_int_equal(is_idle, !acts(mode)); /* and what would be is found */
                        if (state == VIEW_STATE_UNKNOWN || state == VIEW_STATE_STALE)
                            assert_word(finding_kind, kind, FINDING_RIGHT);
                        else if (state == VIEW_STATE_NO_WRITER)
                            assert_word(finding_kind, kind, FINDING_NO_WRITER);
                        else if (member == writer)
                            assert_word(finding_kind, kind, FINDING_RIGHT);
                        else if (has_family)
                            assert_word(finding_kind, kind, FINDING_WRONG);
                        else
                            assert_word(finding_kind, kind,
                                        demoted >> member & 1 ? FINDING_NO_FAMILY : FINDING_RIGHT);
                        if (kind != FINDING_WRONG)
                            continue;
                        /* The address that lookups are told, at the writer's port. */
                        assert_int_equal(got.family, to.family);
                        assert_int_equal(got.port, writer == 1 ? PORT + 1 : PORT);
                        assert_int_equal(got.bytes[2], writer);
                        assert_int_equal(got.bytes[3], writer == 0   ? (to.family == 4 ? 1 : 2)
                                                       : writer == 1 ? (to.family == 4 ? 0 : 1)
                                                                     : 0);
                    }
}

static void what_a_reader_endpoint_finds_is_what_the_table_says(void **test)
{
    (void)test;
    for (unsigned flags = 0; flags < 512; flags++)
        for (unsigned i = 0; i < ADDRESSES; i++)
            for (unsigned state = 0; state < VIEW_STATE_COUNT; state++) {
                struct view_entry entry = entry_make(VIEW_MODE_CONNECT, state, 0);
                struct inet_address to = address_of(i), got = {.port = 1};
                unsigned own = flags >> 3 * addresses[i].member & 7;
                bool other = false;
                enum finding_kind kind;

                entry.role = VIEW_ROLE_READER;
                for (unsigned j = 0; j < ADDRESSES; j++)
                    other |= addresses[j].family == to.family &&
                             flags >> 3 * addresses[j].member & VIEW_MEMBER_READER;
                kind = ask(&entry, flags, &to, &got);
                if (state == VIEW_STATE_UNKNOWN || state == VIEW_STATE_STALE ||
                    own & (VIEW_MEMBER_READER | VIEW_MEMBER_WRITER) || !other) {
                    assert_word(finding_kind, kind, FINDING_RIGHT);
                    continue;
                }
                assert_word(finding_kind, kind, FINDING_WRONG);
                assert_int_equal(got.family, to.family);
                assert_true(flags >> 3 * got.bytes[2] & VIEW_MEMBER_READER);
            }
}

static void readers_take_turns(void **test)
{
    struct view_entry entry = entry_make(VIEW_MODE_CONNECT, VIEW_STATE_STEADY, 2);
    struct inet_address to = address_of(5), got = {0};
    struct view_address members[ADDRESSES];
    unsigned seen = 0;

    (void)test;
    entry.role = VIEW_ROLE_READER;
    members_make(VIEW_MEMBER_READER | VIEW_MEMBER_READER << 3, members);
    for (uint32_t turn = 0; turn < 3; turn++) {
        struct finding_question question = {.to = &to, .now_ms = NOW, .turn = turn};

        assert_word(finding_kind, find(&question, &entry, members, ADDRESSES, &got), FINDING_WRONG);
        seen |= 1u << (got.bytes[2] * 2 + got.bytes[3]);
    }
    assert_int_equal(seen, 7);
}

static void a_port_of_no_member_is_elsewhere_in_every_mode(void **test)
{
    (void)test;
    for (unsigned mode = VIEW_MODE_OFF; mode < VIEW_MODE_COUNT; mode++)
        for (unsigned i = 0; i < ADDRESSES; i++) {
            struct view_entry entry = entry_make(mode, VIEW_STATE_STEADY, 0);
            struct inet_address to = address_of(i), got;

            to.port = 22;
            assert_word(finding_kind, ask(&entry, 1, &to, &got), FINDING_ELSEWHERE);
        }
}

static void a_member_is_its_address_and_its_port(void **test)
{
    struct view_entry entry = entry_make(VIEW_MODE_CONNECT, VIEW_STATE_STEADY, 1);
    struct inet_address to = address_of(3), got;

    (void)test;
    to.port = PORT; /* the writer's address with another member's port */
    assert_word(finding_kind, ask(&entry, 1 << 3, &to, &got), FINDING_WRONG);
    assert_int_equal(got.port, PORT + 1);
    assert_memory_equal(got.bytes, to.bytes, 16);
}

static void the_writer_is_told_by_its_port_from_a_member_with_its_address(void **test)
{
    struct view_entry entry = entry_make(VIEW_MODE_CONNECT, VIEW_STATE_STEADY, 1);
    struct view_address members[2] = {0};
    struct inet_address to, got;

    (void)test;
    for (uint16_t i = 0; i < 2; i++) {
        members[i].address = address_of(3);
        members[i].address.port = (uint16_t)(PORT + i);
        members[i].member = i;
        strcpy(members[i].text, entry.text4);
    }
    to = members[0].address;
    assert_word(
        finding_kind,
        find(&(struct finding_question){.to = &to, .now_ms = NOW}, &entry, members, 2, &got),
        FINDING_WRONG);
    assert_int_equal(got.port, PORT + 1);
}

static void at_another_port_of_the_endpoint_a_member_is_its_host_and_the_port_is_kept(void **test)
{
    (void)test;
    for (unsigned role = 0; role < VIEW_ROLE_COUNT; role++)
        for (unsigned i = 0; i < ADDRESSES; i++) {
            struct view_entry entry = entry_make(VIEW_MODE_CONNECT, VIEW_STATE_STEADY, 1);
            unsigned writer = (VIEW_MEMBER_WRITER | VIEW_MEMBER_READER) << 3;
            struct inet_address to = address_of(i), got = {0};
            enum finding_kind kind;

            entry.role = role;
            entry.ports = 22 | (uint64_t)6432 << 48;
            to.port = 6432;
            kind = ask(&entry, writer, &to, &got);
            assert_word(finding_kind, kind,
                        addresses[i].member == 1 ? FINDING_RIGHT : FINDING_WRONG);
            if (kind != FINDING_WRONG)
                continue;
            assert_int_equal(got.port, 6432);
            assert_int_equal(got.family, to.family);
            assert_int_equal(got.bytes[2], 1);
            to.port = 6433;
            assert_word(finding_kind, ask(&entry, writer, &to, &got), FINDING_ELSEWHERE);
        }
}

static void another_port_of_a_host_with_two_members_is_the_writers_too(void **test)
{
    struct view_entry entry = entry_make(VIEW_MODE_CONNECT, VIEW_STATE_STEADY, 1);
    struct view_address members[2] = {{.address = address_of(3), .flags = VIEW_MEMBER_DEMOTED},
                                      {.address = address_of(3), .member = 1}};
    struct inet_address to = address_of(3), got;

    (void)test;
    entry.ports = 6432;
    to.port = 6432;
    members[0].address.port = PORT;
    for (int i = 0; i < 2; i++)
        strcpy(members[i].text, entry.text4);
    assert_word(
        finding_kind,
        find(&(struct finding_question){.to = &to, .now_ms = NOW}, &entry, members, 2, &got),
        FINDING_RIGHT);
}

static void what_is_no_members_address_is_left_alone(void **test)
{
    struct view_entry entry = entry_make(VIEW_MODE_CONNECT, VIEW_STATE_STEADY, 2);
    struct inet_address to = {.bytes = {192, 0, 2, 1}, .family = 4, .port = PORT}, got;

    (void)test;
    for (unsigned role = 0; role < VIEW_ROLE_COUNT; role++)
        for (unsigned state = 0; state < VIEW_STATE_COUNT; state++) {
            entry.role = role;
            entry.state = state;
            for (to.family = 4; to.family <= 6; to.family += 2)
                assert_word(finding_kind, ask(&entry, 1 << 6 | VIEW_MEMBER_READER, &to, &got),
                            FINDING_RIGHT);
        }
}

static void an_answer_that_is_no_members_leaves_it_to_the_flags(void **test)
{
    struct view_entry entry = entry_make(VIEW_MODE_CONNECT, VIEW_STATE_STEADY, 0);
    struct inet_address to = address_of(5), got = {0};

    (void)test;
    strcpy(entry.text4, "10.9.9.9");
    strcpy(entry.text6, "");
    assert_word(finding_kind, ask(&entry, 1 << 3, &to, &got), FINDING_WRONG);
    assert_int_equal(got.bytes[2], 1);
    assert_word(finding_kind, ask(&entry, 0, &to, &got), FINDING_RIGHT);
}

/* V1, V2: what was concluded from the addresses before it is void, as if the list had changed. */
static void a_list_that_cannot_be_read_to_its_end_is_a_list_without_any(void **test)
{
    struct view_entry entry = entry_make(VIEW_MODE_CONNECT, VIEW_STATE_STEADY, 0);
    struct view_address members[2] = {{.address = address_of(3), .flags = VIEW_MEMBER_DEMOTED},
                                      {.address = {.family = 6}, .member = 1}};
    struct inet_address to = address_of(3), got = {0};
    struct finding_question question = {.to = &to, .now_ms = NOW};

    (void)test;
    strcpy(entry.text4, "");
    strcpy(entry.text6, "");
    members[1].flags = VIEW_MEMBER_WRITER;
    assert_word(finding_kind, find(&question, &entry, members, 2, &got), FINDING_NO_FAMILY);
    members[1].address.family = 9;
    assert_word(finding_kind, find(&question, &entry, members, 2, &got), FINDING_ELSEWHERE);
    entry.port = to.port;
    assert_word(finding_kind, find(&question, &entry, members, 2, &got), FINDING_RIGHT);
}

static void findings_are_the_same_if_they_say_the_same(void **test)
{
    struct finding a = {.kind = FINDING_WRONG, .mode = VIEW_MODE_CONNECT, .hold_ms = 5}, b;

    (void)test;
    a.right = address_of(0);
    b = a;
    b.stamp = b.endpoint = b.generation = b.keepalive_ms = 9; /* of whom it is said */
    assert_true(finding_same(&a, &b));
    b.right = address_of(1);
    assert_false(finding_same(&a, &b));
    a.kind = b.kind = FINDING_RIGHT; /* whatever stands there */
    assert_true(finding_same(&a, &b));
    b.role = VIEW_ROLE_READER;
    assert_false(finding_same(&a, &b));
    b = a;
    b.mode = VIEW_MODE_OBSERVE;
    assert_false(finding_same(&a, &b));
    b = a;
    b.hold_ms = 6;
    assert_false(finding_same(&a, &b));
    b = a;
    b.idle = true;
    assert_false(finding_same(&a, &b));
    a.kind = b.kind = FINDING_FOREIGN;
    assert_true(finding_same(&a, &b));
}

static void a_view_without_members_leaves_all_alone(void **test)
{
    struct view_entry entry = entry_make(VIEW_MODE_SEVER, VIEW_STATE_STEADY, 0);
    struct inet_address to = address_of(5), got = {0};
    struct finding_question question = {.to = &to, .now_ms = NOW};

    (void)test;
    assert_int_equal(find(&question, &entry, NULL, 0, &got), FINDING_RIGHT);
}

static void a_name_that_the_view_does_not_have_is_foreign(void **test)
{
    struct finding finding;

    (void)test;
    finding_make_foreign(7, &finding);
    assert_word(finding_kind, finding.kind, FINDING_FOREIGN);
    assert_int_equal(finding.stamp, 7);
}

static void a_finding_carries_what_the_view_has_for_the_name(void **test)
{
    struct view_entry entry = entry_make(VIEW_MODE_OBSERVE, VIEW_STATE_STEADY, 0);
    struct inet_address to = address_of(0);
    struct finding_question question = {.to = &to, .now_ms = NOW};
    struct finding finding;

    (void)test;
    entry.role = VIEW_ROLE_READER;
    entry.keepalive_ms = 5000;
    view_make(NULL, 0);
    question.entry = &entry;
    question.map = &map;
    finding_make(&question, &finding);
    assert_int_equal(finding.mode, VIEW_MODE_OBSERVE);
    assert_int_equal(finding.role, VIEW_ROLE_READER);
    assert_int_equal(finding.endpoint, 7);
    assert_int_equal(finding.generation, 3);
    assert_int_equal(finding.hold_ms, 2000);
    assert_int_equal(finding.keepalive_ms, 5000);
}

static void every_kind_is_a_word(void **test)
{
    (void)test;
    for (int i = 0; i < FINDING_KIND_COUNT; i++)
        assert_string_not_equal(finding_kind_name((enum finding_kind)i), "invalid");
    assert_string_equal(finding_kind_name(FINDING_KIND_COUNT), "invalid");
}

/* W11: a member has left it. Nobody's index is not the writer's, even while lookups are still
 * answered with the address. */
static void a_left_address_is_wrong_and_nobodys_index_is_not_the_writers(void **state)
{
    struct view_address members[ADDRESSES + 1];
    struct finding_question question = {.to = &members[ADDRESSES].address, .now_ms = NOW - 1};
    struct view_entry entry = entry_make(VIEW_MODE_SEVER, VIEW_STATE_STEADY, 0);
    struct inet_address right;

    (void)state;
    members_make(VIEW_MEMBER_WRITER, members);
    members[ADDRESSES] = (struct view_address){
        .address = {.family = 4, .port = PORT, .bytes = {10, 0, 9, 9}},
        .member = VIEW_MEMBER_NOBODY,
        .flags = VIEW_MEMBER_DEMOTED,
        .text = "10.0.9.9",
    };
    for (int answered = 0; answered < 2; answered++) {
        if (answered) {
            strcpy(entry.text4, "10.0.9.9");
            entry.text6[0] = '\0';
        }
        assert_int_equal(find(&question, &entry, members, ADDRESSES + 1, &right), FINDING_WRONG);
        assert_int_equal(right.bytes[2], 0);
    }
}

/* Given for no name: it is meant while its old data set is known to be there, in every state. */
static void a_left_address_is_assumed_only_while_its_data_set_answers_there(void **state)
{
    struct view_address members[ADDRESSES + 1];
    struct finding_question question = {
        .to = &members[ADDRESSES].address, .now_ms = NOW - 1, .assumed = true};
    struct inet_address right;

    (void)state;
    members_make(VIEW_MEMBER_WRITER, members);
    members[ADDRESSES] = (struct view_address){
        .address = {.family = 4, .port = PORT, .bytes = {10, 0, 9, 9}},
        .member = VIEW_MEMBER_NOBODY,
        .text = "10.0.9.9",
    };
    for (unsigned seen = 0; seen < VIEW_STATE_COUNT; seen++) {
        struct view_entry entry = entry_make(VIEW_MODE_SEVER, seen, 0);

        members[ADDRESSES].flags = VIEW_MEMBER_DEMOTED;
        assert_int_equal(find(&question, &entry, members, ADDRESSES + 1, &right),
                         FINDING_ELSEWHERE);
        members[ADDRESSES].flags |= VIEW_MEMBER_STILL;
        assert_int_not_equal(find(&question, &entry, members, ADDRESSES + 1, &right),
                             FINDING_ELSEWHERE);
    }
    question.to = &members[2].address; /* a member's own needs no flag */
    members[2].flags = 0;
    struct view_entry entry = entry_make(VIEW_MODE_SEVER, VIEW_STATE_STEADY, 1);
    assert_int_equal(find(&question, &entry, members, ADDRESSES + 1, &right), FINDING_WRONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_a_writer_endpoint_finds_is_what_the_table_says),
        TEST(what_a_reader_endpoint_finds_is_what_the_table_says),
        TEST(readers_take_turns),
        TEST(a_port_of_no_member_is_elsewhere_in_every_mode),
        TEST(a_member_is_its_address_and_its_port),
        TEST(the_writer_is_told_by_its_port_from_a_member_with_its_address),
        TEST(at_another_port_of_the_endpoint_a_member_is_its_host_and_the_port_is_kept),
        TEST(another_port_of_a_host_with_two_members_is_the_writers_too),
        TEST(what_is_no_members_address_is_left_alone),
        TEST(an_answer_that_is_no_members_leaves_it_to_the_flags),
        TEST(a_list_that_cannot_be_read_to_its_end_is_a_list_without_any),
        TEST(findings_are_the_same_if_they_say_the_same),
        TEST(a_left_address_is_wrong_and_nobodys_index_is_not_the_writers),
        TEST(a_left_address_is_assumed_only_while_its_data_set_answers_there),
        TEST(a_view_without_members_leaves_all_alone),
        TEST(a_name_that_the_view_does_not_have_is_foreign),
        TEST(a_finding_carries_what_the_view_has_for_the_name),
        TEST(every_kind_is_a_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
