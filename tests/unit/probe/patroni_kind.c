/* SPDX-License-Identifier: Apache-2.0
 *
 * patroni_kind.c - how a Patroni cluster is configured, and what is refused.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/conf/conf.h"
#include "agent/probe/engines/patroni/patroni_kind.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

static const struct engine_kind *const kinds[] = {&engine_kind_patroni, NULL};

static int leave_folder(void **state)
{
    unlink("t.yaml");
    return folder_leave(state);
}

/* What conf_load() says of these; the caller frees, and *ret_conf too, which may be NULL. */
static char *load_members(const char *members, const char *connection, struct conf **ret_conf)
{
    char *answer = NULL;
    size_t size;
    FILE *file = fopen("t.yaml", "w"), *out = open_memstream(&answer, &size);
    fprintf(file,
            "clusters: [{name: a, engine: patroni, members: [%s], connection: \"%s\",\n"
            "  endpoints: [{names: [w], role: writer}]}]\n",
            members, connection);
    fclose(file);
    *ret_conf = NULL;
    conf_load("t.yaml", kinds, out, ret_conf);
    fclose(out);
    return answer;
}

static char *load(const char *connection, struct conf **ret_conf)
{
    return load_members("10.0.0.1", connection, ret_conf);
}

static void assert_refused(const char *connection, const char *why)
{
    struct conf *conf;
    char *answer = load(connection, &conf);
    if (conf || !strstr(answer, why))
        fail_msg("%s: %s", connection, answer);
    free(answer);
}

static void a_member_is_the_database_and_the_api_has_a_port_of_its_own(void **state)
{
    struct patroni_connection c;
    struct conf *conf;
    char *answer = load("rest_port=9008 tls=off", &conf);
    (void)state;
    assert_string_equal(answer, "");
    assert_int_equal(conf->clusters[0].members[0].port, 5432);
    patroni_connection_read(conf->clusters[0].connection, &c);
    assert_int_equal(c.rest_port, 9008);
    free(answer);
    conf_free(conf);
}

static void expect_answer(const char *members, const char *connection, const char *expected)
{
    struct conf *conf;
    char *answer = load_members(members, connection, &conf);
    assert_string_equal(answer, expected);
    assert_int_equal(!conf, *expected != '\0');
    free(answer);
    conf_free(conf);
}

/* Programs that connect to the database would be left alone, and nobody would see why. */
static void the_port_of_the_api_is_no_members(void **state)
{
    (void)state;
    expect_answer(
        "'db1:8008'", "",
        "t.yaml:1:49: member 'db1' has port 8008, which is that of Patroni's REST API "
        "(rest_port): a member has the port to which programs connect, mostly 5432; write "
        "that one, or correct rest_port in connection\n");
    expect_answer(
        "db1", "rest_port=5432",
        "t.yaml:1:49: member 'db1' has port 5432, which is that of Patroni's REST API "
        "(rest_port): a member has the port to which programs connect, mostly 5432; write "
        "that one, or correct rest_port in connection\n");
    expect_answer("'10.0.0.1:8008'", "rest_port=8009", "");
    expect_answer("'10.0.0.1:6432', '10.0.0.2:5432'", "", "");
}

static void two_members_on_one_host_have_no_api_of_their_own(void **state)
{
    (void)state;
    expect_answer("'db1:5432', db2, 'db1:5433'", "rest_port=8009",
                  "t.yaml:1:66: member 'db1', port 5433, is on one host with the member at "
                  "t.yaml:1:49: both would be asked at the one port of Patroni's REST API "
                  "(rest_port); list each by an address of its own\n");
}

static void what_is_not_given_is_what_patroni_has_without_a_word(void **state)
{
    struct patroni_connection c;
    (void)state;
    patroni_connection_read("", &c);
    assert_int_equal(c.rest_port, 8008);
    assert_int_equal(c.tls.mode, TLS_OFF);
    patroni_connection_read("tls=verify-full tls_ca='/a b' tls_cert=/c tls_key=/d", &c);
    assert_int_equal(c.tls.mode, TLS_VERIFY_FULL);
    assert_string_equal(c.tls.ca, "/a b");
    assert_string_equal(c.tls.cert, "/c");
    assert_string_equal(c.tls.key, "/d");
}

static void ports_files_and_what_goes_together_are_checked(void **state)
{
    (void)state;
    assert_refused("rest_port=0", "rest_port is the port of Patroni's REST API");
    assert_refused("rest_port=65536", "write a number from 1 to 65535");
    assert_refused("rest_port=http", "write a number from 1 to 65535");
    assert_refused("tls=maybe", "tls is one of off, require, verify-full");
    assert_refused("tls_ca=/etc/passwd", "tls");
    assert_refused("tls=verify-full tls_ca=/no/such", "tls_ca /no/such does not exist");
}

static void keywords_of_databases_and_of_patronis_own_file_are_answered(void **state)
{
    (void)state;
    assert_refused("port=8008", "write rest_port");
    assert_refused("user=homing", "Patroni asks for none");
    assert_refused("password=x", "Patroni asks for none");
    assert_refused("sslmode=require", "write tls=off, tls=require or tls=verify-full");
    assert_refused("cafile=/x", "write tls_ca");
    assert_refused("rest-port=1", "did you mean 'rest_port'?");
    assert_refused("https://db:8008", "connection is a URL");
}

static void a_position_is_printed_as_the_database_prints_it(void **state)
{
    char text[ENGINE_PRINT_SIZE];
    (void)state;
    engine_print_position(&engine_kind_patroni, 0x104016DC8, text, sizeof(text));
    assert_string_equal(text, "1/4016DC8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_member_is_the_database_and_the_api_has_a_port_of_its_own),
        TEST(the_port_of_the_api_is_no_members),
        TEST(two_members_on_one_host_have_no_api_of_their_own),
        TEST(what_is_not_given_is_what_patroni_has_without_a_word),
        TEST(ports_files_and_what_goes_together_are_checked),
        TEST(keywords_of_databases_and_of_patronis_own_file_are_answered),
        TEST(a_position_is_printed_as_the_database_prints_it),
    };
    return cmocka_run_group_tests(tests, folder_enter, leave_folder);
}
