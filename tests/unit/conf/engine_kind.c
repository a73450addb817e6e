/* SPDX-License-Identifier: Apache-2.0
 *
 * engine_kind.c - what a configuration may say of a cluster depends on nothing but its engine:
 * two made-up ones, of which no file outside of this one knows.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/conf/conf.h"
#include "agent/conf/connection.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

static const char *only_digits(const char *value, size_t len)
{
    return strspn(value, "0123456789") < len ? "slot is not a number; write digits" : NULL;
}

static const char *no_braces(const char *connection)
{
    return connection[0] == '{' ? "connection is no JSON here; write pairs" : NULL;
}

static const struct engine_keyword strict_keywords[] = {
    {.name = "user"},
    {.name = "slot", .check = only_digits},
    {.name = "token", .secret = true},
    {.name = "roots", .file = true},
    {.name = "node", .instead = "members are listed under members"},
    {.name = NULL},
};

static const char *no_token_alone(const char *connection)
{
    char token[4];
    bool has = conf_connection_get(connection, "token", token, sizeof(token));
    return has && !conf_connection_get(connection, "user", token, sizeof(token))
               ? "token is of no use without user; give both"
               : NULL;
}

static void print_hash(uint64_t position, char *ret, size_t size)
{
    snprintf(ret, size, "#%" PRIu64, position);
}

static void print_era(uint64_t hi, uint64_t lo, char *ret, size_t size)
{
    snprintf(ret, size, "era %" PRIu64 "/%" PRIu64, hi, lo);
}

static const struct engine_kind strict = {
    .name = "strict",
    .default_port = 700,
    .client = "strict's client",
    .keywords = strict_keywords,
    .check_connection = no_braces,
    .check_together = no_token_alone,
    .no_password = "it asks for none; leave it out",
    .lag_in_transactions = true,
    .print_position = print_hash,
    .print_term = print_era,
};

static const struct engine_keyword easy_keywords[] = {{.name = NULL}};
static const struct engine_kind easy = {
    .name = "easy", .default_port = 800, .keywords = easy_keywords, .takes_others = true};

static const struct engine_kind *const both[] = {&strict, &easy, NULL};

static int leave_folder(void **state)
{
    unlink("t.yaml");
    return folder_leave(state);
}

/* What conf_load() says of a cluster with these keys; the caller frees. */
static char *load(const char *keys, struct conf **ret_conf)
{
    char *answer = NULL;
    size_t size;
    FILE *file = fopen("t.yaml", "w"), *out = open_memstream(&answer, &size);
    assert_non_null(file);
    fprintf(file,
            "clusters:\n"
            "  - name: a\n"
            "    members: [db1, 'db2:5']\n"
            "    endpoints: [{names: [w], role: writer}]\n"
            "%s",
            keys);
    fclose(file);
    *ret_conf = NULL;
    int rv = conf_load("t.yaml", both, out, ret_conf);
    assert_int_equal(rv, *ret_conf ? 0 : -EINVAL);
    fclose(out);
    return answer;
}

static void assert_refused(const char *keys, const char *expected)
{
    struct conf *conf;
    char *answer = load(keys, &conf);
    assert_string_equal(answer, expected);
    assert_null(conf);
    free(answer);
}

static struct conf *load_good(const char *keys)
{
    struct conf *conf;
    char *answer = load(keys, &conf);
    assert_string_equal(answer, "");
    free(answer);
    return conf;
}

static void a_cluster_points_to_its_engine_and_has_its_port(void **state)
{
    struct conf *conf = load_good("    engine: easy\n");
    (void)state;
    assert_ptr_equal(conf->clusters[0].engine, &easy);
    assert_int_equal(conf->clusters[0].members[0].port, 800);
    assert_int_equal(conf->clusters[0].members[1].port, 5);
    conf_free(conf);
    conf = load_good("    engine: strict\n");
    assert_ptr_equal(conf->clusters[0].engine, &strict);
    assert_int_equal(conf->clusters[0].members[0].port, 700);
    conf_free(conf);
}

