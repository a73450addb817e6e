/* SPDX-License-Identifier: Apache-2.0
 *
 * redirect.c - what is done about one connect: every mode, state, role and destination against the
 * rules, stated a second time here; then every pair and triple of names that claim one address.
 */
#include "config.h"

#include <string.h>

#include "shim/redirect.h"
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

static struct redirect_address address_of(unsigned i)
{
    struct redirect_address to = {.family = addresses[i].family, .port = addresses[i].port};

    to.bytes[2] = addresses[i].member;
    to.bytes[3] = addresses[i].which;
    return to;
}

/* Members 0 to 2 with these flags, in three groups of three bits. */
static void members_make(unsigned flags, struct view_address ret[ADDRESSES])
{
    memset(ret, 0, ADDRESSES * sizeof(*ret));
    for (unsigned i = 0; i < ADDRESSES; i++) {
        struct redirect_address at = address_of(i);

        memcpy(ret[i].bytes, at.bytes, 16);
        ret[i].family = at.family;
        ret[i].port = at.port;
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

static enum redirect_claim ask(const struct view_entry *entry, unsigned flags,
                               const struct redirect_address *to, struct redirect_address *ret)
{
    struct redirect_question question = {.to = to, .now_ms = NOW};
    struct view_address members[ADDRESSES];

    members_make(flags, members);
    return redirect_claim(&question, entry, members, ADDRESSES, ret);
}

static bool acts(unsigned mode)
{
    return mode == VIEW_MODE_OBSERVE || mode == VIEW_MODE_CONNECT || mode == VIEW_MODE_SEVER;
}

static void what_a_writer_endpoint_claims_is_what_the_table_says(void **test)
{
    (void)test;
    for (unsigned mode = VIEW_MODE_OFF; mode < VIEW_MODE_COUNT; mode++)
        for (unsigned state = 0; state < VIEW_STATE_COUNT; state++)
            for (unsigned writer = 0; writer < 3; writer++)
                for (unsigned i = 0; i < ADDRESSES; i++)
                    for (unsigned demoted = 0; demoted < 8; demoted++) {
                        struct view_entry entry = entry_make(mode, state, writer);
                        struct redirect_address to = address_of(i), got = {.port = 1};
                        unsigned flags = 1u << 3 * writer, member = addresses[i].member;
                        bool has_family = writer != 2 || to.family == 4;

                        for (unsigned m = 0; m < 3; m++)
                            if (m != writer && demoted >> m & 1)
                                flags |= VIEW_MEMBER_DEMOTED << 3 * m;
                        enum redirect_claim claim = ask(&entry, flags, &to, &got);

                        if (!acts(mode))
                            assert_int_equal(claim, REDIRECT_STRANGE);
                        else if (state == VIEW_STATE_UNKNOWN || state == VIEW_STATE_STALE)
                            assert_int_equal(claim, REDIRECT_RIGHT);
                        else if (state == VIEW_STATE_NO_WRITER)
                            assert_int_equal(claim, REDIRECT_NO_WRITER);
                        else if (member == writer)
                            assert_int_equal(claim, REDIRECT_RIGHT);
                        else if (has_family)
                            assert_int_equal(claim, REDIRECT_WRONG);
                        else
                            assert_int_equal(claim, demoted >> member & 1 ? REDIRECT_NO_FAMILY
                                                                          : REDIRECT_RIGHT);
                        if (claim != REDIRECT_WRONG)
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

static void what_a_reader_endpoint_claims_is_what_the_table_says(void **test)
{
    (void)test;
    for (unsigned flags = 0; flags < 512; flags++)
        for (unsigned i = 0; i < ADDRESSES; i++)
            for (unsigned state = 0; state < VIEW_STATE_COUNT; state++) {
                struct view_entry entry = entry_make(VIEW_MODE_CONNECT, state, 0);
                struct redirect_address to = address_of(i), got = {.port = 1};
                unsigned own = flags >> 3 * addresses[i].member & 7;
                bool other = false;
                enum redirect_claim claim;

                entry.role = VIEW_ROLE_READER;
                for (unsigned j = 0; j < ADDRESSES; j++)
                    other |= addresses[j].family == to.family &&
                             flags >> 3 * addresses[j].member & VIEW_MEMBER_READER;
                claim = ask(&entry, flags, &to, &got);
                if (state == VIEW_STATE_UNKNOWN || state == VIEW_STATE_STALE ||
                    own & (VIEW_MEMBER_READER | VIEW_MEMBER_WRITER) || !other) {
                    assert_int_equal(claim, REDIRECT_RIGHT);
                    continue;
                }
                assert_int_equal(claim, REDIRECT_WRONG);
                assert_int_equal(got.family, to.family);
                assert_true(flags >> 3 * got.bytes[2] & VIEW_MEMBER_READER);
            }
}

static void readers_take_turns(void **test)
{
    struct view_entry entry = entry_make(VIEW_MODE_CONNECT, VIEW_STATE_STEADY, 2);
    struct redirect_address to = address_of(5), got;
    struct view_address members[ADDRESSES];
    unsigned seen = 0;

    (void)test;
    entry.role = VIEW_ROLE_READER;
    members_make(VIEW_MEMBER_READER | VIEW_MEMBER_READER << 3, members);
    for (uint32_t turn = 0; turn < 3; turn++) {
        struct redirect_question question = {.to = &to, .now_ms = NOW, .turn = turn};

        assert_int_equal(redirect_claim(&question, &entry, members, ADDRESSES, &got),
                         REDIRECT_WRONG);
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
            struct redirect_address to = address_of(i), got;

            to.port = 22;
            assert_int_equal(ask(&entry, 1, &to, &got), REDIRECT_ELSEWHERE);
        }
}

static void a_member_is_its_address_and_its_port(void **test)
{
    struct view_entry entry = entry_make(VIEW_MODE_CONNECT, VIEW_STATE_STEADY, 1);
    struct redirect_address to = address_of(3), got;

    (void)test;
    to.port = PORT; /* the writer's address with another member's port */
    assert_int_equal(ask(&entry, 1 << 3, &to, &got), REDIRECT_WRONG);
    assert_int_equal(got.port, PORT + 1);
    assert_memory_equal(got.bytes, to.bytes, 16);
}

static void what_is_no_members_address_is_wrong_but_never_refused(void **test)
{
    struct view_entry entry = entry_make(VIEW_MODE_CONNECT, VIEW_STATE_STEADY, 2);
    struct redirect_address to = {.bytes = {192, 0, 2, 1}, .family = 4, .port = PORT}, got;

    (void)test;
    assert_int_equal(ask(&entry, 1 << 6, &to, &got), REDIRECT_WRONG);
    to.family = 6;
    assert_int_equal(ask(&entry, 1 << 6, &to, &got), REDIRECT_RIGHT);
}

static void an_answer_that_is_no_members_leaves_it_to_the_flags(void **test)
{
    struct view_entry entry = entry_make(VIEW_MODE_CONNECT, VIEW_STATE_STEADY, 0);
    struct redirect_address to = address_of(5), got;

    (void)test;
    strcpy(entry.text4, "10.9.9.9");
    strcpy(entry.text6, "");
    assert_int_equal(ask(&entry, 1 << 3, &to, &got), REDIRECT_WRONG);
    assert_int_equal(got.bytes[2], 1);
    assert_int_equal(ask(&entry, 0, &to, &got), REDIRECT_RIGHT);
}

static void a_view_without_members_leaves_all_alone(void **test)
{
    struct view_entry entry = entry_make(VIEW_MODE_SEVER, VIEW_STATE_STEADY, 0);
    struct redirect_address to = address_of(5), got;
    struct redirect_question question = {.to = &to, .now_ms = NOW};

    (void)test;
    assert_int_equal(redirect_claim(&question, &entry, NULL, 0, &got), REDIRECT_RIGHT);
    assert_int_equal(redirect_claim(&question, NULL, NULL, 0, &got), REDIRECT_STRANGE);
}

/* One name of an address, for what is decided from several. */
struct name_case {
    enum redirect_claim claim;
    enum view_role role;
    unsigned mode, target;
};

/* All that differ in what they make the decision depend on. */
static unsigned cases_make(struct name_case ret[64])
{
    static const unsigned modes[] = {VIEW_MODE_OBSERVE, VIEW_MODE_CONNECT};
    unsigned n = 0;

    ret[n++] = (struct name_case){.claim = REDIRECT_ELSEWHERE, .mode = VIEW_MODE_CONNECT};
    ret[n++] = (struct name_case){.claim = REDIRECT_STRANGE, .mode = VIEW_MODE_NAMES};
    for (unsigned m = 0; m < 2; m++)
        for (unsigned role = 0; role < VIEW_ROLE_COUNT; role++) {
            ret[n++] = (struct name_case){REDIRECT_RIGHT, role, modes[m], 0};
            ret[n++] = (struct name_case){REDIRECT_WRONG, role, modes[m], 0};
            ret[n++] = (struct name_case){REDIRECT_WRONG, role, modes[m], 3};
            if (role == VIEW_ROLE_READER)
                continue;
            ret[n++] = (struct name_case){REDIRECT_NO_WRITER, role, modes[m], 0};
            ret[n++] = (struct name_case){REDIRECT_NO_FAMILY, role, modes[m], 0};
        }
    return n;
}

/* The rules once more: somebody who may be meant and is not to be touched; else the writers, who
 * have to agree; else the readers, who have to. */
static enum redirect_action expected(const struct name_case *names, unsigned count,
                                     bool *ret_shared, bool *ret_observed, unsigned *ret_target)
{
    const struct name_case *decides = NULL;
    bool blocked = false, disputed = false;

    *ret_observed = false;
    for (unsigned i = 0; i < count; i++) {
        const struct name_case *name = &names[i];

        blocked |= name->claim == REDIRECT_STRANGE || name->claim == REDIRECT_RIGHT;
        if (name->claim < REDIRECT_WRONG)
            continue;
        *ret_observed |= name->mode == VIEW_MODE_OBSERVE;
        if (!decides || name->role < decides->role)
            decides = name;
    }
    for (unsigned i = 0; i < count; i++)
        disputed |= names[i].claim >= REDIRECT_WRONG && names[i].role == decides->role &&
                    (names[i].claim != decides->claim || names[i].target != decides->target);
    *ret_shared = decides && (blocked || disputed);
    if (!decides || *ret_shared)
        return REDIRECT_PASS;
    *ret_target = decides->target;
    return decides->claim == REDIRECT_WRONG       ? REDIRECT_GO
           : decides->claim == REDIRECT_NO_WRITER ? REDIRECT_WAIT
                                                  : REDIRECT_REFUSE;
}

/* Whether only writer endpoints are concerned, which differ, and this one says that it is wrong. */
static bool is_of_before(const struct name_case *names, unsigned count, unsigned latest)
{
    bool shared, observed;
    unsigned target;

    expected(names, count, &shared, &observed, &target);
    for (unsigned i = 0; i < count; i++)
        shared &= names[i].claim != REDIRECT_STRANGE &&
                  (names[i].claim != REDIRECT_RIGHT || names[i].role == VIEW_ROLE_WRITER);
    return shared && names[latest].claim >= REDIRECT_WRONG;
}

static void decide(const struct name_case *names, unsigned count, unsigned latest,
                   struct redirect *ret)
{
    *ret = (struct redirect){0};
    for (unsigned i = 0; i < count; i++) {
        struct view_entry entry = {.mode = names[i].mode,
                                   .role = names[i].role,
                                   .endpoint = i + 1,
                                   .generation = i + 10,
                                   .keepalive_ms = 5000};
        struct redirect_address to = address_of(names[i].target);

        redirect_add(ret, names[i].claim, &entry, &to, i == latest ? 100 : i + 1);
    }
    redirect_end(ret);
}

/* Whichever of them was looked up last, the action is the same; it says what the tag is. */
static void check(const struct name_case *names, unsigned count)
{
    bool shared, observed;
    unsigned target = 0;
    enum redirect_action action = expected(names, count, &shared, &observed, &target);

    for (unsigned latest = 0; latest < count; latest++) {
        enum redirect_claim claim = names[latest].claim;
        struct redirect r;

        decide(names, count, latest, &r);
        assert_int_equal(r.shared, shared);
        assert_int_equal(r.action, observed ? REDIRECT_PASS : action);
        assert_int_equal(r.would, observed ? action : REDIRECT_PASS);
        if (action == REDIRECT_GO) {
            struct redirect_address to = address_of(target);

            assert_memory_equal(r.to.bytes, to.bytes, 16);
            assert_int_equal(r.to.port, to.port);
        }
        if (claim == REDIRECT_ELSEWHERE)
            continue;
        assert_int_equal(r.endpoint, claim == REDIRECT_STRANGE ? 0 : latest + 1);
        assert_int_equal(r.generation, claim == REDIRECT_STRANGE
                                           ? 0
                                           : latest + 10 - is_of_before(names, count, latest));
        assert_int_equal(r.keepalive_ms,
                         claim != REDIRECT_STRANGE && names[latest].mode == VIEW_MODE_CONNECT ? 5000
                                                                                              : 0);
    }
}

static void all_names_that_may_be_meant_have_to_agree(void **test)
{
    struct name_case cases[64], names[3];
    unsigned n = cases_make(cases), checked = 0;

    (void)test;
    for (unsigned a = 0; a < n; a++)
        for (unsigned b = 0; b < n; b++)
            for (unsigned c = 0; c < n; c++) {
                names[0] = cases[a];
                names[1] = cases[b];
                names[2] = cases[c];
                for (unsigned count = 1; count <= 3; count++, checked++)
                    check(names, count);
            }
    assert_int_equal(checked, n * n * n * 3);
}

static void names_of_claims_and_actions_are_words(void **test)
{
    (void)test;
    for (int i = 0; i < REDIRECT_CLAIM_COUNT; i++)
        assert_string_not_equal(redirect_claim_name((enum redirect_claim)i), "invalid");
    for (int i = 0; i < REDIRECT_ACTION_COUNT; i++)
        assert_string_not_equal(redirect_action_name((enum redirect_action)i), "invalid");
    assert_string_equal(redirect_claim_name(REDIRECT_CLAIM_COUNT), "invalid");
    assert_string_equal(redirect_action_name(REDIRECT_ACTION_COUNT), "invalid");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_a_writer_endpoint_claims_is_what_the_table_says),
        TEST(what_a_reader_endpoint_claims_is_what_the_table_says),
        TEST(readers_take_turns),
        TEST(a_port_of_no_member_is_elsewhere_in_every_mode),
        TEST(a_member_is_its_address_and_its_port),
        TEST(what_is_no_members_address_is_wrong_but_never_refused),
        TEST(an_answer_that_is_no_members_leaves_it_to_the_flags),
        TEST(a_view_without_members_leaves_all_alone),
        TEST(all_names_that_may_be_meant_have_to_agree),
        TEST(names_of_claims_and_actions_are_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
