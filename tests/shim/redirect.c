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
    bool left, asked, behind, idle;
};

/* All that differ in what they make the decision depend on. */
static unsigned cases_make(struct name_case ret[64])
{
    static const unsigned modes[] = {VIEW_MODE_OBSERVE, VIEW_MODE_CONNECT};
    unsigned n = 0;

    ret[n++] = (struct name_case){.kind = FINDING_ELSEWHERE, .mode = VIEW_MODE_CONNECT};
    ret[n++] = (struct name_case){.kind = FINDING_FOREIGN, .mode = VIEW_MODE_NAMES};
    for (unsigned m = 0; m < 2; m++)
        for (unsigned role = 0; role < VIEW_ROLE_COUNT; role++)
            for (unsigned other = 0; other < 2; other++) {
                bool reader = role == VIEW_ROLE_READER, left = other && !reader;
                bool asked = other && reader, behind = m && !reader && !other;

                ret[n++] = (struct name_case){FINDING_RIGHT, role,          modes[m], 0,
                                              .left = left,  .asked = asked};
                ret[n++] = (struct name_case){FINDING_WRONG, role,          modes[m], 0,
                                              .left = left,  .asked = asked};
                ret[n++] = (struct name_case){FINDING_WRONG, role,          modes[m], 3,
                                              .left = left,  .asked = asked};
                ret[n++] = (struct name_case){
                    FINDING_RIGHT, role, modes[m], 0, .left = reader && !other, .behind = behind};
                if (reader)
                    continue;
                ret[n++] = (struct name_case){FINDING_NO_WRITER, role, modes[m], 0, .left = left};
                ret[n++] = (struct name_case){FINDING_NO_FAMILY, role, modes[m], 0, .left = left};
            }
    for (unsigned role = 0; role < VIEW_ROLE_COUNT; role++) {
        ret[n++] = (struct name_case){FINDING_RIGHT, role, VIEW_MODE_NAMES, 0, .idle = true};
        ret[n++] = (struct name_case){FINDING_WRONG, role, VIEW_MODE_OFF, 3, .idle = true};
    }
    ret[n++] = (struct name_case){FINDING_NO_WRITER, VIEW_ROLE_WRITER, VIEW_MODE_NAMES, 0,
                                  .left = true,      .idle = true};
    assert_in_range(n, 1, 64);
    return n;
}

struct expected {
    enum redirect_action action;
    unsigned target;
    int tag; /* which name; -1: none */
    bool untold, behind;
};

static bool endpoint(const struct name_case *name)
{
    return name->kind != FINDING_ELSEWHERE && name->kind != FINDING_FOREIGN;
}

/* If nothing is ours to steer, what is idle takes its place for the tag. */
static bool all_idle(const struct name_case *names, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (endpoint(&names[i]) && !names[i].idle)
            return false;
    return true;
}

/* The rules once more: who had another address since does not count if somebody has not; a reader
 * does not count beside a writer, nor a writer beside a reader that was just asked for; then all
 * have to agree, and somebody who is not ours forbids it. */
static void meant(const struct name_case *names, unsigned count, bool ret[3], bool *ret_untold)
{
    bool present = false, writer = false, reader = false, asked = false;
    bool idle = all_idle(names, count);

    for (unsigned i = 0; i < count; i++)
        present |= endpoint(&names[i]) && names[i].idle == idle && !names[i].left;
    for (unsigned i = 0; i < count; i++) {
        ret[i] = endpoint(&names[i]) && names[i].idle == idle && (!names[i].left || !present);
        writer |= ret[i] && names[i].role == VIEW_ROLE_WRITER;
        reader |= ret[i] && names[i].role == VIEW_ROLE_READER;
        asked |= ret[i] && names[i].role == VIEW_ROLE_READER && names[i].asked;
    }
    *ret_untold = writer && reader && !asked;
    for (unsigned i = 0; i < count && writer && reader; i++)
        ret[i] &= names[i].role == (asked ? VIEW_ROLE_READER : VIEW_ROLE_WRITER);
}

static enum redirect_action action_of(const struct name_case *name)
{
    if (name->kind < FINDING_WRONG)
        return REDIRECT_PASS;
    return name->kind == FINDING_WRONG       ? REDIRECT_GO
           : name->kind == FINDING_NO_WRITER ? REDIRECT_WAIT
                                             : REDIRECT_REFUSE;
}

static void expect(const struct name_case *names, unsigned count, unsigned latest,
                   struct expected *ret)
{
    bool may[3], foreign = false, wrong = false, differ = false, observed = false;
    bool idle = all_idle(names, count);
    const struct name_case *first = NULL;