static void errors_name_the_engines_of_the_list(void **state)
{
    (void)state;
    assert_refused("    engine: postgresql\n",
                   "t.yaml:5:13: unknown engine 'postgresql'; this version knows: strict, easy\n");
    assert_refused("", "t.yaml:2:5: a cluster without engine; write engine: strict or easy\n");
}

static void only_the_engines_own_keywords_are_taken(void **state)
{
    (void)state;
    assert_refused(
        "    engine: strict\n"
        "    connection: user=a node=b slot=x other=c\n",
        "t.yaml:6:24: 'node' may not be in connection; members are listed under members\n"
        "t.yaml:6:31: slot is not a number; write digits\n"
        "t.yaml:6:38: connection has a keyword here that strict does not know; it takes: "
        "user, slot, token, roots\n");
    assert_refused("    engine: strict\n"
                   "    connection: '{user: a}'\n",
                   "t.yaml:6:17: connection is no JSON here; write pairs\n");
    assert_refused(
        "    engine: strict\n"
        "    connection: user\n",
        "t.yaml:6:17: connection is not strict's client's 'keyword=value' from here on; quote "
        "values that hold spaces\n");
}

static void a_slip_of_a_keyword_is_answered_with_the_keyword(void **state)
{
    (void)state;
    assert_refused("    engine: strict\n"
                   "    connection: tokne=secret\n",
                   "t.yaml:6:17: connection has a keyword here that strict does not know; did you "
                   "mean 'token'? it takes: user, slot, token, roots\n");
}

static void a_keyword_for_a_file_wants_one_that_can_be_read(void **state)
{
    static const char *const bad[][2] = {
        {"roots=no/slash", "roots no/slash is no absolute path; write one"},
        {"roots=''", "roots '' is no absolute path; write one"},
        {"roots='/no such'", "roots /no such does not exist; create it, or correct the path"},
        {"roots=/dev/null", "roots /dev/null is not a regular file; name one"},
        {"roots=/dev", "roots /dev is not a regular file; name one"},
    };
    char keys[200], expected[200];
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(keys, sizeof(keys), "    engine: strict\n    connection: \"%s\"\n", bad[i][0]);
        snprintf(expected, sizeof(expected), "t.yaml:6:18: %s\n", bad[i][1]);
        assert_refused(keys, expected);
    }
    conf_free(load_good("    engine: strict\n    connection: roots='/etc/\\passwd'\n"));
}

static void a_password_that_nobody_asks_for_is_refused_where_it_stands(void **state)
{
    FILE *file = fopen("secret", "w");

    (void)state;
    assert_non_null(file);
    fputs("x\n", file);
    fclose(file);
    chmod("secret", 0600);
    assert_refused(
        "    password_file: secret\n    engine: strict\n",
        "t.yaml:5:20: password_file is not for strict; it asks for none; leave it out\n");
    conf_free(load_good("    password_file: secret\n    engine: easy\n"));
    unlink("secret");
}

static void keywords_that_do_not_go_together_are_refused_once_each_is_good(void **state)
{
    (void)state;
    assert_refused("    engine: strict\n    connection: token=abc\n",
                   "t.yaml:6:17: token is of no use without user; give both\n");
    assert_refused("    engine: strict\n    connection: token=abc slot=x\n",
                   "t.yaml:6:27: slot is not a number; write digits\n");
}

static void a_value_is_read_without_quotes_and_the_last_one_counts(void **state)
{
    static const char connection[] = "a=1 b='x \\'y\\\\' a = 2\\ 3 d=''";
    char value[8] = "before";
    (void)state;
    assert_false(conf_connection_get(connection, "e", value, sizeof(value)));
    assert_false(conf_connection_get(connection, "b", value, 7));
    assert_string_equal(value, "before");
    assert_true(conf_connection_get(connection, "a", value, sizeof(value)));
    assert_string_equal(value, "2 3");
    assert_true(conf_connection_get(connection, "b", value, 8));
    assert_string_equal(value, "x 'y\\");
    assert_true(conf_connection_get(connection, "d", value, sizeof(value)));
    assert_string_equal(value, "");
}

