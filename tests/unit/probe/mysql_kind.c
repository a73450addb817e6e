/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_kind.c - how a cluster of MySQL's family is configured, and what is refused.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/conf/conf.h"
#include "agent/probe/engines/mysql/family/connection.h"
#include "agent/probe/engines/mysql/mysql_kind.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"

static const struct engine_kind *const kinds[] = {&engine_kind_mysql, NULL};

static int leave_folder(void **state)
{
    unlink("t.yaml");
    return folder_leave(state);
}

/* What conf_load() says of this connection; the caller frees, and *ret_conf too, which may be NULL. */
static char *load(const char *connection, struct conf **ret_conf)
{
    char *answer = NULL;
    size_t size;
    FILE *file = fopen("t.yaml", "w"), *out = open_memstream(&answer, &size);
    fprintf(file,
            "clusters: [{name: a, engine: mysql, members: [10.0.0.1], connection: \"%s\",\n"
            "  circular: true, endpoints: [{names: [w], role: writer}]}]\n",
            connection);
    fclose(file);
    *ret_conf = NULL;
    conf_load("t.yaml", kinds, out, ret_conf);
    fclose(out);
    return answer;
}

static void assert_refused(const char *connection, const char *why)
{
    struct conf *conf;
    char *answer = load(connection, &conf);
    if (conf || !strstr(answer, why))
        fail_msg("%s: %s", connection, answer);
    free(answer);
}

static void assert_good(const char *connection)
{
    struct conf *conf;
    char *answer = load(connection, &conf);
    if (!conf || *answer)
        fail_msg("%s: %s", connection, answer);
    assert_int_equal(conf->clusters[0].members[0].port, 3306);
    free(answer);
    conf_free(conf);
}

static void its_own_keywords_are_taken(void **state)
{
    (void)state;
    assert_good("");
    assert_good("user=homing");
    assert_good("user='a b' tls=off");
    assert_good("tls=require");
    assert_good("tls=verify-full tls_ca=/etc/passwd tls_cert=/etc/passwd tls_key=/etc/passwd");
}

static void keywords_of_other_clients_are_answered_with_what_is_meant(void **state)
{
    (void)state;
    assert_refused("host=db", "'host' may not be in connection; servers are listed under members");
    assert_refused("password=x", "put it into a file and name that in password_file");
    assert_refused("ssl-ca=/x", "'ssl-ca' may not be in connection; write tls_ca");
    assert_refused("sslmode=require", "write tls=off, tls=require or tls=verify-full");
    assert_refused("tls-ca=/x", "did you mean 'tls_ca'?");
    assert_refused("usr=x", "did you mean 'user'?");
    assert_refused("mysql://homing@db", "connection is a URI");
}

static void values_and_files_are_checked_before_anything_is_asked(void **state)
{
    (void)state;
    assert_refused("user=''", "user is empty or too long");
    assert_refused("tls=maybe", "tls");
    assert_refused("tls=verify-full tls_ca=/no/such", "tls_ca /no/such does not exist");
    assert_refused("tls=require tls_ca=/etc/passwd", "tls_ca");
    assert_refused("tls_key=/etc/passwd", "tls_key");
}

static void what_is_not_given_is_an_encrypted_login_of_homing(void **state)
{
    struct mysql_connection c;
    (void)state;
    mysql_connection_read("", &c);
    assert_string_equal(c.user, "homing");
    assert_int_equal(c.tls.mode, TLS_REQUIRE);
    assert_true(!c.tls.ca && !c.tls.cert && !c.tls.key);
    mysql_connection_read("tls=verify-full user=x tls_ca='/a b' user='y z'", &c);
    assert_string_equal(c.user, "y z");
    assert_int_equal(c.tls.mode, TLS_VERIFY_FULL);
    assert_string_equal(c.tls.ca, "/a b");
}

static void counts_and_views_are_printed_as_servers_show_them(void **state)
{
    char text[ENGINE_PRINT_SIZE];
    (void)state;
    engine_print_position(&engine_kind_mysql, 9, text, sizeof(text));
    assert_string_equal(text, "8");
    engine_print_position(&engine_kind_mysql, 0, text, sizeof(text));
    assert_string_equal(text, "0");
    engine_print_term(&engine_kind_mysql, 17958904293467258, 7, text, sizeof(text));
    assert_string_equal(text, "17958904293467258:7");
    engine_print_term(&engine_kind_mysql, 0, 3, text, sizeof(text));
    assert_string_equal(text, "3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(its_own_keywords_are_taken),
        TEST(keywords_of_other_clients_are_answered_with_what_is_meant),
        TEST(values_and_files_are_checked_before_anything_is_asked),
        TEST(what_is_not_given_is_an_encrypted_login_of_homing),
        TEST(counts_and_views_are_printed_as_servers_show_them),
    };
    return cmocka_run_group_tests(tests, folder_enter, leave_folder);
}
