/* SPDX-License-Identifier: Apache-2.0
 *
 * postgresql_advice.c - the statement that grants what is missing, as it has to be run.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/probe/postgresql/advice.h"
#include "agent/probe/postgresql/deployments.h"
#include "tests/support/test.h"

static void expect_end(const char *user, const char *end)
{
    char note[POSTGRES_NOTE_SIZE];
    const char *said = postgres_note_no_identity("app", user, note);
    size_t len = strlen(said), end_len = strlen(end);

    assert_true(len > end_len);
    assert_string_equal(said + len - end_len, end);
    assert_non_null(strstr(said, "In database app: GRANT EXECUTE ON FUNCTION "));
}

static void a_role_is_quoted_as_a_name(void **state)
{
    (void)state;
    expect_end("homing", "pg_control_system() TO \"homing\"");
    expect_end("a \"b\"", " TO \"a \"\"b\"\"\"");
    expect_end(NULL, " TO \"\"");
}

static void the_longest_names_are_whole(void **state)
{
    char user[64], end[80];

    (void)state;
    memset(user, 'u', 63);
    user[63] = '\0';
    snprintf(end, sizeof(end), " TO \"%s\"", user);
    expect_end(user, end);
}

/* The doctor prints no other statement as one to be run. */
static void a_right_that_is_lacked_ends_with_the_statement(void **state)
{
    char note[POSTGRES_NOTE_SIZE];

    (void)state;
    for (const char *const *grant = postgres_grants; *grant; grant++) {
        char expected[200];
        snprintf(expected, sizeof(expected),
                 "homing's role lacks a privilege. In database app: GRANT %s TO \"a\"\"b\"",
                 *grant);
        assert_string_equal(postgres_note_lacks(*grant, "app", "a\"b", note), expected);
    }
}

/* W4a: each function's rights are among those that the doctor prints. */
static void W4a_what_tells_of_no_deployment_ends_with_the_statement_or_with_its_words(void **state)
{
    const struct postgres_deployments_of *const ALL[] = {&postgres_deployments_of_aurora,
                                                         &postgres_deployments_of_rds};
    char note[POSTGRES_NOTE_SIZE], expected[200];

    (void)state;
    for (size_t i = 0; i < sizeof(ALL) / sizeof(ALL[0]); i++)
        for (const char *const *lacked = ALL[i]->grants; *lacked; lacked++) {
            const char *const *grant = postgres_grants;
            while (*grant && strcmp(*grant, *lacked) != 0)
                grant++;
            assert_non_null(*grant);
            snprintf(expected, sizeof(expected), ". In database app: GRANT %s TO \"homing\"",
                     *grant);
            postgres_note_no_deployments(*lacked, "app", "homing", note);
            assert_non_null(strstr(note, "not told of blue/green deployments"));
            assert_string_equal(note + strlen(note) - strlen(expected), expected);
        }
    assert_string_equal(postgres_note_failed_deployments("not now", note),
                        "it does not tell of blue/green deployments: not now");
}

/* What a server says is looked for in these: a row with nothing to look for would fit everything. */
static void each_advice_has_words_and_a_line(void **state)
{
    (void)state;
    for (const struct engine_advice *a = postgres_advice; a->words; a++) {
        assert_true(strlen(a->words) > 5);
        assert_true(strlen(a->line) > 5);
    }
}

/* Of the first row that fits. */
static const char *line_for(const char *words)
{
    const struct engine_advice *a = postgres_advice;

    while (a->words && !strstr(words, a->words))
        a++;
    assert_non_null(a->words);
    return a->line;
}

static void a_role_that_is_there_is_not_to_be_created(void **state)
{
    (void)state;
    assert_non_null(strstr(line_for("role \"homing\" is not permitted to log in"), "LOGIN;"));
    assert_non_null(
        strstr(line_for("too many connections for role \"homing\""), "CONNECTION LIMIT -1;"));
    assert_non_null(strstr(line_for("role \"homing\" does not exist"), "CREATE ROLE"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_role_is_quoted_as_a_name),
        TEST(the_longest_names_are_whole),
        TEST(a_right_that_is_lacked_ends_with_the_statement),
        TEST(W4a_what_tells_of_no_deployment_ends_with_the_statement_or_with_its_words),
        TEST(each_advice_has_words_and_a_line),
        TEST(a_role_that_is_there_is_not_to_be_created),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