static void circular_is_only_for_engines_that_take_it(void **state)
{
    (void)state;
    assert_refused("    engine: strict\n    circular: true\n",
                   "t.yaml:6:15: circular is not for strict; remove it\n");
    conf_free(load_good("    engine: strict\n    circular: false\n"));
}

static void nothing_of_libpqs_is_refused_in_another_engines_connection(void **state)
{
    (void)state;
    conf_free(load_good("    engine: easy\n"
                        "    connection: host=x port=5 options=y dbname=a=b other=c\n"));
    conf_free(load_good("    engine: easy\n"
                        "    connection: postgresql://x=y\n"));
}

static void a_dump_hides_what_the_engine_calls_secret(void **state)
{
    struct conf *conf = load_good("    engine: strict\n"
                                  "    connection: user=a token=b slot=7\n");
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    (void)state;
    conf_dump(conf, out);
    fclose(out);
    assert_non_null(strstr(text, "    engine: \"strict\"\n"));
    assert_non_null(strstr(text, "    connection: \"user=a token=*** slot=7\"\n"));
    free(text);
    conf_free(conf);
}

static const char *position(const struct engine_kind *kind, uint64_t value)
{
    static char text[ENGINE_PRINT_SIZE];
    engine_print_position(kind, value, text, sizeof(text));
    return text;
}

static const char *term(const struct engine_kind *kind, uint64_t hi, uint64_t lo)
{
    static char text[ENGINE_PRINT_SIZE];
    engine_print_term(kind, hi, lo, text, sizeof(text));
    return text;
}

static void positions_and_terms_are_printed_as_their_people_write_them(void **state)
{
    (void)state;
    assert_string_equal(position(&strict, 7), "#7");
    assert_string_equal(term(&strict, 2, 3), "era 2/3");
    assert_string_equal(term(&strict, 0, 0), "none");
}

static void other_engines_positions_are_plain_numbers(void **state)
{
    (void)state;
    assert_string_equal(position(&easy, 0x300000100), "12884902144");
    assert_string_equal(term(&easy, 0, 7), "7");
    assert_string_equal(term(&easy, 2, 7), "2.7");
    assert_string_equal(term(&easy, 0, 0), "none");
}

static void a_lag_in_what_the_engine_does_not_count_is_warned_of(void **state)
{
    struct conf *conf;
    char *answer = load("    engine: strict\n    max_lag: 1MB\n", &conf);
    (void)state;
    assert_non_null(conf);
    assert_string_equal(
        answer,
        "t.yaml:6:14: warning: max_lag has no effect with strict; write max_lag_transactions\n");
    conf_free(conf);
    free(answer);
    answer = load("    engine: easy\n    max_lag_transactions: 1\n", &conf);
    assert_non_null(conf);
    assert_string_equal(
        answer,
        "t.yaml:6:27: warning: max_lag_transactions has no effect with easy; write max_lag\n");
    conf_free(conf);
    free(answer);
    conf_free(load_good("    engine: strict\n    max_lag_transactions: 1\n"));
    conf_free(load_good("    engine: easy\n    max_lag: 1MB\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_cluster_points_to_its_engine_and_has_its_port),
        TEST(errors_name_the_engines_of_the_list),
        TEST(only_the_engines_own_keywords_are_taken),
        TEST(a_slip_of_a_keyword_is_answered_with_the_keyword),
        TEST(a_keyword_for_a_file_wants_one_that_can_be_read),
        TEST(keywords_that_do_not_go_together_are_refused_once_each_is_good),
        TEST(a_value_is_read_without_quotes_and_the_last_one_counts),
        TEST(circular_is_only_for_engines_that_take_it),
        TEST(a_password_that_nobody_asks_for_is_refused_where_it_stands),
        TEST(nothing_of_libpqs_is_refused_in_another_engines_connection),
        TEST(a_dump_hides_what_the_engine_calls_secret),
        TEST(positions_and_terms_are_printed_as_their_people_write_them),
        TEST(a_lag_in_what_the_engine_does_not_count_is_warned_of),
        TEST(other_engines_positions_are_plain_numbers),
    };
    return cmocka_run_group_tests(tests, folder_enter, leave_folder);
}