    *ret = (struct expected){.action = REDIRECT_PASS, .tag = -1};
    meant(names, count, may, &ret->untold);
    for (unsigned i = 0; i < count; i++) {
        foreign |=
            names[i].kind == FINDING_FOREIGN || (endpoint(&names[i]) && names[i].idle != idle);
        if (!may[i])
            continue;
        if (!first)
            first = &names[i];
        wrong |= names[i].kind >= FINDING_WRONG;
        observed |= names[i].kind >= FINDING_WRONG && names[i].mode == VIEW_MODE_OBSERVE;
        differ |= names[i].kind != first->kind ||
                  (first->kind == FINDING_WRONG && names[i].target != first->target);
        if (ret->tag < 0 || i == latest || (unsigned)ret->tag != latest)
            ret->tag = (int)i;
    }
    if (!first)
        return;
    ret->target = first->target;
    if (wrong && !idle)
        ret->action = foreign || differ ? REDIRECT_SHARED
                      : observed        ? REDIRECT_OBSERVED
                                        : action_of(first);
    ret->behind = !foreign && ret->action <= REDIRECT_SHARED &&
                  names[ret->tag].role == VIEW_ROLE_WRITER &&
                  (names[ret->tag].kind >= FINDING_WRONG || names[ret->tag].behind);
}

static void decide(const struct name_case *names, unsigned count, unsigned latest,
                   struct redirect *ret)
{
    struct finding findings[3];

    for (unsigned i = 0; i < count; i++)
        findings[i] = (struct finding){.kind = names[i].kind,
                                       .right = target_of(names[i].target),
                                       .stamp = i == latest ? 100 : i + 1,
                                       .left = names[i].left,
                                       .asked = names[i].asked,
                                       .mode = names[i].mode,
                                       .role = names[i].role,
                                       .behind = names[i].behind,
                                       .idle = names[i].idle,
                                       .endpoint = i + 1,
                                       .generation = i + 10,
                                       .keepalive_ms = 5000};
    redirect_decide(findings, count, ret);
}

static void check(const struct name_case *names, unsigned count)
{
    for (unsigned latest = 0; latest < count; latest++) {
        struct expected e;
        struct redirect r;

        expect(names, count, latest, &e);
        decide(names, count, latest, &r);
        assert_word(redirect_action, r.action, e.action);
        assert_int_equal(r.untold, e.untold);
        assert_int_equal(r.behind, e.behind);
        assert_int_equal(r.endpoint, e.tag + 1);
        if (e.tag < 0)
            continue;
        assert_int_equal(r.idle, names[e.tag].idle);
        assert_int_equal(r.generation, !e.behind ? e.tag + 10 : names[e.tag].idle ? e.tag + 9 : 0);
        assert_int_equal(r.keepalive_ms, names[e.tag].mode == VIEW_MODE_CONNECT ? 5000 : 0);
        if (e.action == REDIRECT_GO) {
            struct inet_address to = target_of(e.target);

            assert_memory_equal(r.to.bytes, to.bytes, 16);
            assert_int_equal(r.to.port, to.port);
        }
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

/* Of two pools in a cluster of two: the address was the writer's, and is the reader's. */
static void an_address_that_the_writer_endpoint_has_left_is_the_readers(void **test)
{
    const struct name_case names[] = {
        {FINDING_WRONG, VIEW_ROLE_WRITER, VIEW_MODE_SEVER, 3, .left = true},
        {FINDING_RIGHT, VIEW_ROLE_READER, VIEW_MODE_SEVER, 0, .left = false},
    };
    struct redirect r;

    (void)test;
    decide(names, 2, 0, &r);
    assert_word(redirect_action, r.action, REDIRECT_PASS);
    assert_int_equal(r.endpoint, 2);
    assert_false(r.untold);
}

static void what_both_claim_is_the_writers_unless_the_thread_asked_for_the_reader(void **test)
{
    struct name_case names[] = {
        {FINDING_WRONG, VIEW_ROLE_WRITER, VIEW_MODE_SEVER, 3, .left = false},
        {FINDING_RIGHT, VIEW_ROLE_READER, VIEW_MODE_SEVER, 0, .left = false},
    };
    struct redirect r;

    (void)test;
    decide(names, 2, 1, &r);
    assert_word(redirect_action, r.action, REDIRECT_GO);
    assert_int_equal(r.endpoint, 1);
    assert_true(r.untold);
    names[1].asked = true;
    decide(names, 2, 0, &r);
    assert_word(redirect_action, r.action, REDIRECT_PASS);
    assert_int_equal(r.endpoint, 2);
    assert_false(r.untold);
}

static void a_name_that_is_not_managed_is_passed_and_tagged_for_the_managed_one(void **test)
{
    const struct name_case names[] = {
        {FINDING_WRONG, VIEW_ROLE_WRITER, VIEW_MODE_SEVER, 3, .left = false},
        {.kind = FINDING_FOREIGN},
    };
    struct redirect r;

    (void)test;
    decide(names, 2, 1, &r);
    assert_word(redirect_action, r.action, REDIRECT_SHARED);
    assert_int_equal(r.endpoint, 1);
    assert_int_equal(r.generation, 10);
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
        TEST(an_address_that_the_writer_endpoint_has_left_is_the_readers),
        TEST(what_both_claim_is_the_writers_unless_the_thread_asked_for_the_reader),
        TEST(a_name_that_is_not_managed_is_passed_and_tagged_for_the_managed_one),
        TEST(every_action_is_a_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
