/* SPDX-License-Identifier: Apache-2.0
 *
 * redirect.c - what is to be done with one connect: every pair and triple of names that may be meant
 * against the rules, stated a second time here.
 */
#include "config.h"

#include <string.h>

#include "shim/steer/redirect.h"
#include "tests/shim/words.h"
#include "tests/support/test.h"

static struct inet_address target_of(unsigned target)
{
    return (struct inet_address){.bytes = {10, 0, 0, (uint8_t)target}, .family = 4, .port = 5432};
}

/* One name of an address, for what is decided from several. */
struct name_case {
    enum finding_kind kind;
    enum view_role role;
    unsigned mode, target;
};

/* All that differ in what they make the decision depend on. */
static unsigned cases_make(struct name_case ret[64])
{
    static const unsigned modes[] = {VIEW_MODE_OBSERVE, VIEW_MODE_CONNECT};
    unsigned n = 0;

    ret[n++] = (struct name_case){.kind = FINDING_ELSEWHERE, .mode = VIEW_MODE_CONNECT};
    ret[n++] = (struct name_case){.kind = FINDING_FOREIGN, .mode = VIEW_MODE_NAMES};
    for (unsigned m = 0; m < 2; m++)
        for (unsigned role = 0; role < VIEW_ROLE_COUNT; role++) {
            ret[n++] = (struct name_case){FINDING_RIGHT, role, modes[m], 0};
            ret[n++] = (struct name_case){FINDING_WRONG, role, modes[m], 0};
            ret[n++] = (struct name_case){FINDING_WRONG, role, modes[m], 3};
            if (role == VIEW_ROLE_READER)
                continue;
            ret[n++] = (struct name_case){FINDING_NO_WRITER, role, modes[m], 0};
            ret[n++] = (struct name_case){FINDING_NO_FAMILY, role, modes[m], 0};
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

        blocked |= name->kind == FINDING_FOREIGN || name->kind == FINDING_RIGHT;
        if (name->kind < FINDING_WRONG)
            continue;
        *ret_observed |= name->mode == VIEW_MODE_OBSERVE;
        if (!decides || name->role < decides->role)
            decides = name;
    }
    for (unsigned i = 0; i < count; i++)
        disputed |= names[i].kind >= FINDING_WRONG && names[i].role == decides->role &&
                    (names[i].kind != decides->kind || names[i].target != decides->target);
    *ret_shared = decides && (blocked || disputed);
    if (!decides || *ret_shared)
        return REDIRECT_PASS;
    *ret_target = decides->target;
    return decides->kind == FINDING_WRONG       ? REDIRECT_GO
           : decides->kind == FINDING_NO_WRITER ? REDIRECT_WAIT
                                                : REDIRECT_REFUSE;
}

/* Whether only writer endpoints are concerned, which differ, and this one says that it is wrong. */
static bool is_of_before(const struct name_case *names, unsigned count, unsigned latest)
{
    bool shared, observed;
    unsigned target;

    expected(names, count, &shared, &observed, &target);
    for (unsigned i = 0; i < count; i++)
        shared &= names[i].kind != FINDING_FOREIGN &&
                  (names[i].kind != FINDING_RIGHT || names[i].role == VIEW_ROLE_WRITER);
    return shared && names[latest].kind >= FINDING_WRONG;
}

static void decide(const struct name_case *names, unsigned count, unsigned latest,
                   struct redirect *ret)
{
    struct finding findings[3];

    for (unsigned i = 0; i < count; i++)
        findings[i] = (struct finding){.kind = names[i].kind,
                                       .right = target_of(names[i].target),
                                       .stamp = i == latest ? 100 : i + 1,
                                       .mode = names[i].mode,
                                       .role = names[i].role,
                                       .endpoint = i + 1,
                                       .generation = i + 10,
                                       .keepalive_ms = 5000};
    redirect_decide(findings, count, ret);
}

/* Whichever of them was looked up last, the action is the same; it says what the tag is. */
static void check(const struct name_case *names, unsigned count)
{
    bool shared, observed;
    unsigned target = 0;
    enum redirect_action action = expected(names, count, &shared, &observed, &target);

    for (unsigned latest = 0; latest < count; latest++) {
        enum finding_kind kind = names[latest].kind;
        struct redirect r;

        decide(names, count, latest, &r);
        if (shared)
            assert_word(redirect_action, r.action, REDIRECT_SHARED);
        else if (observed && action != REDIRECT_PASS)
            assert_word(redirect_action, r.action, REDIRECT_OBSERVED);
        else
            assert_word(redirect_action, r.action, action);
        if (action == REDIRECT_GO) {
            struct inet_address to = target_of(target);

            assert_memory_equal(r.to.bytes, to.bytes, 16);
            assert_int_equal(r.to.port, to.port);
        }
        if (kind == FINDING_ELSEWHERE)
            continue;
        assert_int_equal(r.endpoint, kind == FINDING_FOREIGN ? 0 : latest + 1);
        assert_int_equal(r.generation, kind == FINDING_FOREIGN
                                           ? 0
                                           : latest + 10 - is_of_before(names, count, latest));
        assert_int_equal(r.keepalive_ms,
                         kind != FINDING_FOREIGN && names[latest].mode == VIEW_MODE_CONNECT ? 5000
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

static void every_action_is_a_word(void **test)
{
    (void)test;
    for (int i = 0; i < REDIRECT_ACTION_COUNT; i++)
        assert_string_not_equal(redirect_action_name((enum redirect_action)i), "invalid");
    assert_string_equal(redirect_action_name(REDIRECT_ACTION_COUNT), "invalid");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_names_that_may_be_meant_have_to_agree),
        TEST(every_action_is_a_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
